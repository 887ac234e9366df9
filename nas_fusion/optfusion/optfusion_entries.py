"""OptFusion's entries in the registry of strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nas_fusion.bounds import LEARNING_RATE, MEASURED, SHARE, Bound
from nas_fusion.optfusion.gate_learning import BOUNDS, PRICED_BY, GateLearning
from nas_fusion.optfusion.optfusion_node import Searched
from nas_fusion.optfusion.optfusion_strategy import DEFAULT_ARCH_LEARNING_RATE, OptFusion, soft_model
from nas_fusion.strategy import BuildContext, StrategyEntry

PUBLISHED_PATIENCE = 1
"""The search stops after one epoch without a better validation AUC; any gain counts."""

_BOUNDS = {"arch_learning_rate": LEARNING_RATE, "gate_start": Bound(0, 1000, integer=False, above=True)}
_PARAMETERS = {"arch_learning_rate": DEFAULT_ARCH_LEARNING_RATE, "gate_start": 0.5}

MEASURED_DESIGNS = 24
"""The derived design, another operation in each of seven blocks, the eight least sure connections, and half of that
again where one of them is better and has neighbours of its own."""

OPERATIONS = ("add", "residual-product", "concat", "attention")
"""The published ones, but for the product, which may never learn when a design is trained from scratch."""


def _distributions() -> Mapping[str, BaseDistribution]:
    return {
        "arch_learning_rate": FloatDistribution(1e-3, 0.3, log=True),
        "gate_start": FloatDistribution(0.05, 1.0, log=True),
    }


def _measured(default: int) -> BaseDistribution:
    # What is published measures nothing, and no tuning changes that.
    return IntDistribution(default // 3, 3 * default, log=default > 0)


def _build(search: Searched) -> Callable[..., OptFusion]:
    def build(context: BuildContext, **parameters: Any) -> OptFusion:
        return OptFusion(search=search, **_from_context(context), **parameters)

    return build


def _from_context(context: BuildContext) -> dict[str, Any]:
    limits = context.designs.limits
    return {
        "operation": context.designs.operations[0],
        "gradient_clip": context.config.gradient_clip,
        # The user's weight of the penalty comes with the limits; without any the penalty is never asked for.
        **({} if limits is None else {"cost_penalty": limits.cost_penalty}),
    }


def _entry(name: str, summary: str, search: Searched = "both", *, measured: int = 0, **options: Any) -> StrategyEntry:
    return StrategyEntry(
        name=name,
        kind="one-shot",
        summary=summary,
        build=_build(search),
        parameters={**_PARAMETERS, "measured_designs": measured},
        bounds={**_BOUNDS, "measured_designs": MEASURED},
        distributions=lambda: {**_distributions(), "measured_designs": _measured(measured)},
        keep_best_epoch=True,
        patience=PUBLISHED_PATIENCE,
        **options,
    )


SUPERNET_SHARE = 0.2
"""The refined variant trains its supernet on at most this share of the budget; its candidates share the rest."""

WARM_UP = 0.25
"""The refined variant trains the weights alone on this share of the supernet's samples."""


REFINED_CANDIDATES = 4
"""Few, so that each is trained long enough: on frappe the AUC after a few epochs does not rank designs."""


def _refined(
    context: BuildContext, supernet_share: float, warm_up: float, candidates: int, proposed_share: float, **own: Any
) -> OptFusion:
    # Of a budget in seconds nobody knows beforehand how many samples it is: then there is no warm-up.
    samples = round(supernet_share * (context.samples or 0))
    return OptFusion(
        # With "zero" one closed gate makes a block's product zero, and nothing but that gate learns from it.
        product="open",
        mixture_start="uniform",
        warm_up=round(warm_up * samples),
        training_share=supernet_share,
        refinement=candidates,
        proposed_share=proposed_share,
        **_from_context(context),
        **own,
    )


LEARNING = GateLearning()
"""Of the recommended entry."""


def _learning_distributions() -> Mapping[str, BaseDistribution]:
    return {
        "pressure": FloatDistribution(0.0, 0.005),
        "pressure_rise": FloatDistribution(1.0, 1000.0, log=True),
        "priced_by": CategoricalDistribution(PRICED_BY),
        "held_out": FloatDistribution(0.0, 0.5),
        "gate_noise": FloatDistribution(0.0, 1.0),
        "gate_travel": FloatDistribution(0.0, 30.0),
        "late_start": FloatDistribution(0.0, 0.8),
        "waits": CategoricalDistribution((False, True)),
        "sparsest_epoch": CategoricalDistribution((False, True)),
        "measured_closings": IntDistribution(0, 80),
    }


def _learnt_rate(context: BuildContext, learning: GateLearning, arch_learning_rate: float, gate_start: float) -> float:
    """The rate of α and β that `GateLearning.gate_travel` asks for; as given without it, or by a budget in seconds."""
    if not learning.gate_travel or context.samples is None:
        return arch_learning_rate
    return learning.gate_travel * gate_start * context.config.batch_size / context.samples


def _recommended(
    context: BuildContext, arch_learning_rate: float, gate_start: float, measured_designs: int, **learning: Any
) -> OptFusion:
    rules = GateLearning(**learning)
    return OptFusion(
        arch_learning_rate=_learnt_rate(context, rules, arch_learning_rate, gate_start),
        gate_start=gate_start,
        measured_designs=measured_designs,
        learning=rules,
        **_from_context(context),
    )


RECOMMENDED, HARD, SOFT = "optfusion", "optfusion-hard", "optfusion-soft"

ENTRIES = (
    StrategyEntry(
        name=RECOMMENDED,
        kind="one-shot",
        summary="OptFusion with a residual product, whose design is chosen among its neighbours by measurement",
        build=_recommended,
        parameters={**_PARAMETERS, "measured_designs": MEASURED_DESIGNS, **asdict(LEARNING)},
        bounds={**_BOUNDS, "measured_designs": MEASURED, **BOUNDS},
        distributions=lambda: {
            **_distributions(),
            **_learning_distributions(),
            "measured_designs": _measured(MEASURED_DESIGNS),
        },
        keep_best_epoch=True,
        patience=PUBLISHED_PATIENCE,
        operations=OPERATIONS,
    ),
    _entry(HARD, "OptFusion; the design with the best operation per block, re-trained from scratch"),
    _entry(
        SOFT,
        "OptFusion; the frozen mixture of operations, re-trained from the supernet's weights",
        mode="soft",
        make_soft_model=soft_model,
        shares_search_with=HARD,
    ),
    StrategyEntry(
        name="optfusion-refined",
        kind="one-shot",
        summary="OptFusion, then candidates that its gates and mixtures propose, and changes of the best one",
        build=_refined,
        parameters={
            **_PARAMETERS,
            "supernet_share": SUPERNET_SHARE,
            "warm_up": WARM_UP,
            "candidates": REFINED_CANDIDATES,
            "proposed_share": 0.5,
        },
        bounds={
            **_BOUNDS,
            "supernet_share": Bound(0, 1, integer=False, above=True),
            "warm_up": SHARE,
            "candidates": Bound(0, 10_000),
            "proposed_share": SHARE,
        },
        distributions=lambda: {
            **_distributions(),
            "supernet_share": FloatDistribution(0.05, 0.6),
            "warm_up": FloatDistribution(0.0, 0.6),
            "candidates": IntDistribution(2, 20, log=True),
            "proposed_share": FloatDistribution(0.1, 1.0),
        },
        keep_best_epoch=True,
        patience=PUBLISHED_PATIENCE,
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
