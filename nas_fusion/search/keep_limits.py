"""Holding what was found against the limits: exactly, or by the clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.measures import Limit, Limits
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search_spaces import Scores, make_affordable
from nas_fusion.strategy import Mode

logger = logging.getLogger("nas_fusion")

LATENCY = "max-latency"
"""The option whose limit is held against the clock."""

MAX_DERIVATIONS = 6
"""How often a design is derived because the one before was too slow; estimates are raised every time."""

_A_LITTLE = 1.02
"""Estimates are raised to what was measured and by this factor, so that every derivation gets on."""

SPARE = 0.05
"""A design must be measured by this share below a limit on latency: it will be measured again, never twice alike."""

DesignClock = Callable[[FusionDesign], float]
"""Measures milliseconds per batch of the model of a design."""


@dataclass(frozen=True)
class KeptLimits:
    """A search's outcome whose design keeps the limits, and what was measured on the way.

    Args:
        outcome: of the search; its design may be another than the search's own.
        measured_ms: of the design; None without a limit on latency.
        derivations: how often a design was too slow and another was derived.
        limits: which; None without any.
    """

    outcome: SearchOutcome
    measured_ms: float | None = None
    derivations: int = 0
    limits: Limits | None = None

    def details(self, costs: Mapping[str, float | None]) -> dict[str, Any]:
        """What a cell's record says, by option: the limit, what the model costs, and whether it keeps the limit.

        Args:
            costs: of the re-trained model by option, None where it has none (a boosted tree); latency is that of
                `keep_limits`, where it measured it.
        """
        by_option: dict[str, Any] = {}
        for limit in self.limits.limits if self.limits is not None else ():
            if (cost := costs[limit.option]) is None:
                continue
            if limit.option == LATENCY and self.measured_ms is not None:
                cost, by_option["derived_again"] = self.measured_ms, self.derivations
            by_option[limit.option] = {"limit": limit.most, "cost": cost, "kept": cost <= limit.most}
        return by_option


def keep_limits(
    outcome: SearchOutcome, limits: Limits, clock: DesignClock, *, mode: Mode = "hard", label: str = ""
) -> KeptLimits:
    """Make sure that the design of a search keeps its limits once it is re-trained.

    Numbers of weights and multiply-adds are exact, so a design that was searched hard keeps them already; a soft
    re-training costs more, so the design may have to lose connections. Latency is an estimate: the design is measured,
    and where it is not below the limit by `SPARE` the estimates are raised by what they were wrong and the next best
    design that keeps the limits is taken, or one is derived again from the scores of the search, at most
    `MAX_DERIVATIONS` times. The cheapest design, in the end, needs no spare.

    Args:
        outcome: of a search over the fusion space.
        limits: of the space.
        clock: measures designs; asked only where there is a limit on latency.
        mode: of the re-training.
        label: of the search, for messages.

    Raises:
        OptionError: the limit on latency cannot be kept; names it and the cheapest design's latency.
    """
    design = outcome.design
    assert isinstance(design, FusionDesign), "limits are those of the fusion space"
    asked = limits
    timed = next((limit for limit in limits.limits if limit.option == LATENCY), None)
    smallest = limits.affordable_design(design.levels, mode)
    design = _affordable(design, outcome, limits, mode)
    if timed is None:
        return KeptLimits(replace(outcome, design=design), limits=asked)
    for derivation in range(MAX_DERIVATIONS + 1):
        measured = clock(design)
        if measured <= (1 - SPARE) * timed.most:
            return KeptLimits(replace(outcome, design=design), measured, derivation, asked)
        # The estimate is raised to what was measured, plus the spare and a little, so that the same design is not
        # derived again.
        raised = _A_LITTLE * max(1.0, measured / (1 - SPARE) / _cost(limits, timed, design, mode))
        limits = limits.tightened(LATENCY, raised)
        if limits.affordable_design(design.levels, mode) is None:
            break
        logger.warning(
            "%s: the design takes %.4g ms, --%s allows %.4g less %.0f %%: deriving again",
            label,
            measured,
            LATENCY,
            timed.most,
            100 * SPARE,
        )
        design = _affordable(design, outcome, limits, mode)
    # The end of the ladder: nothing costs less, so here the clock alone decides.
    cheapest = smallest or timed.table.cheapest(design.levels, mode)
    measured = clock(cheapest)
    if measured <= timed.most:
        logger.warning("%s: only the cheapest design keeps --%s", label, LATENCY)
        return KeptLimits(replace(outcome, design=cheapest), measured, MAX_DERIVATIONS, asked)
    raise OptionError(LATENCY, f"at least {measured:.4g} ms, which the cheapest design takes now", timed.most)


def _cost(limits: Limits, timed: Limit, design: FusionDesign, mode: Mode) -> float:
    estimate = next(limit for limit in limits.limits if limit.option == timed.option).cost(design, mode)
    return max(estimate, 1e-9)


def _affordable(design: FusionDesign, outcome: SearchOutcome, limits: Limits, mode: Mode) -> FusionDesign:
    """The design itself, the best alternative that keeps the limits, or one derived from the design."""
    for known in (design, *outcome.alternatives):
        if not limits.excess(known, mode):
            return known
    return make_affordable(design, outcome.scores or Scores({}, {}), limits, mode)
