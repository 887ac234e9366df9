"""The set of interaction designs that a search may propose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nas_fusion.errors import DesignError, OptionError
from nas_fusion.nn import Fields
from nas_fusion.search_spaces.block_lists import weight_limit, widths_for
from nas_fusion.search_spaces.interaction.interaction_design import KINDS, WIDE_KINDS, Block, InteractionDesign
from nas_fusion.search_spaces.interaction.interaction_network import weights_of

DEFAULT_BLOCKS = 7
"""Of the published search."""


@dataclass(frozen=True)
class InteractionSpace:
    """All legal designs of at most `blocks` blocks whose model is not too large.

    Args:
        fields: of the data.
        widths: that an ``mlp`` or a ``hadamard`` may have.
        blocks: the most blocks.

    Raises:
        OptionError: an argument is out of its range.
    """

    fields: Fields
    widths: tuple[int, ...]
    blocks: int = DEFAULT_BLOCKS

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise OptionError("blocks", "a positive integer", self.blocks)
        if not self.widths or len(set(self.widths)) < len(self.widths) or min(self.widths) < 1:
            raise OptionError("widths", "different positive integers", self.widths)

    @classmethod
    def for_budget(cls, fields: Fields, samples: int | None, blocks: int = DEFAULT_BLOCKS) -> InteractionSpace:
        """The space with the widths that a budget in samples can train."""
        return cls(fields, widths_for(samples), blocks)

    @property
    def weight_limit(self) -> int:
        """The most weights after the embedding."""
        return weight_limit(self.fields)

    @property
    def size(self) -> int:
        """Number of legal designs, too large ones included: ``Σ_n Π_{i=1..n} (2^i - 1) · (2 · widths + 2)``."""
        kinds = len(WIDE_KINDS) * len(self.widths) + len(KINDS) - len(WIDE_KINDS)
        return sum(prod((2**i - 1) * kinds for i in range(1, n + 1)) for n in range(1, self.blocks + 1))

    def weights(self, design: InteractionDesign) -> int:
        """Number of weights after the embedding: what the search calls complexity."""
        return weights_of(self.fields, design)

    def problem(self, design: InteractionDesign) -> str | None:
        """Why `design` does not belong to the space, or None."""
        problem = design.problem()
        if problem:
            return problem
        if len(design.blocks) > self.blocks:
            return f"it has {len(design.blocks)} blocks, the space has at most {self.blocks}"
        for block in design.blocks:
            if block.width and block.width not in self.widths:
                return f"a width must be one of {', '.join(map(str, self.widths))}, got {block.width}"
        weights = self.weights(design)
        return f"it has {weights} weights, the limit is {self.weight_limit}" if weights > self.weight_limit else None

    def check(self, design: InteractionDesign) -> InteractionDesign:
        """Return `design` if it belongs to the space.

        Raises:
            DesignError: it does not, saying why.
        """
        problem = self.problem(design)
        if problem:
            raise DesignError(f"not a design of this space: {problem}")
        return design

    def sample(self, rng: np.random.Generator | int) -> InteractionDesign:
        """Draw a design: number of blocks, kinds and widths uniformly, each connection with probability a half."""
        rng = np.random.default_rng(rng)
        while True:
            count = int(rng.integers(1, self.blocks + 1))
            design = InteractionDesign(tuple(self._block(number, rng) for number in range(1, count + 1)))
            if self.problem(design) is None:
                return design

    def mutate(self, design: InteractionDesign, rng: np.random.Generator | int) -> InteractionDesign:
        """Another design of the space, one change away: a kind, a width, a connection, a block more or less."""
        rng = np.random.default_rng(rng)
        self.check(design)
        changes: tuple[Callable[[InteractionDesign, np.random.Generator], InteractionDesign], ...] = (
            self._other_kind, self._other_width, _other_connection, self._one_more, _one_less,
        )  # fmt: skip
        while True:
            # A change may end outside the space; drawing again costs nothing compared with a training.
            mutated = changes[rng.integers(len(changes))](design, rng)
            if mutated != design and self.problem(mutated) is None:
                return mutated

    def _block(self, number: int, rng: np.random.Generator) -> Block:
        inputs: tuple[int, ...] = ()
        while not inputs:
            inputs = tuple(int(i) for i in np.flatnonzero(rng.integers(0, 2, number)))
        return self._with_kind(Block("fm", inputs), KINDS[rng.integers(len(KINDS))], rng)

    def _with_kind(self, block: Block, kind: str, rng: np.random.Generator) -> Block:
        width = self.widths[rng.integers(len(self.widths))] if kind in WIDE_KINDS else 0
        return replace(block, kind=kind, width=width)

    def _other_kind(self, design: InteractionDesign, rng: np.random.Generator) -> InteractionDesign:
        place = int(rng.integers(len(design.blocks)))
        block = design.blocks[place]
        kinds = [kind for kind in KINDS if kind != block.kind]
        return _with(design, place, self._with_kind(block, kinds[rng.integers(len(kinds))], rng))

    def _other_width(self, design: InteractionDesign, rng: np.random.Generator) -> InteractionDesign:
        place = int(rng.integers(len(design.blocks)))
        return _with(design, place, self._with_kind(design.blocks[place], design.blocks[place].kind, rng))

    def _one_more(self, design: InteractionDesign, rng: np.random.Generator) -> InteractionDesign:
        return InteractionDesign((*design.blocks, self._block(len(design.blocks) + 1, rng)))


def _with(design: InteractionDesign, place: int, block: Block) -> InteractionDesign:
    return InteractionDesign((*design.blocks[:place], block, *design.blocks[place + 1 :]))


def _other_connection(design: InteractionDesign, rng: np.random.Generator) -> InteractionDesign:
    place = int(rng.integers(len(design.blocks)))
    # Opens a connection that is closed, and closes one that is open.
    inputs = set(design.blocks[place].inputs) ^ {int(rng.integers(place + 1))}
    return _with(design, place, replace(design.blocks[place], inputs=tuple(sorted(inputs))))


def _one_less(design: InteractionDesign, rng: np.random.Generator) -> InteractionDesign:
    """Take out a block; those that took it take its inputs instead."""
    gone = int(rng.integers(len(design.blocks))) + 1
    inherited = set(design.blocks[gone - 1].inputs)
    blocks = []
    for number, block in enumerate(design.blocks, 1):
        if number == gone:
            continue
        inputs = set(block.inputs)
        # What it saw still reaches those after it, so the design stays connected.
        inputs = inputs - {gone} | inherited if gone in inputs else inputs
        blocks.append(replace(block, inputs=tuple(sorted(i - (i > gone) for i in inputs))))
    return InteractionDesign(tuple(blocks))
