"""What the spaces have in common whose designs are a list of blocks, each with a width of its own."""

from __future__ import annotations

from typing import Any

from nas_fusion.architecture import Architecture
from nas_fusion.errors import DesignError
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


def blocks_of(architecture: Architecture, model: str) -> list[Any]:
    """The list ``blocks`` that is all the settings of an architecture of the family `model`.

    Raises:
        DesignError: it is of another family, or has other settings.
    """
    if architecture.model != model:
        raise DesignError(f"an architecture of {model} is needed, got one of {architecture.model}")
    settings = architecture.settings
    blocks = settings.get("blocks")
    if set(settings) != {"blocks"} or not isinstance(blocks, list):
        raise DesignError(f"the settings of {model} must be a list 'blocks', got {', '.join(settings) or 'nothing'}")
    return blocks


def widths_for(samples: int | None) -> tuple[int, ...]:
    """The widths to choose from under a budget in samples, smallest first; None: nobody knows how many they are."""
    widest = LARGEST_WIDEST if samples is not None else UNKNOWN_WIDEST
    while widest > SMALLEST_WIDEST and samples is not None and widest**2 * SAMPLES_PER_WEIGHT > samples:
        widest //= 2
    return tuple(widest >> halvings for halvings in reversed(range(WIDTHS)))


def weight_limit(fields: Fields) -> int:
    """The most weights that a model may have after its embeddings."""
    width, tower = fields.width, 0
    # Weights and biases, layer by layer, the logit's last.
    for after in (*TOWER, 1):
        tower += width * after + after
        width = after
    return LIMIT_FACTOR * tower
