"""Arrow columns as what the encoder needs: different values with codes, or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.errors import shown as quoted

NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
"""A finite decimal number as text."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class ColumnError(Exception):
    """A cell of a column cannot be used; whoever knows the file turns it into a `DataError`.

    Args:
        message: what is wrong.
        index: 0-based position of the first bad cell in the column, or None if the whole column is to blame.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def shown(cell: Any) -> str:
    """A cell of an Arrow array as a message shows it."""
    value = cell.as_py()
    return "an empty cell" if value is None or value == "" else quoted(value)


class Categories(NamedTuple):
    """A column as different values and, per row, the position of its value (-1: missing)."""

    values: Any  # pyarrow array of large_string
    codes: IntArray

    def take(self, rows: npt.NDArray[np.bool_]) -> Categories:
        """The chosen rows only."""
        return Categories(self.values, self.codes[rows])

    def counts(self) -> IntArray:
        """How often every value occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values)).astype(np.int64)


def plain(column: Any) -> Any:
    """A column as one array, whether it was one or chunked; NaN becomes null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


def categories(column: Any) -> Categories:
    """The different values of a column, as text, and every row's position among them.

    Null, NaN and the empty text are missing.

    Raises:
        ColumnError: the column's type (a list, a struct) has no text form.
    """
    array = plain(column)
    try:
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        values = encoded.dictionary.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ColumnError(f"a column of type {array.type} cannot be a field") from error
    codes = np.asarray(encoded.indices.cast(pa.int64()).fill_null(-1)).astype(np.int64)
    absent = np.asarray(pc.fill_null(pc.equal(values, ""), True))
    if absent.any():
        codes = np.where(codes >= 0, np.where(absent[codes], -1, codes), -1)
    return Categories(values, codes)


def numbers(column: Any) -> FloatArray:
    """A column as numbers; missing becomes NaN.

    Raises:
        ColumnError: a cell is not a finite number.
    """
    array = plain(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_text(array.type):
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, array.type), array)
    try:
        cast = array.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _bad_number(array) from error
    found = np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)
    present = np.asarray(array.is_valid())
    bad = present & ~np.isfinite(found)
    if bad.any():
        index = int(bad.argmax())
        raise ColumnError(f"expected a finite number, found {shown(array[index])}", index)
    return found


def _bad_number(array: Any) -> ColumnError:
    if not is_text(array.type):
        return ColumnError(f"expected numbers, found a column of type {array.type}")
    good = pc.match_substring_regex(array, NUMBER.pattern)
    index = int(np.asarray(pc.fill_null(good, True)).argmin())
    return ColumnError(f"expected a number, found {shown(array[index])}", index)


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of the text types."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def all_numbers(values: Any) -> bool:
    """Whether every text of an array is a finite decimal number."""
    return bool(pc.all(pc.match_substring_regex(values, NUMBER.pattern), min_count=0).as_py())


def ordered_by_value(values: Any, *, before: Sequence[tuple[str, Any]] = ()) -> IntArray:
    """The order that sorts texts as numbers if all are numbers, else as texts.

    Args:
        values: the texts.
        before: (order, array) of the keys that come first, order being "ascending" or "descending".
    """
    keys: list[tuple[str, Any]] = list(before)
    if all_numbers(values):
        keys.append(("ascending", values.cast(pa.float64())))
    keys.append(("ascending", values))
    table = pa.table({str(i): array for i, (_, array) in enumerate(keys)})
    order = pc.sort_indices(table, sort_keys=[(str(i), direction) for i, (direction, _) in enumerate(keys)])
    return np.asarray(order).astype(np.int64)
