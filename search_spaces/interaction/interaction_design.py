"""`InteractionDesign`: blocks of interactions and how they are wired, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas_fusion.architecture import Architecture
from nas_fusion.errors import DesignError
from nas_fusion.search_spaces.block_lists import blocks_of

MODEL = "autoctr"
"""The family's name in an `Architecture`."""

RAW = 0
"""The input that is the raw features; input i > 0 is the output of block i."""

WIDE_KINDS = ("mlp", "hadamard")
"""Kinds that have a width; the width of what the others give follows from their inputs."""

KINDS = ("mlp", "fm", "dot", "hadamard")
"""Kinds of blocks; `nas_fusion.search_spaces.interaction.interaction_blocks` has the formulas."""


@dataclass(frozen=True)
class Block:
    """A block.

    Args:
        kind: one of `KINDS`.
        inputs: what it takes, in ascending order: `RAW`, or numbers of earlier blocks.
        width: of its output, for `WIDE_KINDS`; 0 for the others.
    """

    kind: str
    inputs: tuple[int, ...]
    width: int = 0

    def problem(self, number: int) -> str | None:
        """Why it cannot be block `number`, or None."""
        if self.kind not in KINDS:
            return f"its kind must be one of {', '.join(KINDS)}, got {self.kind!r}"
        if not self.inputs or list(self.inputs) != sorted(set(self.inputs)):
            return f"its inputs must be different numbers in ascending order, at least one, got {list(self.inputs)}"
        if self.inputs[0] < RAW or self.inputs[-1] >= number:
            return f"its inputs must be from 0 to {number - 1}, got {list(self.inputs)}"
        if (self.width < 1) if self.kind in WIDE_KINDS else self.width:
            expected = "positive" if self.kind in WIDE_KINDS else "0"
            return f"the width of {self.kind} must be {expected}, got {self.width}"
        return None

    def __str__(self) -> str:
        inputs = ", ".join("raw" if i == RAW else str(i) for i in self.inputs)
        return f"{self.kind}{f' {self.width}' if self.width else ''} ({inputs})"


@dataclass(frozen=True)
class InteractionDesign:
    """Blocks in the order of the computation; those that no other takes feed the head.

    Args:
        blocks: numbered from 1.
    """

    blocks: tuple[Block, ...]

    @property
    def leaves(self) -> tuple[int, ...]:
        """The numbers of the blocks that no other takes."""
        taken = {i for block in self.blocks for i in block.inputs}
        return tuple(number for number in range(1, len(self.blocks) + 1) if number not in taken)

    def problem(self) -> str | None:
        """Why it is not legal, or None.

        In a legal design every block sees the features: each has an input, and the first can only take them raw.
        """
        if not self.blocks:
            return "it has no blocks"
        for number, block in enumerate(self.blocks, 1):
            problem = block.problem(number)
            if problem:
                return f"block {number}: {problem}"
        return None

    def check(self) -> InteractionDesign:
        """Return the design if it is legal.

        Raises:
            DesignError: it is not, saying why.
        """
        problem = self.problem()
        if problem:
            raise DesignError(f"not a design of interactions: {problem}")
        return self

    def __str__(self) -> str:
        blocks = "; ".join(f"{number} {block}" for number, block in enumerate(self.blocks, 1))
        return f"{blocks}; head ({', '.join(map(str, self.leaves))})"

    def to_architecture(self) -> Architecture:
        """The design as plain values."""
        blocks = [{"kind": b.kind, "inputs": list(b.inputs), "width": b.width} for b in self.blocks]
        return Architecture.build(MODEL, {"blocks": blocks}, str(self))

    @classmethod
    def from_architecture(cls, architecture: Architecture) -> InteractionDesign:
        """Read what `to_architecture` gave.

        Raises:
            DesignError: it is of another family, has another form, or is not legal.
        """
        blocks = blocks_of(architecture, MODEL)
        return cls(tuple(_block(number, content) for number, content in enumerate(blocks, 1))).check()


def _block(number: int, content: Any) -> Block:
    if not isinstance(content, Mapping) or set(content) != {"kind", "inputs", "width"}:
        raise DesignError(f"block {number} of {MODEL} must have kind, inputs and width, got {content!r}")
    kind, inputs, width = content["kind"], content["inputs"], content["width"]
    if not isinstance(kind, str) or not isinstance(inputs, list) or not all(map(_is_integer, [*inputs, width])):
        raise DesignError(f"block {number} of {MODEL}: kind is text, inputs and width are integers, got {content!r}")
    return Block(kind, tuple(inputs), width)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
