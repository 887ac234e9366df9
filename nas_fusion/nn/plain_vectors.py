"""The vectors of fields in operations that any exporter can write down."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.field_shapes import FieldForm, FieldShape, columns_of

Vectors = Float[Tensor, "batch field width"]


class PlainVectors(nn.Module):
    """One vector per field, as `FieldForm` says; has no weights.

    `nas_fusion.nn.field_terms` makes the same sums faster, but of tensors whose sizes depend on the ids. Here every
    size follows from the number of rows: pads stay, and count zero times.

    Args:
        shapes: of the fields, at least one.
    """

    order: Tensor

    def __init__(self, shapes: Sequence[FieldShape]) -> None:
        super().__init__()
        groups = _groups(shapes)
        self.groups = nn.ModuleList(_GROUPS[form](shapes, fields) for form, fields in groups)
        # The vectors come group after group: where each field's is among them.
        places = torch.tensor([field for _, fields in groups for field in fields]).argsort()
        self.register_buffer("order", places, persistent=False)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None, table: nn.Embedding
    ) -> Vectors:
        """Return the vectors ``[batch, field, width]``.

        Args:
            ids: ``[batch, id column]``.
            values: ``[batch, value column]``; None where no field has a value.
            table: the vectors of all fields' ids, field after field.
        """
        return torch.cat([group(ids, values, table) for group in self.groups], dim=1).index_select(1, self.order)


def _groups(shapes: Sequence[FieldShape]) -> list[tuple[FieldForm, list[int]]]:
    """The fields of every form; every list by itself, as each has a length of its own."""
    groups: list[tuple[FieldForm, list[int]]] = []
    for form in FieldForm:
        fields = [field for field, shape in enumerate(shapes) if shape.form is form]
        groups += [(form, [field]) for field in fields] if form is FieldForm.LIST else [(form, fields)]
    return [(form, fields) for form, fields in groups if fields]


class _Group(nn.Module):
    """Fields of one form.

    Attributes:
        columns, value_columns: of the ids, and of the values, that are theirs.
        firsts, lasts: the first and the last row of the table for each field.
    """

    columns: Tensor
    value_columns: Tensor
    firsts: Tensor
    lasts: Tensor

    def __init__(self, shapes: Sequence[FieldShape], fields: Sequence[int]) -> None:
        super().__init__()
        columns, value_columns = columns_of(shapes, fields)
        ends = torch.tensor([shape.size for shape in shapes]).cumsum(0)[list(fields)]
        sizes = torch.tensor([shapes[field].size for field in fields])
        numbers = {
            "columns": torch.tensor(columns),
            "value_columns": torch.tensor(value_columns, dtype=torch.long),
            "firsts": ends - sizes,
            "lasts": ends - 1,
        }
        # Not persistent: all of it follows from the shapes.
        for name, tensor in numbers.items():
            self.register_buffer(name, tensor, persistent=False)

    def rows(self, ids: Tensor) -> Tensor:
        """Rows of the table, ``[batch, id column]``."""
        return ids.index_select(1, self.columns) + self.firsts

    def shares(self, values: Tensor | None, table: nn.Embedding) -> Tensor:
        """The fields' values, ``[batch, field, 1]``."""
        assert values is not None
        return values.index_select(1, self.value_columns).to(table.weight.dtype).unsqueeze(2)


class _Ids(_Group):
    def forward(self, ids: Tensor, values: Tensor | None, table: nn.Embedding) -> Tensor:
        return table(self.rows(ids))


class _Scaled(_Group):
    def forward(self, ids: Tensor, values: Tensor | None, table: nn.Embedding) -> Tensor:
        return self.shares(values, table) * table(self.rows(ids))


class _Interpolated(_Group):
    def forward(self, ids: Tensor, values: Tensor | None, table: nn.Embedding) -> Tensor:
        rows, share = self.rows(ids), self.shares(values, table)
        following = torch.minimum(rows + (share.squeeze(2) > 0), self.lasts)
        return (1 - share) * table(rows) + share * table(following)


class _List(_Group):
    def forward(self, ids: Tensor, values: Tensor | None, table: nn.Embedding) -> Tensor:
        rows = self.rows(ids)
        there = (rows >= self.firsts).to(table.weight.dtype).unsqueeze(2)
        # A pad stands before the field's first row; whatever row is looked up for it counts zero times.
        items = table(torch.maximum(rows, self.firsts))
        return (there * items).sum(1, keepdim=True) / there.sum(1, keepdim=True)


_GROUPS: dict[FieldForm, type[_Group]] = {
    FieldForm.ID: _Ids,
    FieldForm.SCALED: _Scaled,
    FieldForm.INTERPOLATED: _Interpolated,
    FieldForm.LIST: _List,
}
