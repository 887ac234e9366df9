"""Rows in memory: a pandas frame (`FrameSource`), or whatever Arrow understands (`TableSource`)."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from nas_fusion.data.sources.arrow_types import PlainColumns, formless_columns, plain_type
from nas_fusion.data.sources.cells import ArrowRows, CellRules
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import DataError
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

if TYPE_CHECKING:
    import pandas as pd


@runtime_checkable
class ArrowStreamable(Protocol):
    """Rows that Arrow reads without a copy: frames of polars, tables of pyarrow, relations of DuckDB …"""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as a stream (Arrow's PyCapsule interface)."""


@runtime_checkable
class ArrowBatch(Protocol):
    """The same of one batch."""

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        """The rows as one batch."""


Cells: TypeAlias = "Sequence[object] | np.ndarray | pd.Series"
Frame: TypeAlias = "pd.DataFrame | ArrowStreamable | ArrowBatch | Mapping[str, Cells] | Sequence[Mapping[str, object]]"
"""Rows in memory: a frame, columns by name, or rows as dictionaries."""


class MemorySource(Source):
    """Rows in memory.

    Args:
        options: say which texts are missing values.
    """

    kind = "frame"
    name = "frame"

    def __init__(self, options: DataOptions = DEFAULT_OPTIONS) -> None:
        self.rules = CellRules((*self.marks, *options.missing))

    def digest(self) -> str:
        """A hash of column names, types and cells.

        Raises:
            DataError: a column holds neither numbers nor texts.
        """
        from pandas.util import hash_pandas_object

        digest = hashlib.blake2b(digest_size=32)
        digest.update(repr(self._typed_columns()).encode())
        for part in self._frames():
            for column in self.columns:
                try:
                    hashed = hash_pandas_object(_hashable(part[column]), index=False, categorize=False)
                except (TypeError, ValueError) as error:
                    raise self.error(
                        f"cells are neither numbers nor texts ({str(error).splitlines()[0]})", column=column
                    ) from error
                digest.update(hashed.to_numpy().tobytes())
        return f"{digest.hexdigest()}:{self.expected_rows}"

    def place(self, row: int) -> str:
        """Where a user finds the 0-based `row`, in words."""
        return f"row {row + 1}"

    @abstractmethod
    def _typed_columns(self) -> list[tuple[str, str]]:
        """Every column with its type."""

    @abstractmethod
    def _frames(self) -> Iterator[pd.DataFrame]:
        """The rows, piece by piece."""


class FrameSource(MemorySource):
    """A pandas frame; its index is not used.

    Args:
        frame: the rows.
        options: say which texts are missing values.

    Raises:
        DataError: names of columns are no texts, or not all different.
    """

    def __init__(self, frame: pd.DataFrame, options: DataOptions = DEFAULT_OPTIONS) -> None:
        super().__init__(options)
        if not all(isinstance(c, str) for c in frame.columns) or not frame.columns.is_unique:
            raise DataError("the columns of a frame must have different names, all of them text", path=self.name)
        self._frame = frame
        self.columns = tuple(frame.columns)
        self.expected_rows = len(frame)

    def _typed_columns(self) -> list[tuple[str, str]]:
        return [(c, str(self._frame[c].dtype)) for c in self.columns]

    def _frames(self) -> Iterator[pd.DataFrame]:
        return self._parts(self.columns)

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Walk through the frame.

        Raises:
            DataError: a column holds cells of several types.
        """
        for part in self._parts(columns):
            arrays = {}
            for column in columns:
                try:
                    arrays[column] = plain_type(pa.array(part[column], from_pandas=True))
                except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                    raise self.error(f"mixed types ({str(error).splitlines()[0]})", column=column) from error
            yield pa.table(arrays)

    def _parts(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        for start in range(0, len(self._frame), self.chunk_rows):
            yield self._frame.iloc[start : start + self.chunk_rows][list(columns)]


class TableSource(MemorySource):
    """Rows that Arrow understands; the members of a struct are columns of their own.

    Args:
        table: the rows.
        options: say which texts are missing values.

    Raises:
        DataError: two columns have one name.
    """

    def __init__(self, table: pa.Table, options: DataOptions = DEFAULT_OPTIONS) -> None:
        super().__init__(options)
        self._table, self._plain = table, PlainColumns(table.schema)
        if self._plain.doubled:
            raise DataError(f"two columns are called {self._plain.doubled!r}", path=self.name)
        self.columns, self.types = self._plain.names, self._plain.types
        self.expected_rows = table.num_rows
        self.guesses = formless_columns(self._plain)

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Walk through the table."""
        roots = self._table.select(self._plain.roots(columns))
        for start in range(0, self.expected_rows, self.chunk_rows):
            yield self._plain.take(roots.slice(start, self.chunk_rows), columns)

    def _typed_columns(self) -> list[tuple[str, str]]:
        return [(name, str(self.types[name])) for name in self.columns]

    def _frames(self) -> Iterator[pd.DataFrame]:
        return (pa.table(rows).to_pandas() for rows in self.batches(self.columns))


