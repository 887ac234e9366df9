"""Field vectors once more, from the definitions of the forms: a loop over rows, fields and items."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nas_fusion.field_shapes import PAD, FieldForm, FieldShape, value_fields_of

MIXED = (
    FieldShape(5, FieldForm.INTERPOLATED),
    FieldShape(3),
    FieldShape(4, FieldForm.LIST, columns=3),
    FieldShape(2, FieldForm.SCALED),
)
"""A field of every form."""


def field_vectors(table: Tensor, shapes: Sequence[FieldShape], ids: Tensor, values: Tensor | None) -> list[Tensor]:
    """One vector ``[batch, width]`` per field."""
    found, start, column, value = [], 0, 0, 0
    for shape in shapes:
        rows = []
        for n in range(len(ids)):
            own = [int(i) for i in ids[n, column : column + shape.columns]]
            number = values[n, value] if values is not None and shape.form.has_value else torch.tensor(1.0)
            rows.append(_vector(table[start : start + shape.size], shape.form, own, number))
        found.append(torch.stack(rows))
        start, column, value = start + shape.size, column + shape.columns, value + shape.form.has_value
    return found


def _vector(table: Tensor, form: FieldForm, ids: list[int], value: Tensor) -> Tensor:
    if form is FieldForm.LIST:
        items = [table[i] for i in ids if i != PAD]
        total = torch.zeros_like(table[0])
        for item in items:
            total = total + item
        return total / len(items)
    if form is FieldForm.SCALED:
        return value * table[ids[0]]
    if form is FieldForm.INTERPOLATED and value > 0:
        following = min(ids[0] + 1, len(table) - 1)
        return (1 - value) * table[ids[0]] + value * table[following]
    return table[ids[0]]


def draw_rows(
    shapes: Sequence[FieldShape], rows: int, seed: int = 5, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor | None]:
    """Ids ``[rows, id column]`` (int32) and values ``[rows, value column]``; None where no field has one.

    A third of the interpolated values is 0, lists have from one item to as many as they hold.
    """
    draw = torch.Generator().manual_seed(seed)
    columns, values = [], []
    for shape in shapes:
        ids = torch.randint(0, shape.size, (rows, shape.columns), generator=draw)
        lengths = torch.randint(1, shape.columns + 1, (rows, 1), generator=draw)
        columns.append(torch.where(torch.arange(shape.columns) < lengths, ids, PAD))
        if shape.form is FieldForm.SCALED:
            values.append(torch.randn(rows, generator=draw, dtype=torch.float64))
        elif shape.form is FieldForm.INTERPOLATED:
            share = torch.rand(rows, generator=draw, dtype=torch.float64)
            is_exact = (torch.rand(rows, generator=draw) < 1 / 3) | (ids[:, 0] == shape.size - 1)
            values.append(torch.where(is_exact, 0.0, share))
    assert len(values) == len(value_fields_of(shapes))
    return torch.cat(columns, dim=1).int(), torch.stack(values, dim=1).to(dtype) if values else None
