"""OptFusion's entries in the registry of strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution

from nas_fusion.optfusion._node import Searched
from nas_fusion.optfusion.strategy import DEFAULT_ARCH_LEARNING_RATE, OptFusion
from nas_fusion.strategy import BuildContext, StrategyEntry

PUBLISHED_PATIENCE = 1
"""The search stops after one epoch without a better validation AUC."""

_PARAMETERS = {"arch_learning_rate": DEFAULT_ARCH_LEARNING_RATE, "gate_start": 0.5}


def _distributions() -> Mapping[str, BaseDistribution]:
    return {
        "arch_learning_rate": FloatDistribution(1e-3, 0.3, log=True),
        "gate_start": FloatDistribution(0.05, 1.0, log=True),
    }


def _build(search: Searched) -> Callable[..., OptFusion]:
    def build(context: BuildContext, **parameters: Any) -> OptFusion:
        clip = context.config.gradient_clip
        limits = context.designs.limits
        penalty = {} if limits is None else {"cost_penalty": limits.cost_penalty}
        operation = context.designs.operations[0]
        return OptFusion(search=search, operation=operation, gradient_clip=clip, **penalty, **parameters)

    return build


def _entry(name: str, summary: str, search: Searched = "both", **options: Any) -> StrategyEntry:
    return StrategyEntry(
        name=name,
        kind="one-shot",
        summary=summary,
        build=_build(search),
        parameters=_PARAMETERS,
        distributions=_distributions,
        keep_best_epoch=True,
        patience=PUBLISHED_PATIENCE,
        **options,
    )


HARD, SOFT = "optfusion-hard", "optfusion-soft"

ENTRIES = (
    _entry(HARD, "OptFusion; the design with the best operation per block, re-trained from scratch"),
    _entry(
        SOFT,
        "OptFusion; the frozen mixture of operations, re-trained from the supernet's weights",
        mode="soft",
        shares_search_with=HARD,
    ),
    _entry(
        "optfusion-connections",
        "ablation of OptFusion: learns connections only, every block merges by the space's first operation",
        "connections",
        in_all=False,
    ),
    _entry(
        "optfusion-operations",
        "ablation of OptFusion: learns operations only, every connection is open",
        "operations",
        in_all=False,
    ),
)
