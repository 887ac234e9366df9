"""FinalMLP: two dense towers on differently gated embeddings, merged by a bilinear form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from optuna.distributions import CategoricalDistribution, IntDistribution
from torch import Tensor, nn

from nas_fusion.baselines.models.handmade_model import LAYERS, WIDTH, FrappeResult, HandMade, tuned_tower
from nas_fusion.baselines.models.model_parts import Ids, Logits, Tower, Values, positive
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import columns_of
from nas_fusion.nn import FieldEmbedding
from nas_fusion.nn.blocks import Features


class Context(nn.Module):
    """What a gate looks at: new embeddings of some fields, or a learnt vector, the same for all rows.

    Args:
        shape: the fields and their width.
        fields: indices of the context fields; none: the learnt vector, which starts at zero.

    Raises:
        OptionError: an index is twice in it, or none of a field.
    """

    columns: Tensor
    value_columns: Tensor

    def __init__(self, shape: ModelShape, fields: Sequence[int]) -> None:
        super().__init__()
        shapes = shape.fields.shapes
        if any(not 0 <= f < len(shapes) for f in fields) or len(set(fields)) < len(fields):
            raise OptionError("context", f"different field indices below {len(shapes)}", tuple(fields))
        # Three numberings: of a field among the fields, of its ids among their columns, and of its value among those.
        id_columns, value_columns = columns_of(shapes, fields)
        self.register_buffer("columns", torch.tensor(id_columns, dtype=torch.long), persistent=False)
        self.register_buffer("value_columns", torch.tensor(value_columns, dtype=torch.long), persistent=False)
        self.embedding: FieldEmbedding | None = None
        self.width = max(1, len(fields)) * shape.emb_dim
        if fields:
            self.embedding = FieldEmbedding([shapes[f] for f in fields], shape.emb_dim)
        else:
            # One row, which broadcasts: without a context field the gate is the same for all rows.
            self.vector = nn.Parameter(torch.zeros(1, self.width))

    def forward(self, ids: Ids, values: Values | None) -> Float[Tensor, "#batch context"]:
        """Return the context, ``[batch, width]``; one row where it is the same for all."""
        if self.embedding is None:
            return self.vector
        return self.embedding(ids[:, self.columns], None if values is None else values[:, self.value_columns])


class FeatureGate(nn.Module):
    """``2 σ(W_2 ReLU(W_1 c + b_1) + b_2) ⊙ e`` with c the context (stream-specific feature selection).

    Args:
        shape: the fields and their width.
        fields: indices of the context fields.
        hidden: width of the gate's hidden layer.
    """

    def __init__(self, shape: ModelShape, fields: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.context = Context(shape, fields)
        self.hidden = nn.Linear(self.context.width, positive("gate_width", hidden))
        self.scores = nn.Linear(hidden, shape.width)

    def forward(self, embedding: Features, ids: Ids, values: Values | None) -> Features:
        """Return the gated embedding, ``[batch, width]`` as the embedding."""
        context = self.context(ids, values)
        # Twice, so that a gate in its middle leaves a feature as it is.
        return 2 * torch.sigmoid(self.scores(torch.relu(self.hidden(context)))) * embedding


class BilinearFusion(nn.Module):
    """``w_x · x + w_y · y + b + Σ_h x_hᵀ W_h y_h`` with x and y cut into heads (multi-head bilinear fusion).

    Args:
        first, second: number of features of x and of y.
        heads: into how many parts they are cut; divides both.

    Raises:
        OptionError: it does not.
    """

    def __init__(self, first: int, second: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or first % heads or second % heads:
            raise OptionError("heads", f"a positive divisor of the streams' last widths {first} and {second}", heads)
        self.heads = heads
        self.linear = nn.Linear(first + second, 1)
        self.weight = nn.Parameter(torch.empty(heads, first // heads, second // heads))
        nn.init.normal_(self.weight, std=math.sqrt(2 / (self.weight.numel() + 1)))  # as the authors' code

    def forward(self, first: Float[Tensor, "batch first"], second: Float[Tensor, "batch second"]) -> Logits:
        """Return the logits ``[batch]``."""
        heads = self.heads
        # All heads in one product; cut into h parts, the form has h times fewer weights.
        mapped = torch.einsum("bhx,hxy->bhy", first.unflatten(1, (heads, -1)), self.weight)
        products = (mapped.flatten(1) * second).sum(dim=1)
        return self.linear(torch.cat([first, second], dim=1)).squeeze(-1) + products


class FinalMLP(nn.Module):
    """Two towers, each on its own gating of the embedding, merged by a bilinear form (Mao et al., AAAI 2023).

    A gate's context has embeddings of its own, as in the authors' code. Which fields are in it is the user's to say
    (they take the user's and the item's); without any it is a learnt vector.

    Args:
        shape: `hidden` is the first stream's; batch norm and dropout are both streams'.
        second_hidden: widths of the second stream's layers.
        gate_width: width of the gates' hidden layer.
        heads: of the bilinear form; divides the last width of both streams.
        first_context, second_context: indices of the fields that the gates look at.
    """

    def __init__(
        self,
        shape: ModelShape,
        second_hidden: Sequence[int] = (100,),
        gate_width: int = 400,
        heads: int = 5,
        first_context: Sequence[int] = (),
        second_context: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.embedding = shape.make_embedding()
        self.first_gate = FeatureGate(shape, first_context, gate_width)
        self.second_gate = FeatureGate(shape, second_context, gate_width)
        self.first = Tower(shape.width, shape)
        self.second = Tower(shape.width, shape, second_hidden)
        self.fusion = BilinearFusion(self.first.width, self.second.width, heads)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        embedding = self.embedding(ids, values)
        first = self.first(self.first_gate(embedding, ids, values))
        return self.fusion(first, self.second(self.second_gate(embedding, ids, values)))


HEADS = (1, 2, 5, 10)
"""They divide every hidden width that is tuned."""


def _finalmlp(shape: ModelShape, second_layers: int, second_width: int, **own: Any) -> FinalMLP:
    return FinalMLP(shape, (second_width,) * second_layers, **own)


FINALMLP_ENTRY = HandMade(
    "finalmlp",
    "FinalMLP: two gated dense networks merged by a bilinear form (Mao et al., AAAI 2023)",
    _finalmlp,
    tower={"hidden_layers": 1, "hidden_width": 400, "batch_norm": True, "dropout": 0.4},
    # On frappe BARS's contexts are the user and the item; which fields those are is not known here.
    own={
        "second_layers": 1,
        "second_width": 100,
        "gate_width": 400,
        "heads": 5,
        "first_context": (),
        "second_context": (),
    },
    own_bounds={"second_layers": LAYERS, **dict.fromkeys(("second_width", "gate_width", "heads"), WIDTH)},
    distributions=tuned_tower(
        second_layers=IntDistribution(1, 4),
        second_width=IntDistribution(100, 800, step=100),
        heads=CategoricalDistribution(HEADS),
    ),
    frappe=FrappeResult(0.986072, 0.148415, 1, 0.05, 253_392),
)
