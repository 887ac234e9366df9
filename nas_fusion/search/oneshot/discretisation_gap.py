"""The discretisation gap: what is lost when a supernet becomes a design, before anything is re-trained."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from nas_fusion.architecture import Architecture, Found
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import Strategy
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy.abilities import RanksDesigns
from nas_fusion.training import EpochRecord, evaluate_auc, seeded


def measure_derived(
    outcome: SearchOutcome, strategy: Strategy, final: EpochRecord | None, task: SearchTask
) -> SearchOutcome:
    """Add `supernet_valid_auc` and `derived_valid_auc` to a search's details.

    The first is the supernet's in the state that the design was derived from; the second the design's with the
    supernet's own weights. A strategy that ranked its designs has measured the second one itself, and its supernet,
    trained on random paths, has no AUC of its own. Validation rows only, after the search: nothing is chosen by it.

    Args:
        outcome: of the search.
        strategy: one-shot, that ran.
        final: the validation of the supernet as it is now.
        task: of the search.
    """
    ranking = strategy.ranking if isinstance(strategy, RanksDesigns) else ()
    ranked = [r.valid_auc for r in ranking if r.design == outcome.design]
    if ranked:
        return replace(outcome, details={**outcome.details, "derived_valid_auc": ranked[0]})
    start = task.watch.now()
    derived = derived_valid_auc(strategy.supernet, outcome.design, task)
    if derived is None:
        return outcome
    supernet = {} if final is None else {"supernet_valid_auc": final.valid_auc}
    return replace(
        outcome,
        details={**outcome.details, **supernet, "derived_valid_auc": derived},
        measure_samples=outcome.measure_samples + len(task.data.valid),
        measure_seconds=outcome.measure_seconds + task.watch.now() - start,
    )


def derived_valid_auc(supernet: nn.Module, design: Found, task: SearchTask) -> float | None:
    """Validation AUC of a design with a supernet's weights.

    None where the supernet has no weights for single designs, or where these give predictions that are not finite.
    """
    if not isinstance(supernet, FusionSpace) or isinstance(design, Architecture):
        return None
    with seeded(task.seed):
        model = supernet.derive(design, weights=True)
    try:
        return evaluate_auc(model, task.data.valid, task.config)
    except TrainingError:
        return None
