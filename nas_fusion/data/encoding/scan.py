"""The first reading of a log: what it says about every row, and which split the row belongs to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.reading_plan import TIME_WHY, ReadingPlan
from nas_fusion.data.rows import (
    FEWEST_EXPECTED,
    GroupCounter,
    LabelReader,
    SplitWords,
    by_chance,
    by_group,
    by_time,
    read_weights,
    stratified,
)
from nas_fusion.data.schema import SPLITS
from nas_fusion.data.sources.cells import CellError, FloatArray
from nas_fusion.data.sources.chunk import Chunk, chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.data.times import TimeEvidence, TimeForm, order_keys
from nas_fusion.errors import plain
from nas_fusion.settings import SplitKind

logger = logging.getLogger("nas_fusion")

Codes = npt.NDArray[np.int8]
"""One byte per row: a position in `SPLITS`, or a label."""

Progress = Callable[[str, float], None]
"""Called with a stage ("read", "count", "encode") and the share of it that is done, above 0, at most 1."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first reading found.

    Args:
        label: the column of the label.
        split_column: the column that holds splits, if there is one.
        labels: 0 or 1 per row, int8 ``[rows]``.
        codes: position of the row's split in `SPLITS`, int8 ``[rows]``.
        attainable_auc: per split, the AUC of the true probabilities, where they are known.
        weights: how much every row counts, float32 ``[rows]``, if the user named a column of weights.
        groups: number of every row's group, int32 ``[rows]``, if the user named a column of groups.
        left_out: column → why it is no field.
        positive: the label that is the positive, as it stands in the log.
        time_form: how the times are written by which the log was split, if it was.
    """

    label: str
    split_column: str | None
    labels: Codes
    codes: Codes
    attainable_auc: dict[str, float] | None
    weights: npt.NDArray[np.float32] | None = None
    groups: npt.NDArray[np.int32] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    positive: str = "1"
    time_form: TimeForm | None = None

    @property
    def rows(self) -> int:
        """How many rows the log has."""
        return len(self.labels)

    @property
    def words(self) -> tuple[str, ...]:
        """What was found that was not said, in a line each."""
        label = f"label {plain(self.label)}: {plain(self.positive)} is the positive"
        form = "" if self.time_form in (None, TimeForm.NUMBER) else f", read as {self.time_form}"
        left_out = [
            f"no field: {plain(name)}, {why}{form if why == TIME_WHY else ''}" for name, why in self.left_out.items()
        ]
        return (*([] if self.positive in ("0", "1") else [label]), *left_out)

    @property
    def reserved(self) -> frozenset[str]:
        """The columns that cannot be fields."""
        return frozenset(c for c in (self.label, self.split_column, *self.left_out) if c is not None)


def scan_rows(source: Source, plan: ReadingPlan, progress: Progress) -> Scan:
    """Read labels, weights, groups and splits, and check them.

    Raises:
        DataError: a cell that is no label, weight, split or time; one class only; a split without positives or
            negatives; too few rows.
    """
    reading = _FirstReading(source, plan)
    for chunk in chunks_of(source, reading.columns):
        reading.observe(chunk)
        rows = chunk.span.stop
        progress("read", min(1.0, rows / max(source.expected_rows, rows, 1)))
    return reading.result()


class _FirstReading:
    """Everything about the rows. Life: `observe` for every chunk, `result` once.

    Args:
        source: the log.
        plan: which column says what.
    """

    def __init__(self, source: Source, plan: ReadingPlan) -> None:
        self.source, self.plan = source, plan
        options = plan.options
        self._labels = LabelReader(plan.label, options.positive, counts_clicks=source.counts_clicks)
        self._words = SplitWords()
        self._times = TimeEvidence(options.dates, source.rules)
        self._groups = {name: GroupCounter() for name in (self._grouped, options.group) if name is not None}
        self._weights: list[npt.NDArray[np.float32]] = []
        self._truth: list[npt.NDArray[np.float32]] = []
        self._rows = 0

    @property
    def columns(self) -> list[str]:
        """What has to be read."""
        plan = self.plan
        named = [plan.label, *plan.splitting_columns, plan.options.weight, plan.options.group, self.source.probability]
        return list(dict.fromkeys(name for name in named if name is not None))

    @property
    def _timed(self) -> str | None:
        return self.plan.divides if self.plan.rule.kind is SplitKind.TIME else None

    @property
    def _grouped(self) -> str | None:
        return self.plan.divides if self.plan.rule.kind is SplitKind.GROUP else None

    def observe(self, chunk: Chunk) -> None:
        """Take in a chunk.

        Raises:
            DataError: a cell is missing that may not be, or is none of its kind.
        """
        plan = self.plan
        self._labels.observe(chunk)
        if plan.split_column is not None:
            self._words.observe(chunk.categories(plan.split_column), chunk.first_row)
        if self._timed is not None:
            with chunk.naming(self._timed):
                self._times.observe(chunk.column(self._timed), chunk.first_row)
        for name, counter in self._groups.items():
            counter.observe(chunk.categories(name))
        if plan.options.weight is not None:
            self._weights.append(read_weights(chunk, plan.options.weight))
        if self.source.probability is not None:
            self._truth.append(np.asarray(chunk.column(self.source.probability)).astype(np.float32))
        self._rows = chunk.span.stop

    def result(self) -> Scan:
        """What was found.

        Raises:
            DataError: the rows cannot be learnt from, or not be divided.
        """
        plan, source = self.plan, self.source
        with _naming(source, plan.label):
            labels, _, positive = self._labels.result()
        if problem := _one_class(labels):
            raise source.error(problem, column=plan.label if len(labels) else None)
        holds_splits = plan.split_column is not None and (plan.split_is_named or self._words.odd is None)
        form = None if self._timed is None or (holds_splits and not plan.split_is_drawn) else self._time_form()
        codes = self._codes(labels, form, by_words=holds_splits and not plan.split_is_drawn)
        weights = np.concatenate(self._weights) if self._weights else None
        if problem := _useless_split(labels, codes, weights):
            raise source.error(problem)
        group = plan.options.group
        return Scan(
            label=plan.label,
            split_column=plan.split_column if holds_splits else None,
            labels=labels,
            codes=codes,
            attainable_auc=_attainable(self._truth, labels, codes),
            weights=weights,
            groups=None if group is None else self._groups[group].numbers(),
            left_out=plan.left_out,
            positive=positive,
            time_form=form,
        )

    def _codes(self, labels: Codes, form: TimeForm | None, *, by_words: bool) -> Codes:
        """The split of every row, int8 ``[rows]``; a split by time reads the log again."""
        plan, source = self.plan, self.source
        rule, seed = plan.rule, plan.options.seed
        if by_words:
            assert plan.split_column is not None
            with _naming(source, plan.split_column):
                return self._words.codes()
        if form is not None and self._timed is not None:
            return by_time(self._read_times(self._timed, form), rule.sizes)
        if self._grouped is not None:
            counter = self._groups[self._grouped]
            if counter.missing:
                words = "%d rows have no %r: each is a group of its own"
                logger.warning(words, counter.missing, self._grouped)
            return by_group(counter.numbers(), rule.sizes, seed)
        expected = min(int(labels.sum()), int((1 - labels).sum())) * min(rule.sizes) / sum(rule.sizes)
        if expected >= FEWEST_EXPECTED:
            return by_chance(len(labels), rule.sizes, seed)
        codes = stratified(labels, rule.sizes, seed)
        _tell_stratified(labels, codes)
        return codes

    def _time_form(self) -> TimeForm:
        assert self._timed is not None
        with _naming(self.source, self._timed):
            form = self._times.form()
            if self._times.first_missing is not None:
                raise CellError("the time is missing", self._times.first_missing)
        return form

    def _read_times(self, column: str, form: TimeForm) -> npt.NDArray[np.number]:
        """What orders the rows, ``[rows]``: eight bytes each."""
        found = []
        for chunk in chunks_of(self.source, [column], most=self._rows):
            with chunk.naming(column):
                found.append(order_keys(chunk.column(column), form, self.source.rules))
        return np.concatenate(found)


@contextmanager
def _naming(source: Source, column: str) -> Iterator[None]:
    """Turn a `CellError` whose index is a row of the log into a `DataError`."""
    try:
        yield
    except CellError as error:
        raise source.error(str(error), row=error.index, column=column) from error


def _tell_stratified(labels: Codes, codes: Codes) -> None:
    few = int(labels.sum() * 2 <= len(labels))
    name = "positives" if few else "negatives"
    counts = [int(((labels == few) & (codes == code)).sum()) for code in range(len(SPLITS))]
    if 0 in counts:  # an error will say so
        return
    logger.warning(
        "only %d %s: the random split is stratified, %s of them (train / valid / test); a metric on so few is coarse",
        sum(counts), name, " / ".join(map(str, counts)),
    )  # fmt: skip


def _one_class(labels: Codes) -> str:
    """What is wrong with the labels of a log; empty if nothing is."""
    if not len(labels):
        return "there are no rows"
    if int(labels.sum()) in (0, len(labels)):
        return f"all {len(labels)} labels are {int(labels[0])}, expected both 0 and 1"
    return ""


def _useless_split(labels: Codes, codes: Codes, weights: npt.NDArray[np.float32] | None) -> str:
    """What is wrong with the splits; empty if nothing is. Rows without weight do not count."""
    for code, name in enumerate(SPLITS):
        chosen = labels[codes == code]
        if not len(chosen):
            return f"the {name} split has no rows; {len(labels)} rows give no three splits"
        rows = len(chosen)
        counting = chosen if weights is None else chosen[weights[codes == code] > 0]
        positives = int(counting.sum())
        if not len(counting):
            return f"all weights of the {name} split ({rows} rows) are 0"
        if positives in (0, len(counting)):
            kind, total = ("negatives", len(labels) - int(labels.sum())) if positives else ("positives", labels.sum())
            return (
                f"the {name} split ({rows} rows) has no {kind}, the log {total}; other sizes may help, or a random "
                "split, which is stratified where it has to be (--split random:8:1:1)"
            )
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
