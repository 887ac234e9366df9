"""The model of an interaction design."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.architecture import Architecture
from nas_fusion.nn import FieldEmbedding, Fields
from nas_fusion.nn.blocks import Features
from nas_fusion.search_spaces.interaction.interaction_blocks import MLP, DotProducts, FactorisationMachine, Hadamard
from nas_fusion.search_spaces.interaction.interaction_design import RAW, Block, InteractionDesign


class InteractionLayers(nn.Module):
    """Everything after the embedding: the blocks, and the head ``w · [leaves] + b``.

    Args:
        fields: of the data.
        design: a legal one.
    """

    def __init__(self, fields: Fields, design: InteractionDesign) -> None:
        super().__init__()
        self.design = design.check()
        widths = [fields.width]
        self.blocks = nn.ModuleList()
        for block in design.blocks:
            module = _module(block, [widths[i] for i in block.inputs], fields)
            # What a block gives out depends on its kind; those after it are made for that.
            widths.append(module.width)
            self.blocks.append(module)
        self.head = nn.Linear(sum(widths[i] for i in design.leaves), 1)

    def forward(self, embedding: Features) -> Float[Tensor, " batch"]:
        """Return the logits ``[batch]``."""
        outputs = [embedding]
        for module, block in zip(self.blocks, self.design.blocks, strict=True):
            outputs.append(module([outputs[i] for i in block.inputs]))
        return self.head(torch.cat([outputs[i] for i in self.design.leaves], dim=1)).squeeze(-1)


class InteractionNetwork(nn.Module):
    """The whole model.

    Args:
        fields: of the data.
        design: a legal one.

    Raises:
        DesignError: it is not legal.
    """

    def __init__(self, fields: Fields, design: InteractionDesign) -> None:
        super().__init__()
        self.embedding = FieldEmbedding.of(fields)
        self.layers = InteractionLayers(fields, design)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the logits ``[batch]``."""
        return self.layers(self.embedding(ids, values))


def interaction_network(architecture: Architecture, fields: Fields) -> InteractionNetwork:
    """The model of an architecture, with fresh weights from the current random state.

    Raises:
        DesignError: it is none of this family, or not legal.
    """
    return InteractionNetwork(fields, InteractionDesign.from_architecture(architecture))


@lru_cache(maxsize=1024)
def weights_of(fields: Fields, design: InteractionDesign) -> int:
    """Number of weights after the embedding; nothing is allocated."""
    # Shapes without numbers: a search asks this for every design that it draws.
    with torch.device("meta"):
        layers = InteractionLayers(fields, design)
    return sum(p.numel() for p in layers.parameters())


def _module(block: Block, inputs: Sequence[int], fields: Fields) -> MLP | Hadamard | FactorisationMachine | DotProducts:
    # Inputs are in ascending order and raw is 0, so it is the first of them.
    raw = fields.vectors if RAW in block.inputs else 0
    if block.kind == "mlp":
        return MLP(inputs, block.width)
    if block.kind == "hadamard":
        return Hadamard(inputs, block.width)
    kind = FactorisationMachine if block.kind == "fm" else DotProducts
    return kind(inputs, raw, fields.emb_dim)
