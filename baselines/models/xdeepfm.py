"""xDeepFM: a compressed interaction network beside a linear model and a dense network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from optuna.distributions import IntDistribution
from torch import nn

from nas_fusion.baselines.models.handmade_model import (
    LAYERS,
    WIDTH,
    FrappeResult,
    HandMade,
    tower_defaults,
    tuned_tower,
)
from nas_fusion.baselines.models.model_parts import (
    Ids,
    LinearPart,
    Logits,
    TowerHead,
    Values,
    Vectors,
    positive,
    vectors_of,
)
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.nn.blocks import Features


class CompressedInteractions(nn.Module):
    """CIN (Lian et al., KDD 2018, eq. 6 to 8): products of field vectors, dimension by dimension.

    ``x^k_h = Σ_ij W^k_hij (x^{k-1}_i ⊙ x^0_j)`` with x^0 the field vectors; the result is ``Σ_d x^k_hd`` of all layers.
    The activation is the identity, which the paper found best. Left out: the option of the authors' code to pass on
    only half of a layer's vectors.

    The pairs of a layer are made once, ``[batch, emb_dim, h_{k-1} · fields]``, and compressed by one matrix product.

    Args:
        fields: number of field vectors.
        widths: number of vectors h_k of each layer.
    """

    def __init__(self, fields: int, widths: Sequence[int]) -> None:
        super().__init__()
        for width in widths:
            positive("cin_widths", width)
        self.layers = nn.ModuleList(
            nn.Linear(before * fields, after, bias=False) for before, after in pairwise((fields, *widths))
        )
        self.width = sum(widths)

    def forward(self, vectors: Vectors) -> Features:
        """Return the pooled vectors of all layers, ``[batch, Σ_k h_k]``."""
        # Dimension by dimension, so the dimension is one of the batch's: ``[batch, dim, field]``.
        base = vectors.mT.contiguous()
        layer_vectors, pooled = base, []
        for layer in self.layers:
            # Always with the field vectors: the k-th layer holds products of k + 1 of them.
            pairs = torch.einsum("bdi,bdj->bdij", layer_vectors, base)
            layer_vectors = layer(pairs.flatten(2))
            # Over the dimensions only: a number for every vector, as the factorisation machine has one for every pair.
            pooled.append(layer_vectors.sum(dim=1))
        return torch.cat(pooled, dim=1)


class XDeepFM(nn.Module):
    """``Σ_f w_f + w_c · CIN(v) + w · tower(e) + b`` (Lian et al., KDD 2018, eq. 9).

    Args:
        shape: of the tower.
        cin_widths: number of vectors of each layer of the CIN, at least one layer.
    """

    def __init__(self, shape: ModelShape, cin_widths: Sequence[int] = (64,)) -> None:
        super().__init__()
        self.shape = shape
        positive("number of cin_widths", len(cin_widths))
        self.linear = LinearPart(shape)
        self.embedding = shape.make_embedding()
        self.interactions = CompressedInteractions(shape.vectors, cin_widths)
        # The logit's bias is the tower's.
        self.interactions_head = nn.Linear(self.interactions.width, 1, bias=False)
        self.deep = TowerHead(self.embedding.width, shape)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        embedding = self.embedding(ids, values)
        interactions = self.interactions(vectors_of(embedding, self.shape))
        return self.linear(ids, values) + self.interactions_head(interactions).squeeze(-1) + self.deep(embedding)


def _xdeepfm(shape: ModelShape, cin_layers: int, cin_width: int) -> XDeepFM:
    return XDeepFM(shape, (cin_width,) * cin_layers)


XDEEPFM_ENTRY = HandMade(
    "xdeepfm",
    "xDeepFM: compressed interactions beside a linear model and a dense network (Lian et al., KDD 2018)",
    _xdeepfm,
    tower=tower_defaults(0.2),
    own={"cin_layers": 1, "cin_width": 64},
    own_bounds={"cin_layers": LAYERS, "cin_width": WIDTH},
    distributions=tuned_tower(cin_layers=IntDistribution(1, 3), cin_width=IntDistribution(16, 128, log=True)),
    frappe=FrappeResult(0.984138, 0.146125, 5, 0.1, 429_809),
)
