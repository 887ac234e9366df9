"""The computation that supernet and derived models share: embedding, then block after block, then the logit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.design import EMBEDDING, OUTPUT
from nas_fusion.nn.blocks import BeginsWithMap, Features
from nas_fusion.nn.derived_nodes import HardFusion
from nas_fusion.nn.embedding import FieldEmbedding


class Ensemble(nn.Module):
    """Several networks for the same fields; their logits are averaged.

    Deep ensembles (Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017): what differs between trainings from different
    first weights is mostly noise, and an average has less of it.

    Args:
        members: called with ids and values, each returns logits ``[batch]``.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, " batch"]:
        """The mean of the members' logits.

        Args:
            ids, values: as of `FusionNetwork.forward`.
        """
        return torch.stack([member(ids, values) for member in self.members]).mean(0)


class FusionNetwork(nn.Module):
    """A CTR model whose blocks merge their inputs by exchangeable fusion nodes.

    Args:
        embedding: the field embeddings, of width D.
        nodes: for every block but the embedding, in the order of the computation, the module that merges its inputs:
            called with the list of inputs and the embedding, returns ``[batch, D]``.
        sources: for every block of `nodes`, the blocks whose outputs its node is called with.
        blocks: for every block of `nodes` but the output, the module called with the fused input and the embedding.
        head: maps the output's fused input to the logit.
    """

    def __init__(
        self,
        embedding: FieldEmbedding,
        nodes: Mapping[str, nn.Module],
        sources: Mapping[str, Sequence[str]],
        blocks: Mapping[str, nn.Module],
        head: nn.Linear,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.nodes = nn.ModuleDict(nodes)
        self.blocks = nn.ModuleDict(blocks)
        self.head = head
        # Names, not modules: a module in two places would be saved twice.
        self.sources = {block: tuple(sources[block]) for block in nodes}

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the logits ``[batch]`` of ids ``[batch, id column]`` and values ``[batch, value]``."""
        embedding = self.embedding(ids, values)
        # The nodes are in the order of the computation, so every source is there when it is asked for.
        outputs: dict[str, Features] = {EMBEDDING: embedding}
        for block, node in self.nodes.items():
            # The embedding goes along: crosses multiply by it, and a node without inputs needs its shape.
            inputs = [outputs[source] for source in self.sources[block]]
            after = self.head if block == OUTPUT else self.blocks[block]
            if isinstance(node, HardFusion) and node.can_map(inputs) and not _is_watched(node, after):
                if block == OUTPUT:
                    outputs[block] = node.mapped(inputs, embedding, self.head)
                    continue
                if isinstance(after, BeginsWithMap):
                    outputs[block] = after.after(node.mapped(inputs, embedding, after.linear))
                    continue
            fused = node(inputs, embedding)
            outputs[block] = after(fused) if block == OUTPUT else after(fused, embedding)
        return outputs[OUTPUT].squeeze(-1)


def _is_watched(*modules: nn.Module) -> bool:
    """Whether a forward hook waits for one of the modules, or for a part of one: then each has to be called."""
    parts = (part for module in modules for part in module.modules())
    return any(part._forward_hooks or part._forward_pre_hooks for part in parts)
