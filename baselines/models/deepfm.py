"""DeepFM: a factorisation machine beside a dense network."""

from __future__ import annotations

from torch import nn

from nas_fusion.baselines.models.handmade_model import FrappeResult, HandMade, tower_defaults, tuned_tower
from nas_fusion.baselines.models.model_parts import Ids, LinearPart, Logits, TowerHead, Values, fm_term, vectors_of
from nas_fusion.baselines.models.model_shape import ModelShape


class DeepFM(nn.Module):
    """``Σ_f w_f + Σ_{i<j} ⟨v_i, v_j⟩ + w · tower(e) + b`` on the same vectors (Guo et al., IJCAI 2017, eq. 1 and 2)."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.linear = LinearPart(shape)
        self.embedding = shape.make_embedding()
        self.deep = TowerHead(self.embedding.width, shape)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        embedding = self.embedding(ids, values)
        # The same vectors serve both parts: that is the model's point against Wide&Deep.
        second_order = fm_term(vectors_of(embedding, self.shape))
        return self.linear(ids, values) + second_order + self.deep(embedding)


DEEPFM_ENTRY = HandMade(
    "deepfm",
    "DeepFM: a factorisation machine beside a dense network (Guo et al., IJCAI 2017)",
    DeepFM,
    tower=tower_defaults(0.2),
    distributions=tuned_tower(),
    frappe=FrappeResult(0.983947, 0.149462, 5, 0.05, 423_280),
)
