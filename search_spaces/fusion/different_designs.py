"""Designs that compute the same: their common form, one of each, and a number for every sample of a space.

Many samples of a space are one function under several names: a block that cannot reach the output may merge whatever
it likes; one input alone is itself, added or multiplied; and of no input at all every operation but concat, which has a
bias, makes zero. Of the 32,768 samples of the published operations at one level 26,560 are legal, 7,952 are left when
dead blocks are cut, and 4,802 are different functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from nas_fusion.design import FusionDesign, candidate_connections, fused_blocks, variant_blocks
from nas_fusion.errors import DesignError
from nas_fusion.search_spaces.fusion.design_set import DesignSet

_SAME_ON_ONE = ("add", "product", "residual-product")
"""Operations whose result for one input is that input; the first one stands for them."""

_ZERO_ON_NONE = ("add", "product", "attention", "residual-product", "bilinear")
"""Operations whose result without any input is zero; the first one stands for them."""

_BY_INPUTS = {0: _ZERO_ON_NONE, 1: _SAME_ON_ONE}


def canonical(design: FusionDesign) -> FusionDesign:
    """The design that stands for all that compute the same as this one: equal functions have equal canonical designs.

    Connections into blocks that cannot reach the output are closed, and operations that give the same for the open
    inputs are called by one name. Both the function and what is trained stay the same: the operations in question have
    no weights, or none that get a gradient.
    """
    pruned = design.pruned()
    return pruned.changed(
        operations={b: _name(operation, len(pruned.sources(b))) for b, operation in pruned.operations}
    )


def _name(operation: str, inputs: int) -> str:
    alike = _BY_INPUTS.get(inputs, ())
    return alike[0] if operation in alike else operation


def different_designs(designs: Iterable[FusionDesign]) -> list[FusionDesign]:
    """One design, the canonical one, for every different function among legal designs, in the order of the first."""
    # An iterable, not a set: a space of three levels has 2^47 samples, of which one may take a part.
    return list(dict.fromkeys(map(canonical, designs)))


def design_code(design: FusionDesign, designs: DesignSet) -> int:
    """The number of a sample, from 0 to ``designs.size - 1``; legal or not.

    Bit c says whether candidate connection c is open; above the bits, each fused block's operation is a digit, and each
    block's variant where there are any.

    Raises:
        DesignError: the design has another number of levels, or an operation or variant that the set does not know.
    """
    if designs.unknown_choice(design) is not None:
        raise DesignError(f"not a design of this space, so it has no number there: {design}")
    is_open = set(design.connections)
    code = 0
    for block, variant in reversed(design.variants):
        names = designs.variants_of(block)
        code = code * len(names) + names.index(variant)
    for _, operation in reversed(design.operations):
        code = code * len(designs.operations) + designs.operations.index(operation)
    for connection in reversed(candidate_connections(design.levels)):
        code = code * 2 + (connection in is_open)
    return code


def coded_design(code: int, designs: DesignSet) -> FusionDesign:
    """The design of a number that `design_code` gave.

    Raises:
        DesignError: there is no such number.
    """
    if not 0 <= code < designs.size:
        raise DesignError(f"the number of a design must be from 0 to {designs.size - 1}, got {code}")
    connections = []
    for connection in candidate_connections(designs.levels):
        code, is_open = divmod(code, 2)
        connections += [connection] * is_open
    operations = {}
    for block in fused_blocks(designs.levels):
        code, place = divmod(code, len(designs.operations))
        operations[block] = designs.operations[place]
    variants = {}
    for block in variant_blocks(designs.levels) if designs.has_variants else ():
        code, place = divmod(code, len(designs.variants_of(block)))
        variants[block] = designs.variants_of(block)[place]
    return FusionDesign.build(designs.levels, connections, operations, variants)
