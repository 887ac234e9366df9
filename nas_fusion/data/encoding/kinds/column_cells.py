"""Cells as a field sees them: values (`value_cells`) or numbers (`number_cells`)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.schema import CellForm, CellPart
from nas_fusion.data.sources.cells import Categories, FloatArray
from nas_fusion.data.sources.chunk import Chunk

WHOLE_NUMBER = r"^([+-]?\d+)\.0*$"
"""A whole number that is written as a fraction; its first part is the number."""


def value_cells(chunk: Chunk, column: str, cells: CellForm) -> Categories:
    """A column as its different values and every row's position among them.

    Raises:
        DataError: there is no such column, or its type has no text form.
    """
    found = chunk.categories(column)
    return as_whole(found) if cells.whole else found


def as_whole(found: Categories) -> Categories:
    """The same with 7.0 as 7."""
    values = pc.replace_substring_regex(found.values, WHOLE_NUMBER, r"\1")
    merged = values.dictionary_encode()
    codes = np.append(np.asarray(merged.indices).astype(np.int64), -1)  # code -1 picks the last
    return Categories(merged.dictionary.cast(pa.large_string()), codes[found.codes])


def number_cells(chunk: Chunk, column: str, part: CellPart, cells: CellForm) -> FloatArray:
    """A column, or a part of its cells, as numbers, float64 ``[rows]``; NaN where missing.

    Raises:
        DataError: there is no such column, or a cell is none of what it has to be.
    """
    return chunk.numbers(column, odd_is_missing=cells.odd_allowed)
