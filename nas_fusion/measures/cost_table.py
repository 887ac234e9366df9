"""What a design costs, added up from what its parts cost, without building it: a value, made of plain numbers.

The tables of a space are made where the space is (`nas_fusion.search_spaces`): by counting, or by the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, candidate_sources, variant_blocks

Mode = Literal["hard", "soft"]

_VARIANTS = ("shallow_variants", "deep_variants")


@dataclass(frozen=True)
class CostTable:
    """The cost of every part of a space's designs; a design costs the sum over what of it reaches the output.

    Args:
        unit: of the numbers, in words.
        fixed: of the embedding and of the map to the logit.
        shallow, deep: of one block.
        operations: by name, of merging 0, 1, 2, … open inputs in a hard model.
        mixture: of a soft model's mixture of all operations of 0, 1, 2, … inputs, with every candidate input open.
        partial_mixture: the same with a closed candidate input: a product of the rule "zero" is not in it.
        idle_shallow, idle_deep: of one block whose fused input is always zero; None: as of any other.
        zero_alone: the operations that give zero without an open input.
        shallow_variants, deep_variants: by name, of one block and of one whose fused input is always zero, where a
            space leaves open what stands in a block's place; they take the place of the numbers above.
    """

    unit: str
    fixed: float
    shallow: float
    deep: float
    operations: Mapping[str, tuple[float, ...]]
    mixture: tuple[float, ...]
    partial_mixture: tuple[float, ...]
    idle_shallow: float | None = None
    idle_deep: float | None = None
    zero_alone: tuple[str, ...] = ()
    shallow_variants: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    deep_variants: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def variants_of(self, block: str) -> Mapping[str, tuple[float, float]]:
        """What may stand in a block's place, and what it costs; empty where there is no choice."""
        return self.deep_variants if block.startswith("deep") else self.shallow_variants

    def of(self, design: FusionDesign, mode: Mode = "hard") -> float:
        """What the re-trained model of a design costs (hard: one operation per block, with new weights)."""
        # Only what reaches the output is built, so only that costs; its inputs are live with it.
        inputs = dict.fromkeys(design.live_blocks(), 0)
        for _, target in design.connections:
            if target in inputs:
                inputs[target] += 1
        operations, variants = dict(design.operations), dict(design.variants)
        total = self.fixed
        for block, count in inputs.items():
            if block == EMBEDDING:
                continue
            if mode == "hard" or block not in operations:
                total += self.of_block(block, operations.get(block), variants.get(block))[count]
            else:
                is_idle = not count and set(self.operations) == set(self.zero_alone)
                is_complete = count == len(candidate_sources(block, design.levels))
                total += self._behind(block, variants.get(block), is_idle=is_idle)
                total += (self.mixture if is_complete else self.partial_mixture)[count]
        return total

    def of_block(self, block: str, operation: str | None, variant: str | None = None) -> tuple[float, ...]:
        """What a block of a hard model costs with 0, 1, 2, … open inputs, merging them included.

        Args:
            block: its name.
            operation: None for the block that has a gate and merges nothing.
            variant: what stands in its place, where there is a choice.
        """
        alone = self._behind(block, variant, is_idle=operation is None or operation in self.zero_alone)
        behind = self._behind(block, variant, is_idle=False)
        if operation is None:
            return alone, behind
        # Without an input the block stands in the form for zeros, so it may cost less.
        first, *others = self.operations[operation]
        return (alone + first, *(behind + merging for merging in others))

    def _behind(self, block: str, variant: str | None, *, is_idle: bool) -> float:
        """What a block costs after its fused input; idle: where that is always zero."""
        if block == OUTPUT:
            return 0
        if variant is not None:
            return self.variants_of(block)[variant][is_idle]
        is_deep = block.startswith("deep")
        idle = self.idle_deep if is_deep else self.idle_shallow
        if is_idle and idle is not None:
            return idle
        return self.deep if is_deep else self.shallow

    def cheapest(self, levels: int, mode: Mode = "hard") -> FusionDesign:
        """The legal design that costs least: the output merges the embedding alone.

        Every other design has more blocks, or operations on more inputs, which are taken to cost no less.
        """
        return min(self.smallest(levels), key=lambda design: self.of(design, mode))

    def smallest(self, levels: int) -> list[FusionDesign]:
        """The designs whose output merges the embedding alone, one per operation."""
        variants = {b: next(iter(self.variants_of(b))) for b in variant_blocks(levels) if self.variants_of(b)}
        return [FusionDesign.build(levels, [(EMBEDDING, OUTPUT)], operation, variants) for operation in self.operations]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        content = dict(vars(self))
        content["operations"] = {name: list(costs) for name, costs in self.operations.items()}
        lists = {name: list(content[name]) for name in ("mixture", "partial_mixture", "zero_alone")}
        variants = {place: {name: list(costs) for name, costs in content[place].items()} for place in _VARIANTS}
        return {**content, **lists, **variants}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CostTable:
        """Read what `to_dict` gave."""
        operations = {name: tuple(costs) for name, costs in content["operations"].items()}
        lists = {name: tuple(content.get(name, ())) for name in ("mixture", "partial_mixture", "zero_alone")}
        variants = {
            place: {name: (own, idle) for name, (own, idle) in content.get(place, {}).items()} for place in _VARIANTS
        }
        return cls(**{**content, "operations": operations, **lists, **variants})


@dataclass(frozen=True)
class LatencyTable:
    """Estimated latencies.

    Args:
        table: milliseconds per batch.
        margin: by which share estimates are to be raised to be on the safe side: nine in ten of the timed designs
            were faster than that, and there is a smallest margin.
    """

    table: CostTable
    margin: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"table": self.table.to_dict(), "margin": self.margin}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LatencyTable:
        """Read what `to_dict` gave."""
        return cls(CostTable.from_dict(content["table"]), float(content["margin"]))
