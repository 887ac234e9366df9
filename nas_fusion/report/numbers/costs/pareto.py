"""Quality against the cost of the model, and which strategies nobody beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from nas_fusion.report.number_words import count, milliseconds
from nas_fusion.report.numbers.curves import View, upper_part
from nas_fusion.report.numbers.summaries import StrategySummary

ModelCost = Literal["parameters", "multiply_adds", "latency_ms_1", "latency_ms_4096"]
MODEL_COSTS: tuple[ModelCost, ...] = ("parameters", "multiply_adds", "latency_ms_1", "latency_ms_4096")


_TITLES: dict[ModelCost, str] = {
    "parameters": "parameters",
    "multiply_adds": "multiply-adds per row",
    "latency_ms_1": "milliseconds per batch of 1",
    "latency_ms_4096": "milliseconds per batch of 4096",
}


class CostPoint(NamedTuple):
    """A strategy's mean cost and mean test AUC; `on_front`: no other is at least as good in both and better in one."""

    strategy: str
    cost: float
    test_auc: float
    on_front: bool


class QualityAgainstCost(NamedTuple):
    """The strategies by test AUC and one cost of their models, and the part of the AUC axis to show."""

    cost: ModelCost
    points: tuple[CostPoint, ...]
    view: View

    @property
    def front(self) -> tuple[CostPoint, ...]:
        """The Pareto front, cheapest first."""
        return tuple(sorted((p for p in self.points if p.on_front), key=lambda p: (p.cost, p.test_auc)))

    @property
    def title(self) -> str:
        """The cost in words."""
        return _TITLES[self.cost]

    @property
    def front_words(self) -> str:
        """A sentence with the strategies of the front and their costs, cheapest first."""
        number = milliseconds if self.cost.startswith("latency") else count
        names = ", ".join(f"{p.strategy} ({number(p.cost)})" for p in self.front)
        return f"Front by {self.title}: {names}."


def quality_by_cost(summaries: Sequence[StrategySummary]) -> list[QualityAgainstCost]:
    """For every cost that is known of any strategy."""
    found = {cost: tuple(cost_points(summaries, cost)) for cost in MODEL_COSTS}
    return [QualityAgainstCost(cost, points, _view(points)) for cost, points in found.items() if points]


def _view(points: Sequence[CostPoint]) -> View:
    """The AUCs to show, with a margin; strategies far below the others lie outside."""
    low, high = upper_part([p.test_auc for p in points])
    margin = max(0.1 * (high - low), 1e-3)
    return low - margin, high + margin


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of the points (cost, quality) lie on the Pareto front: low cost, high quality; equal points both do."""
    return [
        not any(c <= cost and q >= quality and (c < cost or q > quality) for c, q in points) for cost, quality in points
    ]


def cost_points(summaries: Sequence[StrategySummary], cost: ModelCost) -> list[CostPoint]:
    """The strategies whose cost and test AUC are known, in the order of `summaries`."""
    known = []
    for summary in summaries:
        spread = summary.parameters if cost == "parameters" else summary.cost.get(cost)
        if spread is not None and math.isfinite(spread.mean) and math.isfinite(summary.test_auc.mean):
            known.append((summary.strategy, spread.mean, summary.test_auc.mean))
    flags = front([(c, q) for _, c, q in known])
    return [CostPoint(name, c, q, flag) for (name, c, q), flag in zip(known, flags, strict=True)]
