"""The discretisation gap: what is lost when a supernet becomes a design, before anything is re-trained."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import NamedTuple

from torch import nn

from nas_fusion.architecture import Architecture, Found
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import Strategy
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.statistics import loss_margin
from nas_fusion.strategy.abilities import RanksDesigns
from nas_fusion.training import EpochRecord, Predictions, predict_logits, seeded
from nas_fusion.training.quality import FloatArray, auc

FAR_BELOW = "far_below_supernet"
"""In a search's details, where its derived design is far below its supernet: by more than this."""

DERIVED = "derived_valid_auc"
"""There, too: the validation AUC of the derived design with the supernet's weights, where it was measured."""

logger = logging.getLogger("nas_fusion")


def is_far_below(supernet_auc: float | None, derived_auc: float, task: SearchTask) -> bool:
    """Whether a design has lost more of its supernet's validation AUC than chance and sound deriving explain."""
    return supernet_auc is not None and supernet_auc - derived_auc > _margin(supernet_auc, task)


def _margin(supernet_auc: float, task: SearchTask) -> float:
    valid = task.data.valid
    return loss_margin(supernet_auc, valid.positives, len(valid) - valid.positives)


def measure_derived(
    outcome: SearchOutcome,
    strategy: Strategy,
    final: EpochRecord | None,
    task: SearchTask,
    known: float | None = None,
) -> SearchOutcome:
    """Add `supernet_valid_auc` and `derived_valid_auc` to a search's details, and an alarm where one is far below.

    The first is the supernet's in the state that the design was derived from; the second the design's with the
    supernet's own weights. A strategy that ranked its designs has measured the second one itself, and its supernet,
    trained on random paths, has no AUC of its own. Validation rows only, after the search: nothing is chosen by it.

    Args:
        outcome: of the search.
        strategy: one-shot, that ran.
        final: the validation of the supernet as it is now.
        task: of the search.
        known: the design's AUC with the supernet's weights, where it was measured already.
    """
    ranking = strategy.ranking if isinstance(strategy, RanksDesigns) else ()
    ranked = [r.valid_auc for r in ranking if r.design == outcome.design]
    if ranked:
        return replace(outcome, details={**outcome.details, DERIVED: ranked[0]})
    if known is None:
        start = task.watch.now()
        figures = derived_figures(strategy.supernet, outcome.design, task)
        if figures is None:
            return outcome
        known = figures.valid_auc
        outcome = replace(
            outcome,
            measure_samples=outcome.measure_samples + len(task.data.valid),
            measure_seconds=outcome.measure_seconds + task.watch.now() - start,
        )
    supernet = {} if final is None else {"supernet_valid_auc": final.valid_auc}
    word = {} if final is None else _word(final.valid_auc, known, task)
    return replace(outcome, details={**outcome.details, **supernet, DERIVED: known, **word})


def _word(supernet_auc: float, derived_auc: float, task: SearchTask) -> dict[str, float]:
    """The alarm, for the details and the log; empty where there is none."""
    if not is_far_below(supernet_auc, derived_auc, task):
        return {}
    margin = _margin(supernet_auc, task)
    logger.warning(
        "%s: the supernet has a validation AUC of %.4f, the design derived from it %.4f with the same weights; that is "
        "far below it (by more than %.4f)",
        task.label, supernet_auc, derived_auc, margin,
    )  # fmt: skip
    return {FAR_BELOW: margin}


class DerivedFigures(NamedTuple):
    """A design with a supernet's weights on the validation rows: its AUC, and its logits ``[rows]``, if at hand."""

    valid_auc: float
    valid_logits: FloatArray | None = None


def derived_figures(supernet: nn.Module, design: Found, task: SearchTask) -> DerivedFigures | None:
    """What a design is worth with a supernet's weights.

    None where the supernet has no weights for single designs, or where these give predictions that are not finite.
    """
    if not isinstance(supernet, FusionSpace) or isinstance(design, Architecture):
        return None
    with seeded(task.seed):
        model = supernet.derive(design, weights=True)
    logits = predict_logits(model, task.data.valid, task.config)
    valid = task.data.valid
    try:
        return DerivedFigures(auc(Predictions.of(logits, valid.labels, valid.weights, valid.groups)), logits)
    except TrainingError:
        return None
