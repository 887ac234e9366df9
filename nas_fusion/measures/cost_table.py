"""What a design costs, added up from what its parts cost, without building it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, candidate_sources
from nas_fusion.measures.counting import count_module, inputs_for, parameters
from nas_fusion.nn import HardFusion, NoInput
from nas_fusion.nn.blocks import for_no_input
from nas_fusion.training import seeded

if TYPE_CHECKING:
    from nas_fusion.search_spaces import FusionSpace

Mode = Literal["hard", "soft"]
Count = Callable[[nn.Module, Callable[[int, torch.device], tuple[Any, ...]]], int]


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

    def of(self, design: FusionDesign, mode: Mode = "hard") -> float:
        """What the re-trained model of a design costs (hard: one operation per block, with new weights)."""
        inputs = dict.fromkeys(design.live_blocks(), 0)
        for _, target in design.connections:
            if target in inputs:
                inputs[target] += 1
        operations = dict(design.operations)
        total = self.fixed
        for block, count in inputs.items():
            if block == EMBEDDING:
                continue
            if mode == "hard" or block not in operations:
                total += self.of_block(block, operations.get(block))[count]
            else:
                is_idle = not count and set(self.operations) == set(self.zero_alone)
                is_complete = count == len(candidate_sources(block, design.levels))
                total += self._behind(block, is_idle=is_idle)
                total += (self.mixture if is_complete else self.partial_mixture)[count]
        return total

    def of_block(self, block: str, operation: str | None) -> tuple[float, ...]:
        """What a block of a hard model costs with 0, 1, 2, … open inputs, merging them included.

        Args:
            block: its name.
            operation: None for the block that has a gate and merges nothing.
        """
        alone = self._behind(block, is_idle=operation is None or operation in self.zero_alone)
        behind = self._behind(block, is_idle=False)
        if operation is None:
            return alone, behind
        first, *others = self.operations[operation]
        return (alone + first, *(behind + merging for merging in others))

    def _behind(self, block: str, *, is_idle: bool) -> float:
        """What a block costs behind its fused input; idle: where that is always zero."""
        if block == OUTPUT:
            return 0
        is_deep = block.startswith("deep")
        idle = self.idle_deep if is_deep else self.idle_shallow
        if is_idle and idle is not None:
            return idle
        return self.deep if is_deep else self.shallow

    def cheapest(self, levels: int, mode: Mode = "hard") -> FusionDesign:
        """The legal design that costs least: the output merges the embedding alone.

        Every other design has more blocks, or operations on more inputs, which are taken to cost no less.
        """
        return min(one_input_designs(levels, tuple(self.operations)), key=lambda design: self.of(design, mode))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        content = dict(vars(self))
        content["operations"] = {name: list(costs) for name, costs in self.operations.items()}
        lists = {name: list(content[name]) for name in ("mixture", "partial_mixture", "zero_alone")}
        return {**content, **lists}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CostTable:
        """Read what `to_dict` gave."""
        operations = {name: tuple(costs) for name, costs in content["operations"].items()}
        lists = {name: tuple(content.get(name, ())) for name in ("mixture", "partial_mixture", "zero_alone")}
        return cls(**{**content, "operations": operations, **lists})


def one_input_designs(levels: int, operations: tuple[str, ...]) -> list[FusionDesign]:
    """The designs whose output merges the embedding alone, one per operation."""
    return [FusionDesign.build(levels, [(EMBEDDING, OUTPUT)], operation) for operation in operations]


def parameter_table(space: FusionSpace) -> CostTable:
    """Weights of every part of a space, counted on its own blocks and operations; the embedding table is in it."""
    return _table(space, "weights, the embedding table included", lambda module, _: parameters(module))


def multiply_add_table(space: FusionSpace) -> CostTable:
    """Multiply-adds per row of every part of a space, counted on its own blocks and operations."""
    return _table(space, "multiply-adds per row", count_module)


def _table(space: FusionSpace, unit: str, count: Count) -> CostTable:
    try:
        with seeded(0), torch.device("meta"):  # shapes without numbers: no memory, no time
            parts = _Parts.of(space)
        return _count_parts(space, parts, unit, count)
    except (RuntimeError, TypeError):  # a user's block looks at numbers; an error of its own comes again below
        with seeded(0):  # weights are drawn, which must not change what is drawn after them
            parts = _Parts.of(space)
        return _count_parts(space, parts, unit, count)


def _count_parts(space: FusionSpace, parts: _Parts, unit: str, count: Count) -> CostTable:
    width, fields = space.network.embedding.width, space.fields

    def features(rows: int, device: torch.device) -> torch.Tensor:
        return torch.zeros(rows, width, device=device)

    def inputs_of(k: int, rows: int, device: torch.device) -> tuple[Any, ...]:
        return [features(rows, device)] * k, features(rows, device)

    def merging(nodes: Sequence[nn.Module]) -> tuple[int, ...]:
        """Of each node, on as many inputs as its place says."""
        return tuple(count(node, partial(inputs_of, k)) for k, node in enumerate(nodes))

    blocks = (parts.shallow, parts.deep, for_no_input(parts.shallow), for_no_input(parts.deep))
    shallow, deep, idle_shallow, idle_deep = (
        count(block, lambda rows, device: (features(rows, device), features(rows, device))) for block in blocks
    )
    head = count(space.network.head, lambda rows, device: (features(rows, device),))
    embedding = count(space.network.embedding, lambda rows, device: inputs_for(fields, rows, device))
    return CostTable(
        unit=unit,
        fixed=embedding + head,
        shallow=shallow,
        deep=deep,
        operations={name: merging(nodes) for name, nodes in parts.operations.items()},
        mixture=merging(parts.mixture),
        partial_mixture=merging(parts.partial_mixture),
        idle_shallow=idle_shallow,
        idle_deep=idle_deep,
        zero_alone=tuple(name for name, nodes in parts.operations.items() if isinstance(nodes[0], NoInput)),
    )


@dataclass(frozen=True)
class _Parts:
    """What designs of a space are made of: its blocks, and its operations on 0, 1, 2, … open inputs."""

    shallow: nn.Module
    deep: nn.Module
    operations: Mapping[str, Sequence[nn.Module]]
    mixture: Sequence[nn.Module]
    partial_mixture: Sequence[nn.Module]

    @classmethod
    def of(cls, space: FusionSpace) -> _Parts:
        width, names = space.network.embedding.width, space.designs.operations
        counts = range(len(candidate_sources(OUTPUT, space.levels)) + 1)
        made = [{name: space.make_operation(name, max(k, 1), width) for name in names} for k in counts]
        return cls(
            shallow=space.make_shallow(width),
            deep=space.make_deep(width),
            operations={
                name: [HardFusion.of(operations[name], range(k)) for k, operations in enumerate(made)] for name in names
            },
            mixture=[space.make_mixture(k, width, all_open=True) for k in counts],
            partial_mixture=[space.make_mixture(k, width, all_open=False) for k in counts],
        )
