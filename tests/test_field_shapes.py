"""What the shapes of fields say about the columns of a row, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import (
    PAD,
    FieldForm,
    FieldShape,
    columns_of,
    field_shapes_of,
    id_column_count,
    plain_shapes,
    value_fields_of,
)

MIXED = (
    FieldShape(7),
    FieldShape(2, FieldForm.SCALED),
    FieldShape(9, FieldForm.LIST, columns=4),
    FieldShape(5, FieldForm.INTERPOLATED),
)


def test_numbers_are_fields_of_ids() -> None:
    assert field_shapes_of([5, FieldShape(7)]) == (FieldShape(5, FieldForm.ID, 1), FieldShape(7))


def test_plain_values_and_back() -> None:
    plain = json.loads(json.dumps(plain_shapes(MIXED)))
    assert plain == [7, [2, "scaled", 1], [9, "list", 4], [5, "interpolated", 1]]
    assert field_shapes_of(plain) == MIXED


def test_columns_follow_from_the_forms() -> None:
    assert id_column_count(MIXED) == 7
    assert value_fields_of(MIXED) == (1, 3)
    assert (id_column_count(field_shapes_of([3, 4])), value_fields_of(field_shapes_of([3, 4]))) == (2, ())


def test_columns_of_some_fields() -> None:
    assert columns_of(MIXED, [3, 0, 2]) == ([6, 0, 2, 3, 4, 5], [1])
    assert columns_of(MIXED, range(4)) == ([0, 1, 2, 3, 4, 5, 6], [0, 1])
    assert columns_of(MIXED, []) == ([], [])


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


@pytest.mark.parametrize("plain", [[3], [3, "ids", 1], ["many", "list", 2]])
def test_what_is_no_shape_is_refused(plain: list[int | str]) -> None:
    with pytest.raises(OptionError, match="field must be a number of ids, or"):
        field_shapes_of([plain])


def test_no_fields_are_refused() -> None:
    with pytest.raises(OptionError, match="fields must be at least one field"):
        field_shapes_of([])