def frame_source(frame: Frame, options: DataOptions = DEFAULT_OPTIONS) -> MemorySource:
    """The reader of rows in memory.

    Args:
        frame: pandas, polars, pyarrow …; columns by name (or, if no value is a list or an array, one row); rows as
            dictionaries, whose missing keys are missing values.
        options: say which texts are missing values.

    Raises:
        DataError: it is none of these, or a column holds cells of several types.
    """
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return FrameSource(frame, options)
    return TableSource(arrow_table(frame), options)


FEW = 8
"""Rows up to so many are read cell by cell."""


def few_rows(rows: object, columns: Sequence[str]) -> Sequence[Mapping[str, object]] | None:
    """Rows in memory as dictionaries; None where they are many, or no rows, or lack one of these columns."""
    if isinstance(rows, Mapping):
        return None if any(map(_is_column, rows.values())) else [rows]
    if isinstance(rows, list):
        return rows if 0 < len(rows) <= FEW and all(isinstance(row, dict) for row in rows) else None
    shape: tuple[int, ...] = getattr(rows, "shape", ())
    if len(shape) != 2 or not 0 < shape[0] <= FEW:
        return None
    if isinstance(rows, pa.Table | pa.RecordBatch):
        return rows.select(columns).to_pylist() if set(columns) <= set(rows.schema.names) else None
    import pandas as pd

    if isinstance(rows, pd.DataFrame):
        return _records(rows, columns) if rows.columns.is_unique and set(columns) <= set(rows.columns) else None
    return few_rows(arrow_table(rows), columns) if isinstance(rows, ArrowStreamable) else None


def _records(frame: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, object]]:
    cells = {name: frame[name].tolist() for name in columns}
    return [{name: cells[name][row] for name in columns} for row in range(len(frame))]


def _is_column(cells: object) -> bool:
    return isinstance(cells, list | tuple) or (hasattr(cells, "__array__") and getattr(cells, "ndim", 1) > 0)


def arrow_table(frame: Frame) -> pa.Table:
    """Rows in memory that are no pandas frame, as an Arrow table."""
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if isinstance(frame, Mapping):
        return _of_columns(frame)
    if isinstance(frame, ArrowStreamable | ArrowBatch):
        return pa.table(frame)
    if isinstance(frame, Sequence) and frame and all(isinstance(row, Mapping) for row in frame):
        names = dict.fromkeys(name for row in frame for name in row)
        return _of_columns({name: [row.get(name) for row in frame] for name in names})
    expected = "a frame (pandas, polars, pyarrow), columns by name, or rows as dictionaries"
    raise DataError(f"expected {expected}, found {type(frame).__name__}", path=MemorySource.name)


def _of_columns(columns: Mapping[str, object]) -> pa.Table:
    """Columns by name; one row where no value is a column."""
    if not any(map(_is_column, columns.values())):
        columns = {name: [cell] for name, cell in columns.items()}
    arrays = {}
    for name, cells in columns.items():
        try:
            arrays[name] = _array(cells)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            what = f"cells that are no column ({str(error).splitlines()[0]})"
            raise DataError(what, path=MemorySource.name, column=str(name)) from error
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        (first, rows), *_ = lengths.items()
        odd = next(name for name, length in lengths.items() if length != rows)
        raise DataError(f"{lengths[odd]} cells, but {rows} in column {first!r}", path=MemorySource.name, column=odd)
    return pa.table(arrays)


def _array(cells: object) -> pa.Array:
    """Cells as Arrow has them; ids may need all of 64 bits, which Arrow does not try by itself."""
    try:
        return pa.array(cells, from_pandas=True)
    except OverflowError:
        return pa.array(cells, pa.uint64(), from_pandas=True)


def _hashable(column: pd.Series) -> pd.Series:
    """A column whose cells pandas can hash: lists as what they hold."""
    holds_lists = column.dtype == object and any(isinstance(cell, list | tuple | np.ndarray) for cell in column)
    return (
        column.map(lambda cell: repr(list(cell)) if isinstance(cell, list | tuple | np.ndarray) else cell)
        if (holds_lists)
        else column
    )
