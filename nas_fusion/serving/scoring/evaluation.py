"""How good a model's scores of labelled rows are, over all rows and segment by segment: `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nas_fusion.data.rows import GroupCounter, LabelReader, read_weights
from nas_fusion.data.sources import Categories, Chunk, Log, Source
from nas_fusion.data.sources.cells import CellError
from nas_fusion.errors import DataError, TrainingError
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.serving.scoring.score_files import open_for
from nas_fusion.serving.scoring.score_stream import Progress, score_stream
from nas_fusion.settings import DataOptions
from nas_fusion.training.metrics import Quality, further_metrics, quality_of
from nas_fusion.training.quality import Predictions, logloss

MOST_SEGMENTS = 1000
"""Of one column; the rarer values are one segment together."""

MISSING = "(missing)"


@dataclass(frozen=True)
class SegmentQuality:
    """How good the scores of some rows are.

    Args:
        column: by which the rows were chosen; empty for all rows.
        value: of that column.
        rows: how many there are.
        click_rate: share of clicks, by the rows' weights; None if no row counts.
        logloss: mean negative log-likelihood in nats, by the rows' weights; None if no row counts.
        quality: all that needs both clicks and rows without; None where there is only one of the two.
        further: what further metrics (`nas_fusion.training.METRICS`) say, of all rows.
        problem: why there is no `quality`; empty where there is.
    """

    column: str
    value: str
    rows: int
    click_rate: float | None
    logloss: float | None
    quality: Quality | None
    further: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""

    def numbers(self) -> dict[str, float | None]:
        """Everything that was measured, by name; None where it could not be."""
        found = self.quality
        names = ("normalised_entropy", "calibration_ratio", "calibration_error", "pr_auc", "gauc")
        return {
            "click_rate": self.click_rate,
            "auc": None if found is None else found.auc,
            "logloss": self.logloss,
            **{name: None if found is None else getattr(found, name) for name in names},
            **self.further,
        }


@dataclass(frozen=True)
class Evaluation:
    """How good a model's scores are: of all rows, and of the segments by each column, the largest first."""

    overall: SegmentQuality
    segments: tuple[SegmentQuality, ...] = ()

    @property
    def every(self) -> tuple[SegmentQuality, ...]:
        """All rows, then the segments."""
        return (self.overall, *self.segments)


