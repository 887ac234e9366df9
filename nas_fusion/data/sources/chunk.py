"""`Chunk`: consecutive rows of a log, whose columns are read as categories or as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.source import ArrowColumn, ArrowRows, Source
from nas_fusion.errors import DataError
from nas_fusion.errors import shown as quoted

NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
"""A finite decimal number as text."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

LABEL_FORM = "a label must be 0 or 1"
CLICKS_FORM = "a number of clicks must be a non-negative integer"


class CellError(Exception):
    """A cell cannot be used; a `Chunk` knows where it stands and turns this into a `DataError`.

    Args:
        message: what is wrong.
        index: 0-based position of the first bad cell in the column, or None if the whole column is to blame.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


class Complain(Protocol):
    """Makes the error about a place: `Source.error`, say."""

    def __call__(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """The error about the 0-based `row` of a log."""


def about_rows(message: str, *, row: int | None = None, column: str | None = None) -> DataError:
    """The error about rows that come from no file: only their number is known."""
    return DataError(message, row=None if row is None else row + 1, column=column)


class Categories(NamedTuple):
    """A column as its different values and, per row, the position of its value.

    `values` is an Arrow array of large_string, ``[values]``; `codes` is int64 ``[rows]``, -1 where the cell is missing.
    """

    values: pa.Array
    codes: IntArray

    def take(self, rows: npt.NDArray[np.bool_]) -> Categories:
        """The rows where the mask, bool ``[rows]``, is true."""
        return Categories(self.values, self.codes[rows])

    def counts(self) -> IntArray:
        """How often every value occurs, int64 ``[values]``."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values)).astype(np.int64)


class Chunk:
    """Consecutive rows of a log.

    Null, NaN and the empty text are missing. Whoever reads a column gets an error that names the log, the row and the
    column, and need not know where the rows come from: a chunk is also what new rows are handed over as.

    Args:
        rows: an Arrow table or record batch.
        first_row: 0-based position of the first row in the log.
        complain: makes the errors.
    """

    def __init__(self, rows: ArrowRows, first_row: int = 0, complain: Complain = about_rows) -> None:
        self.rows, self.first_row, self._complain = rows, first_row, complain

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.rows.num_rows)

    @property
    def span(self) -> slice:
        """Where its rows stand in the log: cuts them out of an array ``[rows of the log]``."""
        return slice(self.first_row, self.first_row + len(self))

    def head(self, rows: int) -> Chunk:
        """The first rows, at most so many."""
        return Chunk(self.rows.slice(0, rows), self.first_row, self._complain)

    def column(self, name: str) -> ArrowColumn:
        """The cells of a column as they are.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.rows.schema.names:
            raise self._complain("there is no such column", column=name)
        return self.rows.column(name)

    def categories(self, name: str, *, none_missing: str = "") -> Categories:
        """The different values of a column, as text, and every row's position among them.

        Args:
            name: of the column.
            none_missing: what a cell is ("the time") if none of them may be missing.

        Raises:
            DataError: there is no such column, its type (a list, a struct) has no text form, or a cell is missing that
                may not be.
        """
        with self.naming(name):
            found = categories(self.column(name))
            if none_missing and (found.codes < 0).any():
                raise CellError(f"{none_missing} is missing", int((found.codes < 0).argmax()))
        return found

    def numbers(self, name: str) -> FloatArray:
        """A column as numbers, float64 ``[rows]``; missing becomes NaN.

        Raises:
            DataError: there is no such column, or a cell is not a finite number.
        """
        with self.naming(name):
            return numbers(self.column(name))

    def labels(self, name: str, *, counts_clicks: bool = False) -> npt.NDArray[np.int8]:
        """A column of labels as 0 and 1, int8 ``[rows]``.

        Args:
            name: of the column.
            counts_clicks: whether a cell is a number of clicks, any of which makes the label 1.

        Raises:
            DataError: there is no such column, or a cell is no label.
        """
        with self.naming(name):
            column = self.column(name)
            found = numbers(column.cast("int8") if pa.types.is_boolean(column.type) else column)
            good = (found >= 0) & (found == np.floor(found)) if counts_clicks else (found == 0) | (found == 1)
            if not good.all():
                index = int(good.argmin())
                form = CLICKS_FORM if counts_clicks else LABEL_FORM
                raise CellError(f"{form}, found {shown(column[index])}", index)
        return (found > 0).astype(np.int8)

    @contextmanager
    def naming(self, column: str) -> Iterator[None]:
        """Turn a `CellError` about a column within the block into a `DataError`.

        Raises:
            DataError: the block raised a `CellError`; names the log, the row and the column.
        """
        try:
            yield
        except CellError as error:
            row = None if error.index is None else self.first_row + error.index
            raise self._complain(str(error), row=row, column=column) from error


def chunks_of(source: Source, columns: Sequence[str], *, most: int | None = None) -> Iterator[Chunk]:
    """Read a log once, front to back, yielding chunks with these columns.

    Args:
        source: the log.
        columns: some of its columns.
        most: how many rows an earlier reading found.

    Raises:
        DataError: a part of the log cannot be read, or there are more rows than before.
    """
    for chunk in numbered(source, source.batches(columns)):
        if most is not None and chunk.span.stop > most:
            raise source.error(f"the log grew while it was read: more than {most} rows")
        yield chunk


def numbered(source: Source, batches: Iterable[ArrowRows]) -> Iterator[Chunk]:
    """The batches of one reading as chunks that know where their rows stand."""
    row = 0
    for batch in batches:
        yield Chunk(batch, row, source.error)
        row += batch.num_rows


def shown(cell: pa.Scalar) -> str:
    """A cell of an Arrow array as a message shows it."""
    value = cell.as_py()
    return "an empty cell" if value is None or value == "" else quoted(value)


def plain(column: ArrowColumn) -> pa.Array:
    """A column as one array, whether it was one or chunked; NaN becomes null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


def categories(column: ArrowColumn) -> Categories:
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
    codes = np.asarray(encoded.indices.cast(pa.int64()).fill_null(-1)).astype(np.int64)
    # A dictionary may hold null or the empty text as a value: cells that point there are missing, too.
    absent = np.asarray(pc.fill_null(pc.equal(values, ""), True))
    if absent.any():
        codes = np.where(codes >= 0, np.where(absent[codes], -1, codes), -1)
    return Categories(values, codes)


def numbers(column: ArrowColumn) -> FloatArray:
    """A column as numbers, float64 ``[rows]``; missing becomes NaN.

    Raises:
        CellError: a cell is not a finite number.
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
    # Arrow reads "inf" and "nan" as numbers; no model can.
    bad = present & ~np.isfinite(found)
    if bad.any():
        index = int(bad.argmax())
        raise CellError(f"expected a finite number, found {shown(array[index])}", index)
    return found


def _bad_number(array: pa.Array) -> CellError:
    if not is_text(array.type):
        return CellError(f"expected numbers, found a column of type {array.type}")
    good = pc.match_substring_regex(array, NUMBER.pattern)
    index = int(np.asarray(pc.fill_null(good, True)).argmin())
    return CellError(f"expected a number, found {shown(array[index])}", index)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of the text types."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
