"""What the shapes of fields say about the columns of a row, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import PAD, FieldForm, FieldShape, field_shapes_of, id_column_count, value_fields_of

MIXED = (
    FieldShape(7),
    FieldShape(2, FieldForm.SCALED),
    FieldShape(9, FieldForm.LIST, columns=4),
    FieldShape(5, FieldForm.INTERPOLATED),
)


def test_numbers_are_fields_of_ids() -> None:
    assert field_shapes_of([5, FieldShape(7)]) == (FieldShape(5, FieldForm.ID, 1), FieldShape(7))


def test_columns_follow_from_the_forms() -> None:
    assert id_column_count(MIXED) == 7
    assert value_fields_of(MIXED) == (1, 3)
    assert (id_column_count(field_shapes_of([3, 4])), value_fields_of(field_shapes_of([3, 4]))) == (2, ())


def test_a_pad_is_no_id() -> None:
    assert PAD not in range(max(shape.size for shape in MIXED))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((0,), "size must be a positive integer, got 0"),
        ((3, FieldForm.ID, 2), "columns must be 1, or of a list a positive integer, got 2"),
        ((3, FieldForm.LIST, 0), "columns must be 1, or of a list a positive integer, got 0"),
        ((1, FieldForm.INTERPOLATED), "size must be at least 2 for an interpolated field, got 1"),
    ],
)
def test_impossible_shapes_are_refused(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        FieldShape(*arguments)


def test_no_fields_are_refused() -> None:
    with pytest.raises(OptionError, match="fields must be at least one field"):
        field_shapes_of([])
