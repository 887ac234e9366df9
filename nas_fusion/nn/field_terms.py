"""Which rows of an embedding table make up each field's vector, and with what weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.field_shapes import FieldForm, FieldShape


class Terms(NamedTuple):
    """Vectors as weighted sums of rows of a table, one after the other: vector v sums the terms from ``starts[v]`` on.

    `rows` and `weights` are ``[term]``, `starts` is ``[vector]``; the vectors are those of the first row of the batch
    in the order of its fields, then those of the second, and so on.
    """

    rows: Int[Tensor, " term"]
    weights: Float[Tensor, " term"]
    starts: Int[Tensor, " vector"]


class FieldTerms(nn.Module):
    """Makes the `Terms` of a batch of rows; has no weights.

    A field of ids is one term of weight 1, a scaled one a term of its value. An interpolated one is two terms,
    ``1 - t`` of its id and t of the next one; where t is 0, the second is the id once more, so that nothing touches a
    vector that the row has nothing to do with. A list has a term for each item, ``1 / items``, and none for pads.

    Args:
        shapes: of the fields, at least one.
    """

    offsets: Tensor
    source: Tensor
    lasts: Tensor
    first_terms: Tensor
    scaled: Tensor
    scaled_values: Tensor
    lower: Tensor
    upper: Tensor
    interpolated_values: Tensor
    list_terms: Tensor
    list_fields: Tensor

    def __init__(self, shapes: Sequence[FieldShape]) -> None:
        super().__init__()
        self.fields = len(shapes)
        self.has_lists = any(shape.form is FieldForm.LIST for shape in shapes)
        base = column = value = 0
        places: dict[str, list[int]] = {name: [] for name in type(self).__annotations__}
        for number, shape in enumerate(shapes):
            term = len(places["source"])
            places["first_terms"].append(term)
            columns = list(range(column, column + shape.columns))
            if shape.form is FieldForm.INTERPOLATED:
                columns = [column, column]
                places["lower"].append(term)
                places["upper"].append(term + 1)
                places["lasts"].append(base + shape.size - 1)
                places["interpolated_values"].append(value)
            elif shape.form is FieldForm.SCALED:
                places["scaled"].append(term)
                places["scaled_values"].append(value)
            elif shape.form is FieldForm.LIST:
                places["list_terms"] += range(term, term + shape.columns)
                places["list_fields"] += [number] * shape.columns
            places["source"] += columns
            places["offsets"] += [base] * len(columns)
            base, column, value = base + shape.size, column + shape.columns, value + shape.form.has_value
        # Not persistent: all of it follows from the shapes.
        for name, numbers in places.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.long), persistent=False)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None, like: Tensor
    ) -> Terms:
        """Return the terms of rows.

        Args:
            ids: ``[batch, id column]``.
            values: ``[batch, value column]``; None where no field has a value.
            like: has the type and the device of the weights.
        """
        picked = ids.index_select(1, self.source)
        rows = picked + self.offsets
        weights = torch.ones(rows.shape, dtype=like.dtype, device=like.device)
        if values is not None:
            self._weigh(rows, weights, values.to(like.dtype))
        if self.has_lists:
            return self._without_pads(rows, weights, picked >= 0)
        starts = torch.arange(0, rows.numel(), rows.shape[1], device=rows.device).unsqueeze(1) + self.first_terms
        return Terms(rows.flatten(), weights.flatten(), starts.flatten())

    def _weigh(
        self,
        rows: Int[Tensor, "batch term"],
        weights: Float[Tensor, "batch term"],
        values: Float[Tensor, "batch value"],
    ) -> None:
        """Put values into the weights, and the next id into every upper term, in place."""
        weights.index_copy_(1, self.scaled, values.index_select(1, self.scaled_values))
        share = values.index_select(1, self.interpolated_values)
        weights.index_copy_(1, self.lower, 1 - share)
        weights.index_copy_(1, self.upper, share)
        following = rows.index_select(1, self.upper) + (share > 0)
        rows.index_copy_(1, self.upper, torch.minimum(following, self.lasts))

    def _without_pads(
        self, rows: Int[Tensor, "batch term"], weights: Float[Tensor, "batch term"], there: Tensor
    ) -> Terms:
        # Up to each term, how many are there: that is where its field begins once pads are gone.
        before = there.flatten().cumsum(0) - there.flatten().long()
        starts = before.view(there.shape)[:, self.first_terms].flatten()
        lengths = torch.diff(starts, append=there.sum().unsqueeze(0)).view(-1, self.fields)
        shares = lengths.to(weights.dtype).reciprocal()
        weights.index_copy_(1, self.list_terms, shares.index_select(1, self.list_fields))
        return Terms(rows[there], weights[there], starts)
