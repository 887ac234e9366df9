"""`Chunk`: consecutive rows of a log, whose columns are read as categories or as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np

from nas_fusion.data.sources.cells import (
    COMMON_RULES,
    ArrowColumn,
    ArrowRows,
    Categories,
    CellError,
    CellRules,
    FloatArray,
    IntArray,
    Mask,
    categories,
    number_codes,
    shown,
    undecorated,
)
from nas_fusion.data.sources.notes import INFINITE, ODD, Notes
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import DataError


class Complain(Protocol):
    """Makes the error about a place: `Source.error`, say."""

    def __call__(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """The error about the 0-based `row` of a log."""


def about_rows(message: str, *, row: int | None = None, column: str | None = None) -> DataError:
    """The error about rows that come from no file: only their number is known."""
    return DataError(message, row=None if row is None else row + 1, column=column)


class Repeated(NamedTuple):
    """A column of numbers as its different cells, and per row the position of its cell.

    `values` are float64 ``[cells]``, NaN where missing; `codes` int64 ``[rows]``, or None where row and cell are one.
    """

    values: FloatArray
    codes: IntArray | None = None

    def rows(self) -> FloatArray:
        """The numbers of the rows, float64 ``[rows]``."""
        return self.values if self.codes is None else self.values[self.codes]

    def counted(self, rows: Mask) -> tuple[FloatArray, IntArray]:
        """The cells of the rows where the mask, bool ``[rows]``, is true, and how often each occurs, int64."""
        if self.codes is None:
            return self.values[rows], np.ones(int(rows.sum()), np.int64)
        return self.values, np.bincount(self.codes[rows], minlength=len(self.values)).astype(np.int64)


class Chunk:
    """Consecutive rows of a log.

    Null, NaN, the empty text and the marks of missing values are missing. Whoever reads a column gets an error that
    names the log, the row and the column, and need not know where the rows come from: a chunk is also what new rows are
    handed over as.

    Args:
        rows: an Arrow table or record batch.
        first_row: 0-based position of the first row in the log.
        complain: makes the errors.
        rules: how cells that are text are read.
        notes: where cells are noted that are read otherwise than they stand.
    """

    def __init__(
        self,
        rows: ArrowRows,
        first_row: int = 0,
        complain: Complain = about_rows,
        rules: CellRules = COMMON_RULES,
        notes: Notes | None = None,
    ) -> None:
        self.rows, self.first_row, self._complain, self.rules = rows, first_row, complain, rules
        self._notes = notes or Notes()

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.rows.num_rows)

    @property
    def span(self) -> slice:
        """Where its rows stand in the log: cuts them out of an array ``[rows of the log]``."""
        return slice(self.first_row, self.first_row + len(self))

    def head(self, rows: int) -> Chunk:
        """The first rows, at most so many."""
        return Chunk(self.rows.slice(0, rows), self.first_row, self._complain, self.rules, self._notes)

    def column(self, name: str) -> ArrowColumn:
        """The cells of a column as they are.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.rows.schema.names:
            raise self._complain("there is no such column", column=name)
        return self.rows.column(name)

    def categories(self, name: str) -> Categories:
        """The different values of a column, as text, and every row's position among them.

        Raises:
            DataError: there is no such column, or its type (a list, a struct) has no text form.
        """
        with self.naming(name):
            return categories(self.column(name), self.rules)

    def numbers(self, name: str, *, odd_is_missing: bool = False) -> FloatArray:
        """A column as numbers, float64 ``[rows]``; missing and infinite becomes NaN, the latter with a note.

        Args:
            name: of the column.
            odd_is_missing: whether a cell that is no number is missing, with a note, as in a column that is only
                guessed to hold numbers; else it is an error.

        Raises:
            DataError: there is no such column, or a cell is no number.
        """
        return self.repeated_numbers(name, odd_is_missing=odd_is_missing).rows()

    def repeated_numbers(self, name: str, *, odd_is_missing: bool = False, decorated: bool = False) -> Repeated:
        """The same, each different cell once where the column has a dictionary.

        Args:
            name, odd_is_missing: as of `numbers`.
            decorated: whether numbers may have a currency, a percent sign, or signs between their thousands.

        Raises:
            DataError: there is no such column, or a cell is no number.
        """
        with self.naming(name):
            column = self.column(name)
            found = number_codes(undecorated(column) if decorated else column, self.rules)
            if found.cells.odd.any() and not odd_is_missing and (odd := found.rows().odd).any():
                index = int(odd.argmax())
                raise CellError(f"expected a number, found {shown(column[index])}", index)
        if found.cells.odd.any() or found.cells.infinite.any():
            rows = found.rows()
            self._note(name, ODD, rows.odd)
            self._note(name, INFINITE, rows.infinite)
        return Repeated(found.cells.values, found.codes)

    def _note(self, name: str, what: str, rows: Mask) -> None:
        if rows.any():
            column = self.column(name)
            self._notes.add(name, what, self.first_row, np.flatnonzero(rows), lambda index: shown(column[index]))

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
    """Read a log once, front to back, yielding chunks with these columns; what was noted is warned of at the end.

    Args:
        source: the log.
        columns: some of its columns.
        most: how many rows an earlier reading found.

    Raises:
        DataError: a part of the log cannot be read, or there are more rows than before.
    """
    notes = Notes()
    for chunk in numbered(source, source.batches(columns), notes):
        if most is not None and chunk.span.stop > most:
            raise source.error(f"the log grew while it was read: more than {most} rows")
        yield chunk
    notes.tell(source)


def numbered(source: Source, batches: Iterable[ArrowRows], notes: Notes | None = None) -> Iterator[Chunk]:
    """The batches of one reading as chunks that know where their rows stand."""
    row = 0
    for batch in batches:
        yield Chunk(batch, row, source.error, source.rules, notes)
        row += batch.num_rows
