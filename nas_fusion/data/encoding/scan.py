"""The first reading of a log: its labels, and which split every row belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.reading_plan import ReadingPlan
from nas_fusion.data.encoding.splits import NO_SPLIT, SPLITS, Codes, random_codes, time_codes, word_codes
from nas_fusion.data.encoding.value_counts import ValueCounter
from nas_fusion.data.sources.chunk import Categories, CellError, Chunk, FloatArray
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import shown

Progress = Callable[[str, float], None]
"""Called with a stage ("read", "count", "encode") and the share of it that is done, above 0, at most 1."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first reading found.

    Args:
        label: the column of the label.
        split_column: the column that says the splits, if there is one.
        labels: 0 or 1 per row, int8 ``[rows]``.
        codes: position of the row's split in `SPLITS`, int8 ``[rows]``.
        attainable_auc: per split, the AUC of the true probabilities, where they are known.
    """

    label: str
    split_column: str | None
    labels: Codes
    codes: Codes
    attainable_auc: dict[str, float] | None

    @property
    def reserved(self) -> frozenset[str]:
        """The columns that cannot be fields."""
        return frozenset(c for c in (self.label, self.split_column) if c is not None)


class ScannedChunk(NamedTuple):
    """Rows of a later reading, with what the first one found about them: codes and labels, int8 ``[rows]`` each."""

    chunk: Chunk
    codes: Codes
    labels: Codes


def scan_log(source: Source, plan: ReadingPlan, progress: Progress) -> Scan:
    """Read labels and splits, and check them.

    Raises:
        DataError: a label that is neither 0 nor 1, one class only, an unknown split, a split without positives or
            negatives, too few rows.
    """
    reading = _read(source, plan, progress)
    labels = np.concatenate(reading.labels) if reading.labels else np.zeros(0, np.int8)
    if problem := _one_class(labels):
        raise source.error(problem, column=plan.label if len(labels) else None)
    if reading.odd is not None and plan.split_is_named:
        row, word = reading.odd
        allowed = "train, valid, test, 0, 1 or 2"
        raise source.error(f"a split must be {allowed}, found {shown(word)}", row=row, column=plan.split_column)
    # A column that is only called "split" and holds something else is a field like any other.
    split_column = plan.split_column if reading.odd is None else None
    codes = _codes(source, plan, reading, len(labels), by_column=split_column is not None and not plan.split_is_drawn)
    if problem := _split_without_a_class(labels, codes):
        raise source.error(problem)
    return Scan(plan.label, split_column, labels, codes, _attainable(reading.probabilities, labels, codes))


def scanned_chunks(
    source: Source, scan: Scan, columns: Sequence[str], stage: str, progress: Progress
) -> Iterator[ScannedChunk]:
    """Read these columns of a log that was scanned, telling progress after every chunk.

    Raises:
        DataError: the log has more rows than when it was scanned, or a part of it cannot be read.
    """
    row, total = 0, len(scan.codes)
    for chunk in source.chunks(columns):
        end = row + len(chunk)
        if end > total:
            raise source.error(f"the log grew while it was read: more than {total} rows")
        yield ScannedChunk(chunk, scan.codes[row:end], scan.labels[row:end])
        row = end
        progress(stage, row / total)


@dataclass
class _Reading:
    """What one reading collects, chunk by chunk."""

    labels: list[Codes] = field(default_factory=list)
    codes: list[Codes] = field(default_factory=list)
    odd: tuple[int, str] | None = None  # row and value of the first word that names no split
    times: ValueCounter = field(default_factory=ValueCounter)
    probabilities: list[npt.NDArray[np.float32]] = field(default_factory=list)


def _read(source: Source, plan: ReadingPlan, progress: Progress) -> _Reading:
    wanted = [c for c in (plan.label, plan.split_column, plan.time, source.probability) if c is not None]
    reading = _Reading()
    for chunk in source.chunks(list(dict.fromkeys(wanted))):
        reading.labels.append(source.labels(chunk, plan.label).astype(np.int8))
        if plan.split_column is not None:
            _read_splits(reading, chunk.categories(plan.split_column), chunk.first_row)
        if plan.time is not None:
            reading.times.add(_times(chunk, plan.time))
        if source.probability is not None:
            reading.probabilities.append(np.asarray(chunk.column(source.probability)).astype(np.float32))
        row = chunk.first_row + len(chunk)
        progress("read", min(1.0, row / max(source.expected_rows, row, 1)))
    return reading


def _read_splits(reading: _Reading, column: Categories, first_row: int) -> None:
    codes = word_codes(column)
    if reading.odd is None and (codes == NO_SPLIT).any():
        index = int((codes == NO_SPLIT).argmax())
        value = column.codes[index]
        reading.odd = first_row + index, str(column.values[value].as_py()) if value >= 0 else ""
    reading.codes.append(codes)


def _times(chunk: Chunk, name: str) -> Categories:
    column = chunk.categories(name)
    missing = column.codes < 0
    with chunk.naming(name):
        if missing.any():
            raise CellError("the time is missing", int(missing.argmax()))
    return column


def _codes(source: Source, plan: ReadingPlan, reading: _Reading, rows: int, *, by_column: bool) -> Codes:
    if by_column:
        return np.concatenate(reading.codes)
    rule = plan.options.split_rule
    if plan.time is not None:
        return time_codes(source, plan.time, reading.times, rule, rows)
    return random_codes(rule, rows, plan.options.seed)


def _one_class(labels: Codes) -> str:
    """What is wrong with the labels of a log; empty if nothing is."""
    if not len(labels):
        return "there are no rows"
    if int(labels.sum()) in (0, len(labels)):
        return f"all {len(labels)} labels are {int(labels[0])}, expected both 0 and 1"
    return ""


def _split_without_a_class(labels: Codes, codes: Codes) -> str:
    """What is wrong with the splits; empty if nothing is."""
    for code, name in enumerate(SPLITS):
        chosen = labels[codes == code]
        if not len(chosen):
            return f"the {name} split has no rows; {len(labels)} rows give no three splits"
        positives = int(chosen.sum())
        if positives in (0, len(chosen)):
            kind = "negatives" if positives else "positives"
            return f"the {name} split ({len(chosen)} rows) has no {kind}"
    return ""


def _attainable(probabilities: list[npt.NDArray[np.float32]], labels: Codes, codes: Codes) -> dict[str, float] | None:
    if not probabilities:
        return None
    true: FloatArray = np.concatenate(probabilities).astype(np.float64)
    return {name: auc(labels[codes == code], true[codes == code]) for code, name in enumerate(SPLITS)}


def auc(labels: npt.NDArray[np.number], scores: FloatArray) -> float:
    """The probability that a positive scores above a negative, ties counting half.

    Written out here because scikit-learn takes a second to import, and only the built-in log needs it.

    Args:
        labels: 0 or 1, both present, ``[rows]``.
        scores: one number per label, ``[rows]``.
    """
    _, position, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[position]  # mean rank of equal scores
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))
