"""Hard models as a careful engineer writes them in torch who knows the design: the peer of derived designs.

Open inputs are stacked, and all attentions of a block are two batched matrix products. Like the published code it
computes every block, also those that do not reach the output. Weights are those of a `FusionSpace`, so that both sides
compute the same numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from nas_fusion.design import FusionDesign
from nas_fusion.nn import Add, Attention, Concat, FusionNetwork, FusionOperation
from nas_fusion.search_spaces import FusionNode, FusionSpace


class OpenNode(nn.Module):
    """One operation on the open inputs, stacked, as one writes it who knows which they are.

    Args:
        operation: for all candidate inputs.
        kept: indices of the open ones.
    """

    def __init__(self, operation: FusionOperation, kept: list[int]) -> None:
        super().__init__()
        self.kept = kept
        self.merge = plain_merge(operation, kept) if kept else None
        self.bias = operation.linear.bias if isinstance(operation, Concat) and not kept else None

    def forward(self, inputs: list[Tensor], embedding: Tensor) -> Tensor:
        """Stack what is open, merge."""
        if self.merge is None:
            return torch.zeros_like(embedding) if self.bias is None else self.bias.expand_as(embedding)
        return self.merge(torch.stack([inputs[j] for j in self.kept], dim=1))


def plain_merge(operation: FusionOperation, kept: Sequence[int]) -> nn.Module:
    """An operation on some of its inputs, stacked ``[batch, input, width]``, with a copy of their weights."""
    if isinstance(operation, Concat):
        return PlainConcat(operation.keep(kept))
    if isinstance(operation, Attention):
        return PlainAttention(operation.keep(kept))
    return PlainProduct() if operation.name == "product" else PlainSum()


class PlainSum(nn.Module):
    """The sum over the inputs."""

    def forward(self, z: Tensor) -> Tensor:
        """Merge."""
        return z.sum(1)


class PlainProduct(nn.Module):
    """The product of the inputs, one after the other: ``torch.prod`` has a slower gradient."""

    def forward(self, z: Tensor) -> Tensor:
        """Merge."""
        return reduce(torch.mul, z.unbind(1))


class PlainConcat(nn.Module):
    """One linear map of all inputs."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.linear = copy.deepcopy(operation.linear)

    def forward(self, z: Tensor) -> Tensor:
        """Merge."""
        return self.linear(z.flatten(1))


class PlainAttention(nn.Module):
    """All attentions by two batched matrix products."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.hidden_weight, self.hidden_bias, self.score_weight = (
            nn.Parameter(weight.detach().clone())
            for weight in (operation.hidden_weight, operation.hidden_bias, operation.score_weight)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Merge."""
        by_input = z.transpose(0, 1)
        hidden = torch.relu(torch.baddbmm(self.hidden_bias[:, None], by_input, self.hidden_weight.mT))
        return (torch.softmax(torch.bmm(hidden, self.score_weight.mT), dim=-1) * by_input).sum(0)


def open_hard(space: FusionSpace, design: FusionDesign) -> FusionNetwork:
    """A hard model that keeps every block, whether it reaches the output or not.

    Args:
        space: whose weights it takes over.
        design: of the space.
    """
    network = space.network
    nodes: dict[str, nn.Module] = {}
    for block, node in network.nodes.items():
        assert isinstance(node, FusionNode)
        sources = network.sources[block]
        kept = [j for j, source in enumerate(sources) if source in design.sources(block)]
        name = dict(design.operations).get(block)
        nodes[block] = OpenNode(
            Add(len(sources), network.embedding.width) if name is None else node.operations[name], kept
        )
    return FusionNetwork(
        copy.deepcopy(network.embedding),
        nodes,
        network.sources,
        {block: copy.deepcopy(module) for block, module in network.blocks.items()},
        copy.deepcopy(network.head),
    )
