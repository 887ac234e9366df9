"""The supernet's mathematics as one would first write it in torch: stack, concatenate, let autograd do the rest.

And hard models in two forms: closed inputs multiplied by zero, and, as a careful engineer writes them, left out. All
take over the weights of a `FusionSpace`, so that both sides compute the same numbers.
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
from nas_fusion.optfusion import OptFusionNode
from nas_fusion.search_spaces import FusionNode, FusionSpace


class PlainGate(torch.autograd.Function):
    """``1[α > 0]`` with the identity's gradient."""

    @staticmethod
    def forward(ctx: object, alpha: Tensor) -> Tensor:
        """The gate's value."""
        return (alpha > 0).to(alpha.dtype)

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> Tensor:
        """Straight through."""
        return grads[0]


class PlainNode(nn.Module):
    """The gated mixture of the four operations."""

    def __init__(self, node: OptFusionNode) -> None:
        super().__init__()
        self.alpha = nn.Parameter(node.alpha.detach().clone())
        self.beta = None if node.beta is None else nn.Parameter(node.beta.detach().clone())
        if self.beta is not None:
            weights = {name: p.detach().clone() for name, p in node.operations.named_parameters()}
            rows, columns = weights["concat.linear.weight"].shape
            self.linear = nn.Linear(columns, rows)
            self.linear.weight.data, self.linear.bias.data = (
                weights["concat.linear.weight"],
                weights["concat.linear.bias"],
            )
            self.hidden_weight = nn.Parameter(weights["attention.hidden_weight"])
            self.hidden_bias = nn.Parameter(weights["attention.hidden_bias"])
            self.score_weight = nn.Parameter(weights["attention.score_weight"])

    def forward(self, inputs: list[Tensor], embedding: Tensor) -> Tensor:
        """Merge the gated inputs."""
        z = torch.stack(inputs, dim=1) * PlainGate.apply(self.alpha)[:, None]  # type: ignore[no-untyped-call]
        if self.beta is None:
            return z[:, 0]
        p = torch.softmax(self.beta, dim=0)
        hidden = torch.relu(torch.einsum("bkd,khd->bkh", z, self.hidden_weight) + self.hidden_bias)
        attention = torch.softmax(torch.einsum("bkh,kdh->bkd", hidden, self.score_weight), dim=-1)
        return p[0] * z.sum(1) + p[1] * z.prod(1) + p[2] * self.linear(z.flatten(1)) + p[3] * (attention * z).sum(1)


def plain_supernet(space: FusionSpace) -> FusionNetwork:
    """The same supernet with plain nodes; embedding, blocks and head are copies."""
    network = space.network
    nodes = {}
    for block, node in network.nodes.items():
        assert isinstance(node, OptFusionNode)
        nodes[block] = PlainNode(node)
    return FusionNetwork(
        copy.deepcopy(network.embedding),
        nodes,
        network.sources,
        {block: copy.deepcopy(module) for block, module in network.blocks.items()},
        copy.deepcopy(network.head),
    )


class MaskedNode(nn.Module):
    """One operation on all candidate inputs, closed ones multiplied by zero.

    The product leaves out what is zero throughout and looks at the data for that, as the published hard model's does.

    Args:
        operation: for all candidate inputs.
        gates: 1 or 0 for each.
    """

    gates: Tensor

    def __init__(self, operation: FusionOperation, gates: Tensor) -> None:
        super().__init__()
        self.name, self.merge = operation.name, plain_merge(operation, range(operation.inputs))
        self.register_buffer("gates", gates)

    def forward(self, inputs: list[Tensor], embedding: Tensor) -> Tensor:
        """Stack, mask, merge."""
        z = torch.stack(inputs, dim=1) * self.gates[:, None]
        if self.name == "product":
            z = z[:, (z != 0).any(dim=2).any(dim=0)]
        return self.merge(z) if z.shape[1] else torch.zeros_like(embedding)


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


def plain_hard(space: FusionSpace, design: FusionDesign, *, only_open: bool) -> FusionNetwork:
    """A hard model that keeps every block, whether it reaches the output or not.

    Args:
        space: whose weights it takes over.
        design: of the space.
        only_open: merge the open inputs alone (`OpenNode`), or all, masked (`MaskedNode`).
    """
    network = space.network
    nodes: dict[str, nn.Module] = {}
    for block, node in network.nodes.items():
        assert isinstance(node, FusionNode)
        sources = network.sources[block]
        kept = [j for j, source in enumerate(sources) if source in design.sources(block)]
        name = dict(design.operations).get(block)
        operation = Add(len(sources), network.embedding.width) if name is None else node.operations[name]
        gates = torch.zeros(len(sources)).index_fill(0, torch.tensor(kept, dtype=torch.long), 1.0)
        nodes[block] = OpenNode(operation, kept) if only_open else MaskedNode(operation, gates)
    return FusionNetwork(
        copy.deepcopy(network.embedding),
        nodes,
        network.sources,
        {block: copy.deepcopy(module) for block, module in network.blocks.items()},
        copy.deepcopy(network.head),
    )
