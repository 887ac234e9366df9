"""IPNN: inner products of the field vectors as inputs of a dense network."""

from __future__ import annotations

import torch
from torch import nn

from nas_fusion.baselines.models.handmade_model import FrappeResult, HandMade, tower_defaults, tuned_tower
from nas_fusion.baselines.models.model_parts import Ids, Logits, TowerHead, Values, inner_products, vectors_of
from nas_fusion.baselines.models.model_shape import ModelShape


class IPNN(nn.Module):
    """``w · tower([e; p]) + b`` with ``p_ij = ⟨v_i, v_j⟩`` for every pair i < j.

    Qu et al., ICDM 2016; pairs i < j as in the authors' TOIS 2018 paper and in BARS. The first paper takes all ordered
    pairs and the squares ``⟨v_i, v_i⟩``, and has one low-rank weight matrix per hidden unit over them; here the first
    layer's weights over the pairs are free.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = shape.make_embedding()
        # The products join the vectors in front of the tower, whose first layer weighs both.
        self.deep = TowerHead(self.embedding.width + shape.pairs, shape)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        embedding = self.embedding(ids, values)
        products = inner_products(vectors_of(embedding, self.shape))
        return self.deep(torch.cat([embedding, products], dim=1))


IPNN_ENTRY = HandMade(
    "ipnn",
    "IPNN: inner products of the embeddings into a dense network (Qu et al., ICDM 2016)",
    IPNN,
    tower=tower_defaults(0.3, batch_norm=False),
    distributions=tuned_tower(),
    frappe=FrappeResult(0.984122, 0.154003, 1, 0.05, 433_491),
)
