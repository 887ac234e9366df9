"""What a cell says: a value, a number, or that it is missing; and the two ways to read a column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias, Union

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.errors import shown as quoted

NUMBER = re.compile(r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[iI][nN][fF]([iI][nN][iI][tT][yY])?)$")
"""A decimal number as text; infinity is one, too, though a field takes it as missing."""

COMMA_NUMBER = r"^([+-]?)((?:\d{1,3}(?:\.\d{3})+|\d*)),(\d*(?:[eE][+-]?\d+)?)$"
"""A number with a decimal comma; dots may stand between its thousands."""

DECORATED = (
    r"^[+-]?[$€£¥]? ?[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d{1,3}(?:['’_]\d{3})+|\d+)"
    r"(?:\.\d+)? ?[%$€£¥]?$"
).replace(r"\u00a0\u202f", "\u00a0\u202f")
"""A number with a currency, a percent sign, or one sort of sign between its thousands."""

DECORATION = "[^0-9.+-]"

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Mypy knows no Arrow, and takes no `|` between what it does not know.
ArrowColumn: TypeAlias = Union[pa.Array, pa.ChunkedArray]  # noqa: UP007
ArrowRows: TypeAlias = Union[pa.Table, pa.RecordBatch]  # noqa: UP007

BLANKS = " \t\n\r\v\f\u00a0"
"""What is trimmed: blanks of ASCII, and the no-break space."""

SPACE, NO_BREAK = 0x20, 0xA0
"""A byte up to the first, or the last byte of a no-break space, shows that there may be something to trim."""


class CellError(Exception):
    """A cell cannot be used; a `Chunk` knows where it stands and turns this into a `DataError`.

    Args:
        message: what is wrong.
        index: 0-based position of the first bad cell in the column, or None if the whole column is to blame.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


COMMON_MARKS = (
    *("\\N", "NULL", "Null", "null", "(null)", "None", "nil"),  # Hive and databases, Python, Lua
    *("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "NaT"),  # R, Excel, pandas, C
    *("-", "?", "."),  # web servers, UCI, SAS
)
"""Texts that mean: there is no value. Written in all lower case, "none" and "na" are words of their own."""


@dataclass(frozen=True)
class CellRules:
    """How cells that are text are read. Blanks around a cell never count, and the empty text is missing.

    Args:
        marks: texts that are missing values.
        decimal: "." or ",", which then may have dots between thousands.
    """

    marks: tuple[str, ...] = COMMON_MARKS
    decimal: str = "."

    def clean(self, values: pa.Array) -> pa.Array:
        """Texts (large_string ``[values]``) as they are meant: trimmed, null where missing, with decimal points."""
        if _may_have_blanks(values):
            values = pc.utf8_trim(values, characters=BLANKS)
        missing = pc.is_in(values, value_set=self._missing) if self.marks else pc.equal(values, "")
        if pc.any(missing).as_py():
            values = pc.if_else(missing, pa.scalar(None, values.type), values)
        return with_points(values) if self.decimal == "," else values

    @cached_property
    def marked_numbers(self) -> FloatArray:
        """The marks that are numbers, -999 for instance, float64 ``[marks]``."""
        return np.array([float(m) for m in self.marks if NUMBER.match(m)], np.float64)

    @cached_property
    def _missing(self) -> pa.Array:
        return pa.array(["", *self.marks], pa.large_string())


COMMON_RULES = CellRules()
"""What holds for cells of which nobody says anything else."""


def with_points(values: pa.Array) -> pa.Array:
    """Texts (large_string) in which numbers with a decimal comma have a decimal point; other texts as they are."""
    found = pc.match_substring_regex(values, COMMA_NUMBER)
    if not pc.any(found).as_py():
        return values
    pointed = pc.replace_substring(pc.replace_substring(values, ".", ""), ",", ".")
    return pc.if_else(found, pointed, values)


def undecorated(column: ArrowColumn) -> ArrowColumn:
    """A column of texts in which numbers stand without currency, percent sign and signs between thousands."""
    array = plain(column)
    if pa.types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, undecorated(array.dictionary))
    if not is_text(array.type):
        return array
    found = pc.match_substring_regex(array, DECORATED)
    return pc.if_else(found, pc.replace_substring_regex(array, DECORATION, ""), array)


def _may_have_blanks(values: pa.Array) -> bool:
    if not len(values) or values.buffers()[2] is None:
        return False
    data = np.frombuffer(values.buffers()[2], np.uint8)
    return bool(((data <= SPACE) | (data == NO_BREAK)).any())


