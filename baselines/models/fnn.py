"""A dense network on the embeddings, alone and beside a linear model."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from nas_fusion.baselines.models.handmade_model import FrappeResult, HandMade, tower_defaults, tuned_tower
from nas_fusion.baselines.models.model_parts import Ids, LinearPart, Logits, TowerHead, Values
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign
from nas_fusion.search_spaces import DesignSet


class FNN(nn.Module):
    """``w · tower(e) + b``: dense layers on the concatenated embeddings (Zhang et al., ECIR 2016).

    Left out: the paper starts its embeddings from a trained factorisation machine; here they start like every other
    model's, as in the "DNN" of the BARS benchmark.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embedding = shape.make_embedding()
        self.deep = TowerHead(self.embedding.width, shape)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        return self.deep(self.embedding(ids, values))


class WideDeep(nn.Module):
    """``Σ_f w_f + w · tower(e) + b``: a linear model beside a dense network (Cheng et al., DLRS 2016).

    Left out: the paper's wide part also has products of fields that people chose for one application, and an
    optimiser of its own (FTRL); here it has the fields themselves, as in BARS, and the optimiser of the embeddings.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.linear = LinearPart(shape)
        self.embedding = shape.make_embedding()
        self.deep = TowerHead(self.embedding.width, shape)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        # Added before the sigmoid: the two parts are trained together, they are no ensemble.
        return self.linear(ids, values) + self.deep(self.embedding(ids, values))


def deep_chain(designs: DesignSet) -> FusionDesign:
    """The deep blocks of all levels, one chain: FNN."""
    chain = [EMBEDDING, *(f"deep{i}" for i in range(1, designs.levels + 1)), OUTPUT]
    operation = "add" if "add" in designs.operations else designs.operations[0]
    return designs.build(pairwise(chain), operation)


FNN_ENTRY = HandMade(
    "fnn",
    "dense network on the embeddings (Zhang et al., ECIR 2016), without pre-training: BARS's DNN",
    FNN,
    tower=tower_defaults(0.2),
    distributions=tuned_tower(),
    # The log counts one tower and head more (364,001 weights) than such a network has.
    frappe=FrappeResult(0.984045, 0.158370, 5, 0.05, 781_892),
    design=deep_chain,
)

WIDE_DEEP_ENTRY = HandMade(
    "wide-deep",
    "Wide&Deep: a linear model beside a dense network (Cheng et al., DLRS 2016)",
    WideDeep,
    tower=tower_defaults(0.6),
    distributions=tuned_tower(),
    frappe=FrappeResult(0.983073, 0.153978, 5, 0.1, 423_280),
)
