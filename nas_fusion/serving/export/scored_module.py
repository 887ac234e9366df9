"""`ScoredModule`: what is exported of a model, and what it is called with."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.field_shapes import FieldForm, FieldShape, id_column_count, value_fields_of

INPUTS = ("ids", "values")
OUTPUTS = ("probability", "logit")

EXAMPLE_ROWS = 3
"""Of what an exporter sees; one row alone it may take for a size that never changes."""


class ScoredModule(nn.Module):
    """A network that gives probabilities beside its logits; a copy, without anything that learns.

    Args:
        module: called with ids and values, returns logits ``[batch]``.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(module)
        self.eval().requires_grad_(False)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Return the probability of a click and the logit, ``[batch]`` both."""
        logits = self.module(ids, values)
        return torch.sigmoid(logits), logits


def example_inputs(shapes: Sequence[FieldShape]) -> tuple[Tensor, ...]:
    """Rows of the right types and shapes: ids int64 ``[row, id column]``, and values float32 if any field has them."""
    ids = torch.zeros(EXAMPLE_ROWS, id_column_count(shapes), dtype=torch.long)
    values = torch.zeros(EXAMPLE_ROWS, len(value_fields_of(shapes)))
    return (ids, values) if has_values(shapes) else (ids,)


def has_values(shapes: Sequence[FieldShape]) -> bool:
    """Whether the model is called with values, too."""
    return any(shape.form in (FieldForm.SCALED, FieldForm.INTERPOLATED) for shape in shapes)
