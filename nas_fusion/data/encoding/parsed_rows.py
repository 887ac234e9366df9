"""`ParsedOnce`: a log of text whose cells are parsed by the first reading only, and kept in a file for the others."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from nas_fusion.data.sources.cells import ArrowRows, is_text
from nas_fusion.data.sources.source import Source, WrappedSource

REPEATED_SHARE = 0.5
"""Where there are at most so many different cells for each cell of the first batch, every batch's are written once."""

logger = logging.getLogger("nas_fusion")


class ParsedOnce(WrappedSource):
    """A log that is read several times, the same as `source` in every way but speed.

    Cutting a text into cells, and finding the different ones among them, takes longer than all that is done with them
    afterwards. So the first reading reads every column that a later one may ask for, and writes its batches to a file
    in Arrow's format, about as large as the text. Memory holds one batch at a time. Where the disk has no room for
    the file and for as much again, there is none, and the text is parsed every time.

    Args:
        source: the log.
        columns: what later readings may ask for; for others the text is parsed again.
        file: where the rows are kept; it does not exist yet, and whoever made its folder removes it.
    """

    def __init__(self, source: Source, columns: Sequence[str], file: Path) -> None:
        super().__init__(source)
        self._kept, self._file = tuple(columns), file
        self._is_complete = False

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the rows, and keep them where nobody did.

        Raises:
            DataError: a part of the log cannot be read.
        """
        if not set(columns) <= set(self._kept):
            yield from self._source.batches(columns)
        elif self._is_complete:
            yield from self._read(columns)
        else:
            for rows in self._written():
                yield rows.select(list(columns))

    def _written(self) -> Iterator[ArrowRows]:
        """The rows as they come, written on the way as long as the disk has room."""
        batches = self._source.batches(self._kept)
        first = next(batches, None)
        if first is None:
            return
        repeated = _repeated(pa.table(first))
        rows = _encoded(first, repeated)
        schema = rows.schema
        with pa.OSFile(str(self._file), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            while rows.schema == schema and self._has_room(file.tell()):
                writer.write_table(rows)
                yield rows
                if (batch := next(batches, None)) is None:
                    self._is_complete = True
                    return
                rows = _encoded(batch, repeated)
        self._file.unlink()
        logger.info("the rows cannot be kept, so that the text of the log is parsed several times")
        yield rows
        yield from batches

    def _has_room(self, written: int) -> bool:
        return shutil.disk_usage(self._file.parent).free > written

    def _read(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        wanted = [self._kept.index(name) for name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        with pa.OSFile(str(self._file), "rb") as file, pa.ipc.open_stream(file, options=options) as reader:
            for batch in reader:
                yield batch.select(list(columns))


def _repeated(rows: pa.Table) -> frozenset[str]:
    """The columns of texts that are worth writing once each; a name that is there twice is none."""
    few = REPEATED_SHARE * rows.num_rows
    texts = [field.name for field in rows.schema if is_text(field.type)]
    return frozenset(name for name in texts if len(rows.column(name).unique()) <= few)


def _encoded(rows: ArrowRows, repeated: frozenset[str]) -> pa.Table:
    """Rows in one piece, in which texts that repeat are a dictionary and positions in it."""
    table = pa.table(rows).combine_chunks()
    columns = [_column(table, name, repeated) for name in table.schema.names]
    return pa.table(columns, names=table.schema.names)


def _column(table: pa.Table, name: str, repeated: frozenset[str]) -> pa.ChunkedArray:
    column = table.column(name)
    return column.dictionary_encode() if name in repeated else column