class Categories(NamedTuple):
    """A column as its different values and, per row, the position of its value.

    `values` is an Arrow array of large_string, ``[values]``; `codes` is int64 ``[rows]``, -1 where the cell is missing.
    """

    values: pa.Array
    codes: IntArray

    def take(self, rows: Mask) -> Categories:
        """The rows where the mask, bool ``[rows]``, is true."""
        return Categories(self.values, self.codes[rows])

    def counts(self) -> IntArray:
        """How often every value occurs, int64 ``[values]``."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values)).astype(np.int64)


def categories(column: ArrowColumn, rules: CellRules = COMMON_RULES) -> Categories:
    """The different values of a column, as text, and every row's position among them.

    Raises:
        CellError: the column's type (a list, a struct) has no text form.
    """
    array = plain(column)
    try:
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        values = encoded.dictionary.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CellError(f"a column of type {array.type} cannot be a field") from error
    codes = _positions(encoded.indices)
    cleaned = rules.clean(values)
    if cleaned is values and not values.null_count:
        return Categories(values, codes)
    # Some values are missing, and two may have become one.
    merged = cleaned.dictionary_encode()
    places = np.append(_positions(merged.indices), -1)
    return Categories(merged.dictionary, places[codes])


def _positions(indices: pa.Array, missing: int = -1) -> IntArray:
    """Positions in a dictionary, int64 of the same length, and another number where there is none."""
    filled = indices.fill_null(missing) if indices.null_count else indices
    return np.asarray(filled).astype(np.int64)


class Numbers(NamedTuple):
    """A column as numbers.

    `values` is float64 ``[rows]``, finite, or NaN where the cell is missing, infinite or odd; `infinite` and `odd`
    (present, but no number) are bool ``[rows]``.
    """

    values: FloatArray
    infinite: Mask
    odd: Mask


class NumberCodes(NamedTuple):
    """A column of numbers as its different cells, and per row the position of its cell.

    `cells` are ``[cells]``, the last of them missing; `codes` int64 ``[rows]``, or None where row and cell are one.
    """

    cells: Numbers
    codes: IntArray | None

    def rows(self) -> Numbers:
        """The numbers of the rows."""
        if self.codes is None:
            return self.cells
        values, infinite, odd = self.cells
        return Numbers(values[self.codes], infinite[self.codes], odd[self.codes])


def numbers(column: ArrowColumn, rules: CellRules = COMMON_RULES) -> Numbers:
    """A column as numbers.

    Raises:
        CellError: the column's type is neither a number nor a text.
    """
    return number_codes(column, rules).rows()


def number_codes(column: ArrowColumn, rules: CellRules = COMMON_RULES) -> NumberCodes:
    """The same, each different cell once where the column has a dictionary.

    Raises:
        CellError: the column's type is neither a number nor a text.
    """
    array = plain(column)
    if not pa.types.is_dictionary(array.type):
        return NumberCodes(_numbers(array, rules), None)
    cells = pa.concat_arrays([array.dictionary, pa.nulls(1, array.dictionary.type)])
    return NumberCodes(_numbers(cells, rules), _positions(array.indices, missing=len(array.dictionary)))


def _numbers(array: pa.Array, rules: CellRules) -> Numbers:
    found = _cast(array, rules)
    if found is None:
        found, odd = _read_texts(array, rules)
    else:
        odd = np.zeros(len(array), np.bool_)
    if len(rules.marked_numbers):
        found = np.where(np.isin(found, rules.marked_numbers), np.nan, found)
    infinite = np.isinf(found)
    return Numbers(np.where(infinite, np.nan, found) if infinite.any() else found, infinite, odd)


def _cast(array: pa.Array, rules: CellRules) -> FloatArray | None:
    """The numbers as Arrow reads them; None where texts have to be looked at one by one."""
    if is_text(array.type) and rules.decimal != ".":
        return None  # Arrow would take the dots of thousands for decimal points
    try:
        cast = array.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if is_text(array.type):
            return None
        raise CellError(f"expected numbers, found a column of type {array.type}") from error
    return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)


def _read_texts(array: pa.Array, rules: CellRules) -> tuple[FloatArray, Mask]:
    """The numbers among the texts, float64 ``[rows]``, and which texts are neither numbers nor missing."""
    texts = categories(array, rules)
    good = pc.fill_null(pc.match_substring_regex(texts.values, NUMBER.pattern), False)
    cast = pc.if_else(good, texts.values, pa.scalar(None, texts.values.type)).cast(pa.float64())
    values = np.append(np.asarray(cast.to_numpy(zero_copy_only=False), np.float64), np.nan)  # -1 picks the last
    odd = np.append(~np.asarray(good), np.False_)
    return values[texts.codes], odd[texts.codes]


def plain(column: ArrowColumn) -> pa.Array:
    """A column as one array, whether it was one or chunked; NaN becomes null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of the text types."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def shown(cell: pa.Scalar) -> str:
    """A cell of an Arrow array as a message shows it."""
    value = cell.as_py()
    return "an empty cell" if value is None or value == "" else quoted(value)
