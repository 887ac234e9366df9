"""What a field gives to a model: how many ids it has, and how its columns become one vector.

Plain values, shared by the data that is encoded and the models that embed it. An encoded row is two arrays: ids
(int32 ``[id column]``) and values (float32 ``[value column]``). Both go through the fields in their order; how many
columns of each a field takes follows from its form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

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


def field_shapes_of(fields: Iterable[int | FieldShape]) -> tuple[FieldShape, ...]:
    """The shapes of fields; a number stands for a field of so many ids.

    Raises:
        OptionError: there is no field, or a number is below 1.
    """
    shapes = tuple(field if isinstance(field, FieldShape) else FieldShape(int(field)) for field in fields)
    if not shapes:
        raise OptionError("fields", "at least one field", [])
    return shapes


def id_column_count(shapes: Sequence[FieldShape]) -> int:
    """The number of columns of the ids of one row."""
    return sum(shape.columns for shape in shapes)


def value_fields_of(shapes: Sequence[FieldShape]) -> tuple[int, ...]:
    """The positions of the fields with a value, in the order of the columns of the values of a row."""
    return tuple(i for i, shape in enumerate(shapes) if shape.form.has_value)
