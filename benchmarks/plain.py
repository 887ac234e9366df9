"""The supernet's mathematics as one would first write it in torch: stack, concatenate, let autograd do the rest.

It takes over the weights of a `FusionSpace`'s supernet, so that both sides compute the same numbers.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from nas_fusion.design import FusionDesign
from nas_fusion.nn import FusionNetwork
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


class PlainMaskedNode(nn.Module):
    """One operation on all candidate inputs, closed ones multiplied by zero."""

    gates: Tensor

    def __init__(self, operation: nn.Module, name: str, gates: Tensor) -> None:
        super().__init__()
        self.operation, self.name = operation, name
        self.register_buffer("gates", gates)

    def forward(self, inputs: list[Tensor], embedding: Tensor) -> Tensor:
        """Stack, mask, merge."""
        z = torch.stack(inputs, dim=1) * self.gates[:, None]
        if self.name == "add":
            return z.sum(1)
        if self.name == "product":
            return (z + (1 - self.gates)[:, None]).prod(1) if self.gates.any() else torch.zeros_like(embedding)
        weights = dict(self.operation.named_parameters())
        if self.name == "concat":
            return nn.functional.linear(z.flatten(1), weights["linear.weight"], weights["linear.bias"])
        hidden = torch.relu(torch.einsum("bkd,khd->bkh", z, weights["hidden_weight"]) + weights["hidden_bias"])
        attention = torch.softmax(torch.einsum("bkh,kdh->bkd", hidden, weights["score_weight"]), dim=-1)
        return (attention * z).sum(1)


def plain_masked(space: FusionSpace, design: FusionDesign) -> FusionNetwork:
    """A hard model that keeps every block and every candidate input, and multiplies the closed ones by zero."""
    network = space.network
    nodes: dict[str, nn.Module] = {}
    for block, node in network.nodes.items():
        assert isinstance(node, FusionNode)
        kept = design.sources(block)
        gates = torch.tensor([float(source in kept) for source in network.sources[block]])
        name = dict(design.operations).get(block, "add")
        operation = copy.deepcopy(node.operations[name]) if name in ("concat", "attention") else nn.Identity()
        nodes[block] = PlainMaskedNode(operation, name, gates)
    return FusionNetwork(
        copy.deepcopy(network.embedding),
        nodes,
        network.sources,
        {block: copy.deepcopy(module) for block, module in network.blocks.items()},
        copy.deepcopy(network.head),
    )
