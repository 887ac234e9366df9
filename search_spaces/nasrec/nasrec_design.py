"""`NasRecDesign`: what every choice block of a path does, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from nas_fusion.architecture import Architecture
from nas_fusion.errors import DesignError
from nas_fusion.search_spaces.block_lists import blocks_of

MODEL = "nasrec"
"""The family's name in an `Architecture`."""

RAW = 0
"""The input that is the raw features; input i > 0 is choice block i."""

DENSE_OPERATORS = ("linear", "gating", "dot")
SPARSE_OPERATORS = ("linear", "attention")

MOST_INPUTS = 4
"""Connections of either kind into a block (the authors' code)."""


@dataclass(frozen=True)
class BlockChoice:
    """What one choice block does: one dense operator, one sparse operator, and what passes between the two.

    Args:
        dense: operator that gives the dense output, one of `DENSE_OPERATORS`.
        width: of the dense output.
        dense_inputs: whose dense outputs it takes, in ascending order: `RAW`, or numbers of earlier blocks.
        sparse: operator that gives the sparse output, one of `SPARSE_OPERATORS`.
        vectors: number of vectors of the sparse output.
        sparse_inputs: whose sparse outputs it takes, and the dense operator ``dot`` with it.
        merge: dense to sparse: vectors made of the dense output are added to the sparse one's.
        fm: sparse to dense: a factorisation machine on the sparse output is added to the dense one.
    """

    dense: str
    width: int
    dense_inputs: tuple[int, ...]
    sparse: str
    vectors: int
    sparse_inputs: tuple[int, ...]
    merge: bool = False
    fm: bool = False

    def problem(self, number: int) -> str | None:
        """Why it cannot be block `number`, or None."""
        for name, known in (("dense", DENSE_OPERATORS), ("sparse", SPARSE_OPERATORS)):
            if getattr(self, name) not in known:
                return f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
        for name in ("width", "vectors"):
            if getattr(self, name) < 1:
                return f"{name} must be positive, got {getattr(self, name)}"
        for name in ("dense_inputs", "sparse_inputs"):
            inputs = getattr(self, name)
            if not 1 <= len(inputs) <= MOST_INPUTS or list(inputs) != sorted(set(inputs)):
                return f"{name} must be 1 to {MOST_INPUTS} different numbers in ascending order, got {list(inputs)}"
            if inputs[0] < RAW or inputs[-1] >= number:
                return f"{name} must be from 0 to {number - 1}, got {list(inputs)}"
        return None

    def __str__(self) -> str:
        marks = f"{' merge' if self.merge else ''}{' fm' if self.fm else ''}"
        dense, sparse = _listed(self.dense_inputs), _listed(self.sparse_inputs)
        return f"{self.dense} {self.width} ({dense}) | {self.sparse} {self.vectors} ({sparse}){marks}"


class Needed(NamedTuple):
    """Which parts of a block the logit depends on: its two outputs, and its two operators."""

    dense_output: bool = False
    sparse_output: bool = False
    dense: bool = False
    sparse: bool = False


@dataclass(frozen=True)
class NasRecDesign:
    """One path through the supernet; the head takes both outputs of the last block.

    Args:
        blocks: numbered from 1.
    """

    blocks: tuple[BlockChoice, ...]

    def problem(self) -> str | None:
        """Why it is not legal, or None. In a legal design every output depends on the features."""
        if not self.blocks:
            return "it has no blocks"
        for number, block in enumerate(self.blocks, 1):
            problem = block.problem(number)
            if problem:
                return f"block {number}: {problem}"
        return None

    def check(self) -> NasRecDesign:
        """Return the design if it is legal.

        Raises:
            DesignError: it is not, saying why.
        """
        problem = self.problem()
        if problem:
            raise DesignError(f"not a path of choice blocks: {problem}")
        return self

    def needed(self) -> tuple[Needed, ...]:
        """For every block, the parts that reach the head."""
        dense, sparse = {len(self.blocks)}, {len(self.blocks)}
        needed = []
        for number, block in reversed(list(enumerate(self.blocks, 1))):
            dense_output, sparse_output = number in dense, number in sparse
            needs_dense = dense_output or (sparse_output and block.merge)
            needs_sparse = sparse_output or (dense_output and block.fm)
            if needs_dense:
                dense.update(block.dense_inputs)
            if needs_sparse or (needs_dense and block.dense == "dot"):
                sparse.update(block.sparse_inputs)
            needed.append(Needed(dense_output, sparse_output, needs_dense, needs_sparse))
        return tuple(reversed(needed))

    def __str__(self) -> str:
        return "; ".join(
            f"{number} {block if any(needed) else 'cut'}"
            for number, (block, needed) in enumerate(zip(self.blocks, self.needed(), strict=True), 1)
        )

    def to_architecture(self) -> Architecture:
        """The design as plain values."""
        return Architecture.build(MODEL, {"blocks": [asdict(block) for block in self.blocks]}, str(self))

    @classmethod
    def from_architecture(cls, architecture: Architecture) -> NasRecDesign:
        """Read what `to_architecture` gave.

        Raises:
            DesignError: it is of another family, has another form, or is not legal.
        """
        blocks = blocks_of(architecture, MODEL)
        return cls(tuple(_choice(number, content) for number, content in enumerate(blocks, 1))).check()


def _listed(inputs: Sequence[int]) -> str:
    return ", ".join("raw" if i == RAW else str(i) for i in inputs)


_TYPES = {"str": str, "int": int, "bool": bool}


def _choice(number: int, content: Any) -> BlockChoice:
    names = {f.name: str(f.type) for f in fields(BlockChoice)}
    if not isinstance(content, Mapping) or set(content) != set(names):
        raise DesignError(f"block {number} of {MODEL} must have {', '.join(names)}, got {content!r}")
    for name, kind in names.items():
        value = content[name]
        good = _are_integers(value) if kind not in _TYPES else type(value) is _TYPES[kind]
        if not good:
            raise DesignError(f"block {number} of {MODEL}: {name} must be {kind}, got {value!r}")
    options: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
    return BlockChoice(**options)


def _are_integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int for v in value)
