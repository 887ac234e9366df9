"""What the parts of a space's designs cost by counting: weights and multiply-adds of its own blocks and operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from nas_fusion.design import OUTPUT, candidate_sources
from nas_fusion.measures import CostTable, MakeInputs, count_module, inputs_for, parameters
from nas_fusion.nn import HardFusion, NoInput
from nas_fusion.nn.blocks import for_no_input
from nas_fusion.search_spaces.fusion.fusion_space import FusionSpace
from nas_fusion.training import seeded

Count = Callable[[nn.Module, MakeInputs], int]
"""Counts what one module costs, given how its inputs are made."""


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

    def standing(block: nn.Module) -> tuple[int, int]:
        """Of one block, and of it in the form for a fused input that is always zero."""
        forms = (block, for_no_input(block))
        own, idle = (count(b, lambda rows, device: (features(rows, device), features(rows, device))) for b in forms)
        return own, idle

    shallow = {name: standing(block) for name, block in parts.shallow.items()}
    deep = {name: standing(block) for name, block in parts.deep.items()}
    # Where there is a choice, the first one's numbers stand where nobody asks which.
    (own_shallow, idle_shallow), (own_deep, idle_deep) = (next(iter(costs.values())) for costs in (shallow, deep))
    head = count(space.network.head, lambda rows, device: (features(rows, device),))
    embedding = count(space.network.embedding, lambda rows, device: inputs_for(fields, rows, device))
    return CostTable(
        unit=unit,
        fixed=embedding + head,
        shallow=own_shallow,
        deep=own_deep,
        operations={name: merging(nodes) for name, nodes in parts.operations.items()},
        mixture=merging(parts.mixture),
        partial_mixture=merging(parts.partial_mixture),
        idle_shallow=idle_shallow,
        idle_deep=idle_deep,
        zero_alone=tuple(name for name, nodes in parts.operations.items() if isinstance(nodes[0], NoInput)),
        shallow_variants=shallow if space.designs.has_variants else {},
        deep_variants=deep if space.designs.has_variants else {},
    )


@dataclass(frozen=True)
class _Parts:
    """What designs of a space are made of: its blocks by variant, and its operations on 0, 1, 2, … open inputs."""

    shallow: Mapping[str, nn.Module]
    deep: Mapping[str, nn.Module]
    operations: Mapping[str, Sequence[nn.Module]]
    mixture: Sequence[nn.Module]
    partial_mixture: Sequence[nn.Module]

    @classmethod
    def of(cls, space: FusionSpace) -> _Parts:
        width, names = space.network.embedding.width, space.designs.operations
        counts = range(len(candidate_sources(OUTPUT, space.levels)) + 1)
        # One for every number of inputs that a block of this space can have; the output has the most candidates.
        made = [{name: space.make_operation(name, max(k, 1), width) for name in names} for k in counts]
        return cls(
            shallow=_blocks_of(space, "cross0"),
            deep=_blocks_of(space, "deep1"),
            operations={
                name: [HardFusion.of(operations[name], range(k)) for k, operations in enumerate(made)] for name in names
            },
            mixture=[space.make_mixture(k, width, all_open=True) for k in counts],
            partial_mixture=[space.make_mixture(k, width, all_open=False) for k in counts],
        )


def _blocks_of(space: FusionSpace, block: str) -> dict[str, nn.Module]:
    """What may stand in a block's place, by variant; by the place's own name where there is no choice."""
    width, names = space.network.embedding.width, space.designs.variants_of(block)
    return {name: space.make_block(block, width, name) for name in names} or {block: space.make_block(block, width)}
