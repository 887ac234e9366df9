"""The first reading of a log: its labels, and which split every row belongs to (by words, by time, or by chance)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.reading_plan import ReadingPlan
from nas_fusion.data.encoding.vocabulary import ValueCounter, Vocabulary
from nas_fusion.data.schema import FIRST_ID, SPLITS
from nas_fusion.data.sources.cells import Categories, FloatArray, IntArray
from nas_fusion.data.sources.chunk import chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import shown
from nas_fusion.settings import SplitRule

Codes = npt.NDArray[np.int8]
"""One byte per row: a position in `SPLITS`, or a label."""

Progress = Callable[[str, float], None]
"""Called with a stage ("read", "count", "encode") and the share of it that is done, above 0, at most 1."""

SPLIT_WORDS = {
    **{"train": 0, "training": 0, "0": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "1": 1},
    **{"test": 2, "testing": 2, "2": 2},
}
"""What a split column may hold, in any case."""

NO_SPLIT = -1
"""Code of a word that names no split."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first reading found.

    Args:
        label: the column of the label.
        split_column: the column that holds splits, if there is one.
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
    def rows(self) -> int:
        """How many rows the log has."""
        return len(self.labels)

    @property
    def reserved(self) -> frozenset[str]:
        """The columns that cannot be fields."""
        return frozenset(c for c in (self.label, self.split_column) if c is not None)


def scan_rows(source: Source, plan: ReadingPlan, progress: Progress) -> Scan:
    """Read labels and splits, and check them.

    Raises:
        DataError: a label that is neither 0 nor 1, one class only, an unknown split, a split without positives or
            negatives, too few rows.
    """
    splitter = Splitter(plan)
    truth = [source.probability] if source.probability is not None else []
    columns = dict.fromkeys([plan.label, *plan.splitting_columns, *truth])
    parts: list[Codes] = []
    probabilities: list[npt.NDArray[np.float32]] = []
    for chunk in chunks_of(source, list(columns)):
        parts.append(chunk.labels(plan.label, counts_clicks=source.counts_clicks))
        probabilities += [np.asarray(chunk.column(name)).astype(np.float32) for name in truth]
        words = chunk.categories(plan.split_column) if plan.split_column is not None else None
        times = chunk.categories(plan.time, none_missing="the time") if plan.time is not None else None
        splitter.observe(words, times, chunk.first_row)
        rows = chunk.span.stop
        progress("read", min(1.0, rows / max(source.expected_rows, rows, 1)))
    labels = np.concatenate(parts) if parts else np.zeros(0, np.int8)
    if problem := _one_class(labels):
        raise source.error(problem, column=plan.label if len(labels) else None)
    codes = splitter.codes(source, len(labels))
    if problem := _split_without_a_class(labels, codes):
        raise source.error(problem)
    return Scan(plan.label, splitter.split_column, labels, codes, _attainable(probabilities, labels, codes))


class Splitter:
    """Says which split every row belongs to. Life: `observe` for every chunk, then `codes` once.

    Args:
        plan: says what decides.
    """

    def __init__(self, plan: ReadingPlan) -> None:
        self.plan = plan
        self._codes: list[Codes] = []
        self._odd: tuple[int, str] | None = None  # row and text of the first word that names no split
        self._times = ValueCounter()

    @property
    def split_column(self) -> str | None:
        """The column that holds splits; one that is only called "split" and holds something else is a field."""
        return self.plan.split_column if self._odd is None else None

    def observe(self, words: Categories | None, times: Categories | None, first_row: int) -> None:
        """Take in a chunk's cells of the split column and of the column of times, as far as there are such columns."""
        if times is not None:
            self._times.add(times)
        if words is not None:
            self._read(words, first_row)

    def codes(self, source: Source, rows: int) -> Codes:
        """The split of every row, int8 ``[rows]``; a split by time reads the log again.

        Args:
            source: the log.
            rows: how many it has.

        Raises:
            DataError: a word of a column that the user named is no split.
        """
        plan = self.plan
        if self._odd is not None and plan.split_is_named:
            row, word = self._odd
            allowed = "train, valid, test, 0, 1 or 2"
            raise source.error(f"a split must be {allowed}, found {shown(word)}", row=row, column=plan.split_column)
        if self.split_column is not None and not plan.split_is_drawn:
            return np.concatenate(self._codes)
        if plan.time is not None:
            return _by_time(source, plan.time, self._times, plan.rule, rows)
        return _by_chance(plan.rule, rows, plan.options.seed)

    def _read(self, column: Categories, first_row: int) -> None:
        words = [str(word) for word in column.values.to_pylist()]
        splits = [SPLIT_WORDS.get(word.lower().removesuffix(".0"), NO_SPLIT) for word in words]  # pandas writes 1.0
        codes = np.array([*splits, NO_SPLIT], np.int8)[column.codes]  # code -1, of a missing cell, picks the last
        if self._odd is None and (codes == NO_SPLIT).any():
            index = int((codes == NO_SPLIT).argmax())
            self._odd = first_row + index, words[column.codes[index]] if column.codes[index] >= 0 else ""
        self._codes.append(codes)


def _by_chance(rule: SplitRule, rows: int, seed: int) -> Codes:
    """Splits of exact sizes, shuffled: one byte per row is all the memory that it takes."""
    codes = np.repeat(np.arange(len(SPLITS), dtype=np.int8), rule.sizes(rows))
    np.random.default_rng(seed).shuffle(codes)
    return codes


def _by_time(source: Source, time: str, times: ValueCounter, rule: SplitRule, rows: int) -> Codes:
    """The oldest rows train, the newest test; rows of equal time are cut in the order of the log.

    The times are read again, so that memory grows with the different times and one byte per row.
    """
    values, counts = times.in_order()
    ranks = Vocabulary(values)
    before = np.cumsum(counts) - counts
    seen = np.zeros(len(values), np.int64)
    train, valid, _ = rule.sizes(rows)
    codes = []
    for chunk in chunks_of(source, [time]):
        column = chunk.categories(time)
        rank = (ranks.ids(column.values) - FIRST_ID)[column.codes]
        position = before[rank] + seen[rank] + _occurrence(rank)
        seen += np.bincount(rank, minlength=len(seen))
        codes.append((position >= train).astype(np.int8) + (position >= train + valid).astype(np.int8))
    return np.concatenate(codes)


def _occurrence(ranks: npt.NDArray[np.int32]) -> IntArray:
    """For every element, how many equal ones stand before it."""
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    first = np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    result = np.empty(len(ranks), np.int64)
    result[order] = np.arange(len(ranks)) - first
    return result


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


def auc(labels: npt.NDArray[np.number], scores: npt.NDArray[np.number]) -> float:
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
