"""How many candidates the strategies' parts get under a budget, and what such numbers may be."""

from __future__ import annotations

from nas_fusion.bounds import Bound
from nas_fusion.strategy import BuildContext

RANKING_SHARE = 0.5
"""Random one-shot and NASRec spend at most this share of their budgets on ranking designs."""

POPULATION, TOURNAMENT = Bound(1, 100_000), Bound(0, 1, integer=False, above=True)
"""Members of a population, or designs that are ranked; the share of a population that a parent is chosen from."""

BLOCKS = Bound(1, 64)
"""Blocks of an architecture, in the spaces whose designs are lists of blocks."""


def population_for(wanted: int, candidates: int) -> int:
    """Few candidates still have to leave some for mutation: at most half of them are the first population."""
    return max(1, min(wanted, candidates // 2))


def ranked_and_training(context: BuildContext, designs: int) -> tuple[int, int | None]:
    """How many designs to rank, and the samples that are left for training the supernet (None: a budget in seconds)."""
    if context.samples is None:  # the training is stopped so early that the ranking has time
        return designs, None
    affordable = int(RANKING_SHARE * context.samples / context.valid_rows)
    ranked = max(1, min(designs, affordable))
    return ranked, max(1, context.samples - ranked * context.valid_rows)
