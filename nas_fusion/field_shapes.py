"""What a field gives to a model: how many ids it has, and how its columns become one vector.

Plain values, shared by the data that is encoded and the models that embed it. An encoded row is two arrays: ids
(int32 ``[id column]``) and values (float32 ``[value column]``). Both go through the fields in their order; how many
columns of each a field takes follows from its form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from nas_fusion.errors import OptionError

PAD = -1
"""Stands in the id columns of a list after its last item: no item. Id 0 stays the id of a missing value."""


class FieldForm(StrEnum):
    """How the ids and the value of a field become its vector; ``E`` is the field's part of the embedding table."""

    ID = "id"
    """One id column: ``E[id]``."""

    SCALED = "scaled"
    """One id column (0 missing, 1 present) and one value column: ``value · E[id]``."""

    INTERPOLATED = "interpolated"
    """One id column and one value column t in 0 … 1: ``(1 - t) · E[id] + t · E[id + 1]``.

    Where t is 0 (an exact bin, missing, unknown, the last id), the vector is ``E[id]``.
    """

    LIST = "list"
    """Several id columns: the mean of ``E`` over the ids that are not `PAD`.

    Pads stand at the end. A list that is missing or empty is the id of a missing value, and then pads.
    """

    @property
    def has_value(self) -> bool:
        """Whether a field of this form has a value column."""
        return self in (FieldForm.SCALED, FieldForm.INTERPOLATED)


@dataclass(frozen=True)
class FieldShape:
    """What a model has to know about a field.

    Args:
        size: number of ids; ids are ``0 … size - 1``.
        form: how ids and value become a vector.
        columns: number of id columns: 1, and of a list the most items that it holds.

    Raises:
        OptionError: a number is below 1, a field that is no list has several columns, or an interpolated field has
            no two ids to interpolate between.
    """

    size: int
    form: FieldForm = FieldForm.ID
    columns: int = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError("size", "a positive integer", self.size)
        if self.columns < 1 or (self.columns > 1 and self.form is not FieldForm.LIST):
            raise OptionError("columns", "1, or of a list a positive integer", self.columns)
        if self.form is FieldForm.INTERPOLATED and self.size < 2:
            raise OptionError("size", "at least 2 for an interpolated field", self.size)


PlainShape: TypeAlias = int | Sequence[int | str]
"""A shape as JSON has it: the number of ids of a field of the form ID, else ``[size, form, columns]``."""

FieldLike: TypeAlias = FieldShape | PlainShape
"""What stands for a shape where one is asked for."""


def field_shapes_of(fields: Iterable[FieldLike]) -> tuple[FieldShape, ...]:
    """The shapes of fields.

    Raises:
        OptionError: there is no field, or one cannot be.
    """
    shapes = tuple(field if isinstance(field, FieldShape) else _shape_of(field) for field in fields)
    if not shapes:
        raise OptionError("fields", "at least one field", [])
    return shapes


def plain_shapes(shapes: Iterable[FieldShape]) -> list[PlainShape]:
    """Shapes as plain values, of which `field_shapes_of` makes them again."""
    return [
        shape.size if shape.form is FieldForm.ID else [shape.size, str(shape.form), shape.columns] for shape in shapes
    ]


def _shape_of(plain: PlainShape) -> FieldShape:
    if isinstance(plain, Sequence):
        try:
            size, form, columns = plain
            return FieldShape(int(size), FieldForm(str(form)), int(columns))
        except ValueError as error:
            raise OptionError("field", "a number of ids, or [size, form, columns]", plain) from error
    return FieldShape(int(plain))


def id_column_count(shapes: Sequence[FieldShape]) -> int:
    """The number of columns of the ids of one row."""
    return sum(shape.columns for shape in shapes)


def columns_of(shapes: Sequence[FieldShape], fields: Iterable[int]) -> tuple[list[int], list[int]]:
    """The columns of the ids, and those of the values, that some of the fields have, field after field.

    Args:
        shapes: of all fields.
        fields: positions of some of them, in any order.
    """
    ids, values = [0], [0]
    for shape in shapes:
        ids.append(ids[-1] + shape.columns)
        values.append(values[-1] + shape.form.has_value)
    chosen = list(fields)
    return (
        [column for f in chosen for column in range(ids[f], ids[f + 1])],
        [column for f in chosen for column in range(values[f], values[f + 1])],
    )


def value_fields_of(shapes: Sequence[FieldShape]) -> tuple[int, ...]:
    """The positions of the fields with a value, in the order of the columns of the values of a row."""
    return tuple(i for i, shape in enumerate(shapes) if shape.form.has_value)
