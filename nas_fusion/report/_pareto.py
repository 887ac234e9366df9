"""Quality against the cost of the model, and which strategies nobody beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from nas_fusion.report._summary import StrategySummary

ModelCost = Literal["parameters", "multiply_adds", "latency_ms_1", "latency_ms_4096"]
MODEL_COSTS: tuple[ModelCost, ...] = ("parameters", "multiply_adds", "latency_ms_1", "latency_ms_4096")


class CostPoint(NamedTuple):
    """A strategy's mean cost and mean test AUC; `on_front`: no other is at least as good in both and better in one."""

    strategy: str
    cost: float
    test_auc: float
    on_front: bool


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
