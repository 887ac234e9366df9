"""The fronts of the searches: good and cheap among what each of them measured, and what it handed on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nas_fusion.records import CellRecord
from nas_fusion.report.number_words import MISSING, count, listed
from nas_fusion.report.numbers.decision import Row
from nas_fusion.report.numbers.summaries import StrategySummary
from nas_fusion.report.numbers.table_columns import TextTable

FRONT, PREFER = "front", "prefer"
"""The keys of `CellRecord.details` under which a search leaves its front, and how it chose, where it did."""

_MULTIPLY_ADDS = "multiply_adds"


class FrontDesign(NamedTuple):
    """A design on a search's front.

    `valid_auc`: while searching; `behind`: the best one of the search, in what validation chooses by, with the standard
    error of that difference by pairs of rows; NaN each where it is not known. `content`: as JSON.
    """

    design: str
    valid_auc: float
    multiply_adds: float
    parameters: float
    behind: float
    error: float
    is_chosen: bool
    content: str = ""


class SearchFront(NamedTuple):
    """The front of one search, cheapest first.

    `preferred`: by which preference one of them was handed on; empty where the search derived its design.
    """

    strategy: str
    seed: int
    preferred: str
    points: tuple[FrontDesign, ...]

    @property
    def known(self) -> list[FrontDesign]:
        """Those with a validation AUC."""
        return [point for point in self.points if math.isfinite(point.valid_auc)]

    @property
    def chosen(self) -> FrontDesign | None:
        """What was handed on; None where that is not on the front."""
        return next((point for point in self.points if point.is_chosen), None)


class TrainedPoint(NamedTuple):
    """A model trained to its end: its multiply-adds and its validation AUC, each a mean over the seeds."""

    strategy: str
    multiply_adds: float
    valid_auc: float


class FrontPicture(NamedTuple):
    """What the figure shows: the fronts, and models that were trained to their end, hand-made ones and found ones."""

    fronts: tuple[SearchFront, ...]
    hand_made: tuple[TrainedPoint, ...]
    found: tuple[TrainedPoint, ...]


def front_of(record: CellRecord) -> SearchFront:
    """The front that a record tells of; without points where it tells of none, being older or somebody else's."""
    return read_front(record.strategy, record.seed, record.details)


def read_front(strategy: str, seed: int, details: Mapping[str, Any]) -> SearchFront:
    """The front that a search's details tell of; see `front_of`."""
    told = details.get(FRONT)
    points = [_point(one) for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
    usable = [point for point in points if min(point.multiply_adds, point.parameters) > 0]
    ordered = sorted(usable, key=lambda point: (point.multiply_adds, point.parameters))
    return SearchFront(strategy, seed, str(details.get(PREFER, "")), tuple(ordered))


def _point(told: Mapping[str, Any]) -> FrontDesign:
    def number(name: str) -> float:
        value = told.get(name)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan

    content = json.dumps(told["content"]) if isinstance(told.get("content"), dict) else ""
    return FrontDesign(
        str(told.get("design", "")), number("valid_auc"), number("multiply_adds"), number("parameters"),
        number("behind"), number("error"), told.get("chosen") is True, content,
    )  # fmt: skip


def search_fronts(rows: Sequence[Row]) -> list[SearchFront]:
    """The front of each strategy's best seed, best strategy first; a search that several rows share is told of once."""
    names = {row.summary.strategy for row in rows}
    own = [row.summary.best for row in rows if row.summary.shares_search_with not in names]
    return [front for front in map(front_of, own) if front.points]


def front_picture(rows: Sequence[Row]) -> FrontPicture | None:
    """What the figure shows; None where no search has a front with a validation AUC."""
    fronts = [front for front in search_fronts(rows) if front.known]
    if not fronts:
        return None
    shown = {front.strategy for front in fronts}
    trained = [(row.summary, point) for row in rows if (point := _trained(row.summary)) is not None]
    return FrontPicture(
        tuple(fronts),
        tuple(point for summary, point in trained if summary.is_reference),
        tuple(point for _, point in trained if point.strategy in shown),
    )


def _trained(summary: StrategySummary) -> TrainedPoint | None:
    cost, auc = summary.cost.get(_MULTIPLY_ADDS), summary.valid_auc.mean
    if cost is None or not cost.mean > 0 or not math.isfinite(auc):
        return None
    return TrainedPoint(summary.strategy, cost.mean, auc)


def handed_on_words(front: SearchFront) -> str:
    """What a search handed on, by the best of its candidates; empty where it chose among none."""
    best, chosen = max(front.known, key=lambda point: point.valid_auc, default=None), front.chosen
    if best is None or chosen is None or not front.preferred:
        return ""
    words = f"handed on at {count(chosen.multiply_adds)} multiply-adds per row, {count(chosen.parameters)} weights"
    if chosen is best:
        return f"{words}: the best of what was measured"
    share = f"{chosen.multiply_adds / best.multiply_adds:.0%}"
    return f"{words}: {_behind(chosen)} behind the best, which it cannot be told from, at {share} of its multiply-adds"


def front_table(fronts: Sequence[SearchFront]) -> TextTable:
    """A line for each search: the best and the one that it handed on, and what either costs."""
    heads = (
        "strategy", "designs on the front", "validation AUC of the best", "its multiply-adds", "of the one handed on",
        "behind the best", "multiply-adds", "weights",
    )  # fmt: skip
    return TextTable(heads, tuple(_line(front) for front in fronts))


def _line(front: SearchFront) -> tuple[str, ...]:
    best, chosen = max(front.known, key=lambda point: point.valid_auc, default=None), front.chosen
    return (
        front.strategy,
        str(len(front.points)),
        *((MISSING, MISSING) if best is None else (_auc(best), count(best.multiply_adds))),
        *((MISSING,) * 4 if chosen is None else _chosen_cells(chosen)),
    )


def _chosen_cells(chosen: FrontDesign) -> tuple[str, ...]:
    return _auc(chosen), _behind(chosen), count(chosen.multiply_adds), count(chosen.parameters)


def _auc(point: FrontDesign) -> str:
    return f"{point.valid_auc:.4f}" if math.isfinite(point.valid_auc) else MISSING


def _behind(point: FrontDesign) -> str:
    if math.isnan(point.behind):
        return MISSING
    error = "" if math.isnan(point.error) else f" ±{f'{point.error:.4f}'.removeprefix('0')}"
    return f"{point.behind:.4f}{error}"


def preference_words(fronts: Sequence[SearchFront]) -> str:
    """Which searches handed on a candidate by what preference, and which derived their design; empty without any."""
    names: dict[str, list[str]] = {}
    for front in fronts:
        names.setdefault(front.preferred, []).append(front.strategy)
    cheap, best, derived = (names.get(preferred, []) for preferred in ("cheap", "best", ""))
    told = []
    if cheap:
        told.append(
            f"Handed on is the cheapest candidate that validation rows cannot tell from the best: {listed(cheap)}."
        )
    if best:
        told.append(f"Handed on is the best candidate: {listed(best)}.")
    if derived:
        told.append(
            f"Handed on is the design that the search derives as published, whatever --prefer says: {listed(derived)}."
        )
    return " ".join(told)
