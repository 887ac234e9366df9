"""Sizes for the spaces whose blocks have widths of their own: what a budget can train, and what is too large."""

from __future__ import annotations

from nas_fusion.nn import Fields

SAMPLES_PER_WEIGHT = 2
"""A square layer of the largest width has at most one weight for this many samples of the search's budget."""

SMALLEST_WIDEST, LARGEST_WIDEST = 64, 512
"""Bounds of the largest width: 64 … 512 is what the space offers to a large budget."""

UNKNOWN_WIDEST = 256
"""The largest width under a budget in seconds."""

WIDTHS = 4
"""How many widths there are to choose from, each half of the one before it."""

TOWER = (400, 400, 400)
"""The dense tower of the hand-made models (`nas_fusion.baselines.models.ModelShape`)."""

LIMIT_FACTOR = 4
"""A model of these spaces has at most so many times the weights of a hand-made one, embeddings aside."""


def widths_for(samples: int | None) -> tuple[int, ...]:
    """The widths to choose from under a budget in samples, smallest first; None: nobody knows how many they are."""
    widest = LARGEST_WIDEST if samples is not None else UNKNOWN_WIDEST
    while widest > SMALLEST_WIDEST and samples is not None and widest**2 * SAMPLES_PER_WEIGHT > samples:
        widest //= 2
    return tuple(widest >> halvings for halvings in reversed(range(WIDTHS)))


def weight_limit(fields: Fields) -> int:
    """The most weights that a model may have behind its embeddings."""
    width, tower = len(fields.sizes) * fields.emb_dim, 0
    for after in (*TOWER, 1):
        tower += width * after + after
        width = after
    return LIMIT_FACTOR * tower
