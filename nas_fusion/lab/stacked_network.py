"""Many designs of a space as one network: each member has its own weights, all see the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, block_names
from nas_fusion.errors import DesignError
from nas_fusion.lab.stacked_operations import (
    STACKED_OPERATIONS,
    StackedAdd,
    StackedFeatures,
    StackedOperation,
    WeightPair,
)
from nas_fusion.nn import CrossBlock, DeepBlock, FieldEmbedding, Fields, FusionNetwork, HardFusion
from nas_fusion.nn.blocks import ConstantBlock, ConstantDeepBlock


class StackedCross(nn.Module):
    """``(w·f) e + b + f`` with weights of every member (`nas_fusion.nn.CrossBlock`)."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, width, 1))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, fused: StackedFeatures, embedding: StackedFeatures) -> StackedFeatures:
        """Cross the fused input with the embedding, both ``[member, batch, width]``."""
        return torch.addcmul(fused + self.bias, torch.bmm(fused, self.weight), embedding)

    def pairs(self, place: int, block: nn.Module) -> Iterator[WeightPair]:
        """The weights of the member at a place."""
        if isinstance(block, CrossBlock):
            yield self.weight[place, :, 0], block.weight.weight[0]
            yield self.bias[place, 0], block.bias
        elif isinstance(block, ConstantBlock) and not block.times_embedding:
            yield self.bias[place, 0], block.bias
        else:
            raise _unknown(block)


class StackedDeep(nn.Module):
    """``ReLU(W f + b)`` with weights of every member (`nas_fusion.nn.DeepBlock` without batch norm and dropout)."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, width, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, fused: StackedFeatures, embedding: StackedFeatures) -> StackedFeatures:
        """Transform the fused input ``[member, batch, width]``; the embedding is not looked at."""
        return torch.relu(torch.baddbmm(self.bias, fused, self.weight.mT))

    def pairs(self, place: int, block: nn.Module) -> Iterator[WeightPair]:
        """The weights of the member at a place."""
        if isinstance(block, DeepBlock) and block.norm is None and block.dropout is None:
            yield self.weight[place], block.linear.weight
            yield self.bias[place, 0], block.linear.bias
        elif isinstance(block, ConstantDeepBlock) and block.dropout is None:
            yield self.bias[place, 0], block.bias
        else:
            raise _unknown(block)


class StackedNetwork(nn.Module):
    """A network for several designs that merge by the same operations, block by block.

    Args:
        fields: of the log; blocks are as wide as all embeddings together.
        designs: of one number of levels; a block that is live in several of them has one operation in all of these.

    Raises:
        DesignError: there is no design, or they do not go together, or an operation has no form for many designs.
    """

    def __init__(self, fields: Fields, designs: Sequence[FusionDesign]) -> None:
        super().__init__()
        if not designs or len({design.levels for design in designs}) > 1 or fields.block_width:
            raise DesignError("a stack needs designs of one number of levels, and blocks as wide as the embeddings")
        self.members, self.fields, self.width = len(designs), fields, fields.width
        # One table whose rows hold the vectors of all members: one look-up, and one sum of gradients, for all.
        self.embedding = FieldEmbedding(fields.shapes, fields.emb_dim * self.members)
        live = [set(design.live_blocks()) for design in designs]
        self.sources: dict[str, tuple[str, ...]] = {}
        nodes, blocks = {}, {}
        for block in block_names(designs[0].levels)[1:]:
            if any(block in alive for alive in live):
                own = [d.sources(block) if block in alive else () for d, alive in zip(designs, live, strict=True)]
                self.sources[block] = tuple(s for s in block_names(designs[0].levels) if any(s in some for some in own))
                gates = torch.tensor([[float(s in some) for s in self.sources[block]] for some in own])
                nodes[block] = _operation(block, designs, live)(gates.view(self.members, -1), self.width)
                if block != OUTPUT:
                    blocks[block] = (StackedDeep if block.startswith("deep") else StackedCross)(
                        self.members, self.width
                    )
        self.nodes, self.blocks = nn.ModuleDict(nodes), nn.ModuleDict(blocks)
        self.head_weight = nn.Parameter(torch.zeros(self.members, self.width, 1))
        self.head_bias = nn.Parameter(torch.zeros(self.members, 1))

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, "member batch"]:
        """Return the logits ``[member, batch]`` of ids ``[batch, id column]`` and values ``[batch, value]``."""
        vectors = self.embedding(ids, values).view(len(ids), self.fields.vectors, self.members, self.fields.emb_dim)
        embedding = vectors.permute(2, 0, 1, 3).reshape(self.members, len(ids), self.width)
        outputs: dict[str, Tensor] = {EMBEDDING: embedding}
        for block, node in self.nodes.items():
            fused = node([outputs[source] for source in self.sources[block]], embedding)
            outputs[block] = fused if block == OUTPUT else self.blocks[block](fused, embedding)
        return torch.baddbmm(self.head_bias.unsqueeze(1), outputs[OUTPUT], self.head_weight).squeeze(-1)

    def pairs(self, place: int, network: FusionNetwork) -> Iterator[WeightPair]:
        """Where each weight of a member is in the stack, and in the member's own derived network."""
        table = self.embedding.table.weight.unflatten(1, (self.members, -1))
        yield table[:, place], network.embedding.table.weight
        for block, own in network.nodes.items():
            node = self.nodes[block]
            assert isinstance(node, StackedOperation)
            yield from node.pairs(place, own.operation if isinstance(own, HardFusion) else None)
        for block, module in network.blocks.items():
            stacked = self.blocks[block]
            assert isinstance(stacked, StackedCross | StackedDeep)
            yield from stacked.pairs(place, module)
        yield self.head_weight[place, :, 0], network.head.weight[0]
        yield self.head_bias[place], network.head.bias

    @torch.no_grad()
    def load(self, place: int, network: FusionNetwork) -> None:
        """Take over the weights of a member's own network."""
        for stacked, own in self.pairs(place, network):
            stacked.copy_(own)

    @torch.no_grad()
    def unload(self, place: int, network: FusionNetwork) -> None:
        """Put a member's weights into a network of its own."""
        for stacked, own in self.pairs(place, network):
            own.copy_(stacked)


def _operation(block: str, designs: Sequence[FusionDesign], live: Sequence[set[str]]) -> type[StackedOperation]:
    if block == "cross0":
        return StackedAdd
    names = {design.operation(block) for design, alive in zip(designs, live, strict=True) if block in alive}
    if len(names) > 1 or not names <= set(STACKED_OPERATIONS):
        known = ", ".join(STACKED_OPERATIONS)
        raise DesignError(f"designs of a stack must merge {block} by one of {known}, got {', '.join(sorted(names))}")
    return STACKED_OPERATIONS[names.pop()]


def _unknown(block: nn.Module) -> DesignError:
    return DesignError(f"a stack has plain crosses and plain deep blocks only, not {block}")
