"""A dense network on the embeddings, alone and beside a linear model."""

from __future__ import annotations

from torch import nn

from nas_fusion.baselines.models.model_parts import Ids, LinearPart, Logits, TowerHead, Values
from nas_fusion.baselines.models.model_shape import ModelShape


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
        """Return the logits."""
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
        """Return the logits."""
        return self.linear(ids, values) + self.deep(self.embedding(ids, values))
