"""The first reading of a log: its labels, and which split every row belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.auc import auc
from nas_fusion.data.encoding.value_counts import ValueCounter
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.sources.arrow_columns import Categories, ColumnError, FloatArray, categories, ordered_by_value
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import shown
from nas_fusion.settings import DataOptions, SplitRule

Codes = npt.NDArray[np.int8]

SPLITS = ("train", "valid", "test")
"""The splits in the order of their codes."""

SPLIT_WORDS = {
    **{"train": 0, "training": 0, "0": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "1": 1},
    **{"test": 2, "testing": 2, "2": 2},
}
"""What a split column may hold, in any case."""

AUTO_SPLIT_COLUMN = "split"

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first reading found.

    Args:
        label: the column of the label.
        split_column: the column that decided the splits, if one did.
        labels: 0 or 1 per row, one byte each.
        codes: position of the row's split in `SPLITS`, one byte each.
        attainable_auc: per split, the AUC of the true probabilities, where they are known.
    """

    label: str
    split_column: str | None
    labels: Codes
    codes: Codes
    attainable_auc: dict[str, float] | None


@dataclass
class _Reading:
    """What one reading collects, chunk by chunk."""

    labels: list[Codes] = field(default_factory=list)
    codes: list[Codes] = field(default_factory=list)
    odd: tuple[int, str] | None = None  # row and value of the first word that names no split
    times: ValueCounter = field(default_factory=ValueCounter)
    probabilities: list[npt.NDArray[np.float32]] = field(default_factory=list)


def scan(source: Source, options: DataOptions, progress: Progress) -> Scan:
    """Read labels and splits, and check them.

    Raises:
        DataError: a label that is neither 0 nor 1, one class only, an unknown split, a split without positives or
            negatives, too few rows.
    """
    label = source.label_column(options.label)
    rule = options.split_rule
    split_column = _split_column(source, options, label)
    time = None if split_column and options.split_column else rule.column
    if time is not None:
        source.check_column(time, "time")
    reading = _read(source, label, split_column, time, progress)
    labels = np.concatenate(reading.labels) if reading.labels else np.zeros(0, np.int8)
    _check_classes(source, label, labels)
    if split_column and reading.odd:
        if options.split_column:
            row, word = reading.odd
            allowed = "train, valid, test, 0, 1 or 2"
            raise source.error(f"a split must be {allowed}, found {shown(word)}", row=row, column=split_column)
        split_column = None
    if split_column and not (options.split_column is None and options.split != DataOptions.split):
        codes = np.concatenate(reading.codes)
    elif time is not None:
        codes = _time_codes(source, time, reading.times, rule, len(labels))
    else:
        codes = _random_codes(rule, len(labels), options.seed)
    _check_splits(source, labels, codes)
    return Scan(label, split_column, labels, codes, _attainable(reading.probabilities, labels, codes))


def _split_column(source: Source, options: DataOptions, label: str) -> str | None:
    """The column that may decide the splits; one that is only called "split" still has to hold splits."""
    if options.split_column is not None:
        return source.check_column(options.split_column, "split")
    found = [c for c in source.columns if c.lower() == AUTO_SPLIT_COLUMN and c != label]
    return found[0] if found else None


def _read(source: Source, label: str, split: str | None, time: str | None, progress: Progress) -> _Reading:
    wanted = [label, *(c for c in (split, time, source.probability) if c is not None)]
    reading = _Reading()
    row = 0
    for batch in source.batches(list(dict.fromkeys(wanted))):
        column = label
        try:
            reading.labels.append(source.labels(batch.column(label)).astype(np.int8))
            if split is not None:
                column = split
                _read_splits(reading, categories(batch.column(split)), row)
            if time is not None:
                column = time
                reading.times.add(_present(categories(batch.column(time))))
        except ColumnError as error:
            raise source.column_error(error, column, row) from error
        if source.probability is not None:
            reading.probabilities.append(np.asarray(batch.column(source.probability)).astype(np.float32))
        row += batch.num_rows
        progress("read", min(1.0, row / max(source.expected_rows, row, 1)))
    return reading


def _read_splits(reading: _Reading, column: Categories, first_row: int) -> None:
    words = [str(w) for w in column.values.to_pylist()]
    known = np.array([SPLIT_WORDS.get(w.lower().removesuffix(".0"), -1) for w in words] + [-1], np.int8)
    codes = known[column.codes]
    if reading.odd is None and (codes < 0).any():
        index = int((codes < 0).argmax())
        reading.odd = first_row + index, words[column.codes[index]] if column.codes[index] >= 0 else ""
    reading.codes.append(codes)


def _present(column: Categories) -> Categories:
    missing = column.codes < 0
    if missing.any():
        raise ColumnError("the time is missing", int(missing.argmax()))
    return column


def _random_codes(rule: SplitRule, rows: int, seed: int) -> Codes:
    """Exact sizes, shuffled: one byte per row is all the memory that it takes."""
    codes = np.repeat(np.arange(3, dtype=np.int8), rule.sizes(rows))
    np.random.default_rng(seed).shuffle(codes)
    return codes


def _time_codes(source: Source, time: str, counter: ValueCounter, rule: SplitRule, rows: int) -> Codes:
    """The oldest rows train, the newest test; rows of equal time are cut in the order of the log."""
    values, counts = counter.result()
    order = ordered_by_value(values)
    before = np.empty(len(order), np.int64)
    before[order] = np.cumsum(counts[order]) - counts[order]
    lookup = Vocabulary(values)
    train, valid, _ = rule.sizes(rows)
    seen = np.zeros(len(values), np.int64)
    codes = []
    for batch in source.batches([time]):
        found = categories(batch.column(time))
        places = (lookup.ids(found.values) - lookup.ids(values[:1])[0])[found.codes]
        position = before[places] + seen[places] + _occurrence(places)
        seen += np.bincount(places, minlength=len(seen))
        codes.append((position >= train).astype(np.int8) + (position >= train + valid).astype(np.int8))
    return np.concatenate(codes)


def _occurrence(places: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """For every element, how many equal ones stand before it."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    first = np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    result = np.empty(len(places), np.int64)
    result[order] = np.arange(len(places)) - first
    return result


def _check_classes(source: Source, label: str, labels: Codes) -> None:
    if not len(labels):
        raise source.error("there are no rows")
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        raise source.error(f"all {len(labels)} labels are {int(labels[0])}, expected both 0 and 1", column=label)


def _check_splits(source: Source, labels: Codes, codes: Codes) -> None:
    for code, name in enumerate(SPLITS):
        chosen = labels[codes == code]
        if not len(chosen):
            raise source.error(f"the {name} split has no rows; {len(labels)} rows give no three splits")
        positives = int(chosen.sum())
        if positives in (0, len(chosen)):
            kind = "negatives" if positives else "positives"
            raise source.error(f"the {name} split ({len(chosen)} rows) has no {kind}")


def _attainable(probabilities: list[npt.NDArray[np.float32]], labels: Codes, codes: Codes) -> dict[str, float] | None:
    if not probabilities:
        return None
    true: FloatArray = np.concatenate(probabilities).astype(np.float64)
    return {name: auc(labels[codes == code], true[codes == code]) for code, name in enumerate(SPLITS)}
