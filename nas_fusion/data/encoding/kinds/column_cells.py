"""Cells as a field sees them: values (`value_cells`), numbers (`number_cells`), lists (`list_cells`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.schema import CellForm, CellPart
from nas_fusion.data.sources.arrow_types import is_list
from nas_fusion.data.sources.cells import (
    ArrowColumn,
    Categories,
    CellError,
    FloatArray,
    IntArray,
    categories,
    plain,
    shown,
)
from nas_fusion.data.sources.chunk import Chunk, Repeated
from nas_fusion.data.times import NO_TIME, TimeForm, read_times

WHOLE_NUMBER = r"^([+-]?\d+)\.0*$"
"""A whole number that is written as a fraction; its first part is the number."""

BRACKETS = r"^\s*\[(.*)\]\s*$"
QUOTES = r"""^["'](.*)["']$"""

HOUR, DAY = 3_600_000_000, 86_400_000_000
"""In microseconds."""

EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


def value_cells(chunk: Chunk, column: str, cells: CellForm) -> Categories:
    """A column as its different values and every row's position among them.

    Raises:
        DataError: there is no such column, or its type has no text form.
    """
    found = chunk.categories(column)
    return as_whole(found) if cells.whole else found


def as_whole(found: Categories) -> Categories:
    """The same with 7.0 as 7."""
    return _merged(pc.replace_substring_regex(found.values, WHOLE_NUMBER, r"\1"), found.codes)


def number_cells(chunk: Chunk, column: str, part: CellPart, cells: CellForm) -> Repeated:
    """A column, or a part of its cells, as numbers; NaN where missing.

    Raises:
        DataError: there is no such column, or a cell is none of what it has to be.
    """
    if part is CellPart.WHOLE:
        return chunk.repeated_numbers(column, odd_is_missing=cells.odd_allowed, decorated=cells.decorated)
    if part is CellPart.LENGTH:
        found = list_cells(chunk, column, cells)
        return Repeated(np.where(found.missing, np.nan, found.lengths))
    with chunk.naming(column):
        moments = read_times(chunk.column(column), TimeForm(cells.time), chunk.rules)
    return Repeated(np.where(moments == NO_TIME, np.nan, _time_part(moments, part, cells.start)))


def _time_part(moments: IntArray, part: CellPart, start: int) -> FloatArray:
    if part is CellPart.HOUR:
        return (moments // HOUR % 24).astype(np.float64)
    if part is CellPart.WEEKDAY:
        return ((moments // DAY + EPOCH_WEEKDAY) % 7).astype(np.float64)
    return (moments.astype(np.float64) - start) / DAY


class Lists(NamedTuple):
    """A column of lists.

    `items` are all items of all rows, front to back, none of them missing; `lengths` says how many of them each row
    has, int64 ``[rows]``; `missing` which rows have no list at all, bool ``[rows]``.
    """

    items: Categories
    lengths: IntArray
    missing: npt.NDArray[np.bool_]


def list_cells(chunk: Chunk, column: str, cells: CellForm) -> Lists:
    """A column as lists: by its type, or texts in which a delimiter stands between the items.

    Brackets around a text and quotes around an item do not count, and items without a value are left out.

    Raises:
        DataError: there is no such column, or it holds no lists.
    """
    if not cells.delimiter or is_list(chunk.column(column).type):
        with chunk.naming(column):
            return _lists(_typed_lists(chunk.column(column)), chunk)
    found = chunk.categories(column)
    texts = pc.replace_substring_regex(found.values, BRACKETS, r"\1")
    return _lists(pc.split_pattern(texts, cells.delimiter).take(pa.array(found.codes, mask=found.codes < 0)), chunk)


def _typed_lists(column: ArrowColumn) -> pa.Array:
    array = plain(column)
    if is_list(array.type):
        return array.cast(pa.large_list(array.type.value_type))
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.large_list(pa.large_string()))
    index = int(np.asarray(array.is_valid()).argmax())
    raise CellError(f"expected a list, found {shown(array[index])}", index)


def _lists(lists: pa.Array, chunk: Chunk) -> Lists:
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
    rows = np.repeat(np.arange(len(lists)), lengths)
    items = categories(pc.list_flatten(lists), chunk.rules)
    items = _merged(pc.replace_substring_regex(items.values, QUOTES, r"\1"), items.codes)
    there = items.codes >= 0
    kept = np.bincount(rows[there], minlength=len(lists)).astype(np.int64)
    return Lists(items.take(there), kept, ~np.asarray(lists.is_valid()))


def _merged(values: pa.Array, codes: IntArray) -> Categories:
    """Values some of which have become the same."""
    merged = values.dictionary_encode()
    places = np.append(np.asarray(merged.indices).astype(np.int64), -1)  # code -1 picks the last
    return Categories(merged.dictionary.cast(pa.large_string()), places[codes])