def evaluate(
    model: SavedModel,
    rows: Log,
    *,
    by: Sequence[str] = (),
    options: DataOptions | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score labelled rows and measure the scores. Memory holds logits, labels, weights, groups and segments, not rows.

    Args:
        model: scores them.
        rows: whatever `nas_fusion.data.open_rows` takes, with labels.
        by: columns whose equal cells make a segment.
        options: how the rows are read: label, positive, weight and group among the rest; as the log that the model
            learnt from if not given.
        progress: told the number of rows that are scored.

    Raises:
        DataError: a column is missing, a cell cannot be used, or there are no rows; names file, line and column.
        TrainingError: all rows that count have the same label.
    """
    asked = options or model.reading_options
    label = asked.label or model.schema.label
    named = [name for name in (asked.weight, asked.group) if name is not None]
    columns = list(dict.fromkeys([label, *named, *by]))
    source = open_for(model, rows, columns, asked)
    truth = _Truth(model, source, asked, label, by)
    logits = [scored.logits for scored in score_stream(model, source, columns, seen=truth.observe, progress=progress)]
    if not logits:
        raise source.error("there are no rows")
    found = truth.result(np.concatenate(logits))
    quality = quality_of(found.logits, found.labels, found.weights, found.groups)
    further = further_metrics(found.logits, found.labels, found.weights, found.groups)
    overall = SegmentQuality(
        "", "", len(found), found.base_rate, quality.logloss, quality, further
    )  # fmt: skip
    segments = [segment for name, cells in truth.segments.items() for segment in _segments(name, cells, found)]
    return Evaluation(overall, tuple(segments))


class _Truth:
    """What rows say of themselves. Life: `observe` for every chunk, `result` once."""

    def __init__(self, model: SavedModel, source: Source, asked: DataOptions, label: str, by: Sequence[str]) -> None:
        counts = source.counts_clicks or model.manifest.log.form.counts_clicks
        self._source, self._label = source, label
        self._labels = LabelReader(label, asked.positive, counts_clicks=counts)
        self._weight, self._group = asked.weight, asked.group
        self._weights: list[npt.NDArray[np.float32]] = []
        self._groups = GroupCounter()
        self.segments = {name: SegmentCells() for name in by}

    def observe(self, chunk: Chunk) -> None:
        """Take in a chunk."""
        self._labels.observe(chunk)
        if self._weight is not None:
            self._weights.append(read_weights(chunk, self._weight))
        if self._group is not None:
            self._groups.observe(chunk.categories(self._group))
        for name, cells in self.segments.items():
            cells.observe(chunk.categories(name))

    def result(self, logits: npt.NDArray[np.float64]) -> Predictions:
        """What was true, beside what the model said."""
        try:
            labels = self._labels.result().labels
        except CellError as error:
            raise self._source.error(str(error), row=error.index, column=self._label) from error
        weights = np.concatenate(self._weights) if self._weights else None
        groups = None if self._group is None else self._groups.numbers()
        try:
            return Predictions.of(logits, labels, weights, groups)
        except TrainingError as error:
            raise DataError(str(error), path=self._source.name, column=self._label) from error


class SegmentCells:
    """Which segment every row belongs to. Life: `observe` for every chunk, then `codes` and `names`."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {MISSING: 0}
        self._codes: list[npt.NDArray[np.int32]] = []

    def observe(self, column: Categories) -> None:
        """Take in a chunk's cells."""
        known = self._known
        values = [known.setdefault(value, len(known)) for value in column.values.to_pylist()]
        self._codes.append(np.array([*values, 0], np.int32)[column.codes])  # code -1 picks the last

    def rows(self) -> list[tuple[str, npt.NDArray[np.intp]]]:
        """Segments and the positions of their rows, the largest first; the rarest values are one at the end."""
        codes = np.concatenate(self._codes)
        counts = np.bincount(codes, minlength=len(self._known))
        order = np.argsort(-counts, kind="stable")
        names = list(self._known)
        chosen = [code for code in order[:MOST_SEGMENTS].tolist() if counts[code]]
        place = np.full(len(names), len(chosen))
        place[chosen] = np.arange(len(chosen))
        by_segment = np.argsort(place[codes], kind="stable")
        stops = np.cumsum(counts[chosen])
        parts = np.split(by_segment, stops)
        found = [(names[code], part) for code, part in zip(chosen, parts, strict=False)]
        rest = int((counts > 0).sum()) - len(chosen)
        return [*found, (f"({rest:,} rarer values)", parts[-1])] if rest else found


def _segments(column: str, cells: SegmentCells, found: Predictions) -> list[SegmentQuality]:
    return [_segment(column, value, rows, found) for value, rows in cells.rows()]


def _segment(column: str, value: str, rows: npt.NDArray[np.intp], every: Predictions) -> SegmentQuality:
    weights = None if every.weights is None else every.weights[rows]
    groups = None if every.groups is None else every.groups[rows]
    found = Predictions(every.logits[rows], every.labels[rows], weights, groups)
    if weights is not None and not weights.any():
        return SegmentQuality(column, value, len(rows), None, None, None, problem="no row has a weight above 0")
    rate = found.base_rate
    if rate in (0.0, 1.0):
        problem = "no clicks" if rate == 0 else "clicks only"
        return SegmentQuality(column, value, len(rows), rate, logloss(found), None, problem=problem)
    quality = quality_of(found.logits, found.labels, weights, groups)
    return SegmentQuality(column, value, len(rows), rate, quality.logloss, quality)
