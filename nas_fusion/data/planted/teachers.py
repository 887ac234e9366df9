"""The teachers of planted logs: designs of the fusion space, each with what it is to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, fused_blocks
from nas_fusion.errors import OptionError

LEVELS = 3
"""Levels of the space of a teacher's design: those of the published space."""


@dataclass(frozen=True)
class Teacher:
    """What clicks are drawn from.

    Args:
        name: by which a log asks for it.
        summary: what it is to show.
        design: its network's.
        fields: number of fields.
        values: number of values of each field.
        traits: hidden numbers of each value, the width of the teacher's embedding.
        factor_mean: mean of what a product multiplies, in its standard deviations.
        cross: standard deviation of a cross's scalar ``w·f``: how much of a cross is crossing.
    """

    name: str
    summary: str
    design: FusionDesign
    fields: int = 8
    values: int = 12
    traits: int = 2
    factor_mean: float = 0.5
    cross: float = 0.3

    def at_levels(self, levels: int) -> FusionDesign:
        """The same function as a design of a space of another number of levels.

        Raises:
            OptionError: it has a block that is not in that space.
        """
        return at_levels(self.design, levels)


def at_levels(design: FusionDesign, levels: int) -> FusionDesign:
    """A design as one of a space of another number of levels, of the same function.

    Raises:
        OptionError: a block that can reach the output is not in that space.
    """
    pruned, needed = design.pruned(), levels_of(design)
    if levels < needed:
        raise OptionError("levels", f"at least {needed}, the blocks of this design", levels)
    operations = {b: o for b, o in pruned.operations if b in fused_blocks(levels)}
    return FusionDesign.build(levels, pruned.connections, {**dict.fromkeys(fused_blocks(levels), "add"), **operations})


def levels_of(design: FusionDesign) -> int:
    """The fewest levels of a space that has all blocks of a design that can reach its output."""
    return max([1, *(int(b[-1]) for b in design.pruned().live_blocks() if b not in (EMBEDDING, OUTPUT))])


def _design(text: str) -> FusionDesign:
    """A design from lines like ``deep1 = concat(embedding, cross0)``; blocks that are not named are dead."""
    connections, operations = [], dict.fromkeys(fused_blocks(LEVELS), "add")
    for line in text.split(";"):
        block, _, merged = (part.strip() for part in line.partition("="))
        operation, _, sources = merged.rstrip(")").partition("(")
        connections += [(source.strip(), block) for source in sources.split(",")]
        if block in operations:
            operations[block] = operation
    return FusionDesign.build(LEVELS, connections, operations).check()


_TEACHERS = (
    Teacher(
        "product",
        "one product of many blocks: products of four traits",
        _design(
            "cross1 = concat(embedding); cross2 = concat(embedding); cross3 = concat(embedding);"
            "output = product(embedding, cross1, cross2, cross3)"
        ),
    ),
    Teacher(
        "dense",
        "a product of blocks with several inputs each: 11 connections",
        _design(
            "cross0 = add(embedding); cross1 = concat(embedding, cross0); cross2 = concat(embedding, cross0);"
            "cross3 = concat(embedding, cross1); output = product(embedding, cross1, cross2, cross3)"
        ),
    ),
    Teacher(
        "deep",
        "products of products: each block stands on the one before it",
        _design(
            "cross1 = concat(embedding); cross2 = product(embedding, cross1); cross3 = concat(cross2);"
            "output = product(cross2, cross3)"
        ),
    ),
    Teacher(
        "sparse",
        "few blocks, all of the first level: products of three traits, one of them behind a ReLU",
        _design(
            "cross0 = add(embedding); cross1 = concat(embedding); deep1 = add(embedding);"
            "output = product(cross0, cross1, deep1)"
        ),
        traits=3,
        factor_mean=0.4,
    ),
)

TEACHERS: Mapping[str, Teacher] = MappingProxyType({teacher.name: teacher for teacher in _TEACHERS})
"""Every teacher by name."""
