"""The set of paths that a supernet of choice blocks holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb, prod
from typing import Any

import numpy as np

from nas_fusion.errors import DesignError, OptionError
from nas_fusion.nn import Fields
from nas_fusion.search_spaces.block_lists import weight_limit, widths_for
from nas_fusion.search_spaces.nasrec.nasrec_design import (
    DENSE_OPERATORS,
    MOST_INPUTS,
    SPARSE_OPERATORS,
    BlockChoice,
    NasRecDesign,
)
from nas_fusion.search_spaces.nasrec.nasrec_network import weights_of

DEFAULT_BLOCKS = 7
"""Of the published supernet."""

VECTORS = (4, 8, 16, 32)
"""Numbers of vectors to choose from; published are 16, 32, 48 and 64."""


@dataclass(frozen=True)
class NasRecSpace:
    """All paths through a number of choice blocks whose model is not too large.

    Args:
        fields: of the data.
        widths: of dense outputs, to choose from.
        vectors: numbers of vectors of sparse outputs, to choose from.
        blocks: number of choice blocks.

    Raises:
        OptionError: an argument is out of its range.
    """

    fields: Fields
    widths: tuple[int, ...]
    vectors: tuple[int, ...] = VECTORS
    blocks: int = DEFAULT_BLOCKS

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise OptionError("blocks", "a positive integer", self.blocks)
        for name in ("widths", "vectors"):
            sizes = getattr(self, name)
            if not sizes or len(set(sizes)) < len(sizes) or min(sizes) < 1:
                raise OptionError(name, "different positive integers", sizes)

    @classmethod
    def for_budget(cls, fields: Fields, samples: int | None, blocks: int = DEFAULT_BLOCKS) -> NasRecSpace:
        """The space with the widths that a budget in samples can train."""
        return cls(fields, widths_for(samples), blocks=blocks)

    @property
    def weight_limit(self) -> int:
        """The most weights after the embedding."""
        return weight_limit(self.fields)

    @property
    def size(self) -> int:
        """Number of paths, too large ones included: ``Π_i 3 · 2 · 4 · widths · vectors · c_i²``.

        ``c_i = Σ_{k=1..min(i, 4)} C(i, k)`` sets of connections go into block i, dense ones and sparse ones.
        """
        choices = len(DENSE_OPERATORS) * len(SPARSE_OPERATORS) * 4 * len(self.widths) * len(self.vectors)
        inputs = [sum(comb(i, k) for k in range(1, min(i, MOST_INPUTS) + 1)) for i in range(1, self.blocks + 1)]
        return prod(choices * count**2 for count in inputs)

    def weights(self, design: NasRecDesign) -> int:
        """Number of weights after the embedding of the path's own model."""
        return weights_of(self.fields, design)

    def problem(self, design: NasRecDesign) -> str | None:
        """Why `design` does not belong to the space, or None."""
        problem = design.problem()
        if problem:
            return problem
        if len(design.blocks) != self.blocks:
            return f"it has {len(design.blocks)} blocks, the space has {self.blocks}"
        for block in design.blocks:
            for name, given, known in (("width", block.width, self.widths), ("vectors", block.vectors, self.vectors)):
                if given not in known:
                    return f"{name} must be one of {', '.join(map(str, known))}, got {given}"
        weights = self.weights(design)
        return f"it has {weights} weights, the limit is {self.weight_limit}" if weights > self.weight_limit else None

    def check(self, design: NasRecDesign) -> NasRecDesign:
        """Return `design` if it belongs to the space.

        Raises:
            DesignError: it does not, saying why.
        """
        problem = self.problem(design)
        if problem:
            raise DesignError(f"not a path of this space: {problem}")
        return design

    def sample(self, rng: np.random.Generator | int) -> NasRecDesign:
        """Draw a path: every choice uniformly, connections by their number first (as published)."""
        rng = np.random.default_rng(rng)
        while True:
            design = NasRecDesign(tuple(self._choice(number, rng) for number in range(1, self.blocks + 1)))
            if self.problem(design) is None:
                return design

    def mutate(self, design: NasRecDesign, rng: np.random.Generator | int) -> NasRecDesign:
        """Another path of the space, in which one choice of one block was drawn anew."""
        rng = np.random.default_rng(rng)
        self.check(design)
        while True:
            place = int(rng.integers(self.blocks))
            drawn = self._choice(place + 1, rng)
            name = _NAMES[rng.integers(len(_NAMES))]
            changes: dict[str, Any] = {name: getattr(drawn, name)}
            block = replace(design.blocks[place], **changes)
            mutated = NasRecDesign((*design.blocks[:place], block, *design.blocks[place + 1 :]))
            if mutated != design and self.problem(mutated) is None:
                return mutated

    def _choice(self, number: int, rng: np.random.Generator) -> BlockChoice:
        return BlockChoice(
            dense=DENSE_OPERATORS[rng.integers(len(DENSE_OPERATORS))],
            width=self.widths[rng.integers(len(self.widths))],
            dense_inputs=_inputs(number, rng),
            sparse=SPARSE_OPERATORS[rng.integers(len(SPARSE_OPERATORS))],
            vectors=self.vectors[rng.integers(len(self.vectors))],
            sparse_inputs=_inputs(number, rng),
            merge=bool(rng.integers(2)),
            fm=bool(rng.integers(2)),
        )


_NAMES = ("dense", "width", "dense_inputs", "sparse", "vectors", "sparse_inputs", "merge", "fm")


def _inputs(number: int, rng: np.random.Generator) -> tuple[int, ...]:
    count = 1 + int(rng.integers(min(number, MOST_INPUTS)))
    return tuple(sorted(int(i) for i in rng.choice(number, count, replace=False)))
