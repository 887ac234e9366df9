"""`DelimitedSource`: a delimited text file, read block by block, every cell as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv

from nas_fusion.data.sources.cells import ArrowRows
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.source import FileSource
from nas_fusion.errors import DataError, shortened, shown


class DelimitedSource(FileSource):
    """A delimited text file, comma-separated values for instance. An empty cell is missing.

    Args:
        head: the file and its first lines; ``.gz`` and the like are decompressed on the fly.
        names: the columns of a file without header; None reads them from the first line.
        delimiter: one character; None goes by the header.
        quotes: whether cells may stand in double quotes.

    Raises:
        DataError: nothing in it, two columns of one name.
    """

    kind = "csv"
    typed = False

    def __init__(
        self,
        head: FileHead,
        *,
        names: Sequence[str] | None = None,
        delimiter: str | None = None,
        quotes: bool = True,
    ) -> None:
        super().__init__(head)
        lines = head.lines
        self.has_header = names is None
        self.delimiter = delimiter or guess_delimiter(head.sniffed[0])
        self.quotes = quotes
        self._skip = 0
        self.raw_columns = tuple(names) if names is not None else self._header(lines)
        self.columns = self.raw_columns
        if len(set(self.columns)) < len(self.columns):
            double = next(c for c in self.columns if self.columns.count(c) > 1)
            raise self.error(f"two columns are called {shown(double)}")
        length = sum(len(line) + 1 for line in lines) / len(lines)
        self.expected_rows = int(self.path.stat().st_size / length)

    @classmethod
    def recognises(cls, head: FileHead) -> bool:
        """Whether a text looks like this format: by its extension, or by its first lines."""
        return super().recognises(head) or cls.looks_like(head.sniffed)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Whether the first few lines that are not blank look like this format.

        A ragged first line must not hide a format, so one asks what `most` of them look like. Any text may be a
        delimited one: this format is asked last.
        """
        return True

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once, front to back.

        Raises:
            DataError: a line with too few or too many cells, or text that is not UTF-8.
        """
        ragged: list[pa.csv.InvalidRow] = []

        def on_ragged(row: pa.csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        try:
            yield from pyarrow.csv.open_csv(
                str(self.path),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=self.chunk_bytes,
                    column_names=self.raw_columns,
                    skip_rows=self._skip,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char='"' if self.quotes else False,
                    invalid_row_handler=on_ragged,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    # Numbers stay text: "007" and "7" are two values, and Arrow need not guess from the first block.
                    column_types=dict.fromkeys(self.raw_columns, pa.string()),
                    include_columns=list(columns),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            if ragged:
                raise self._ragged_error(ragged[0]) from error
            raise self.error(shortened(str(error).splitlines()[0])) from error

    def position(self, row: int) -> int:
        """The 1-based line of the 0-based row; blank lines make it necessary to count."""
        seen = -1 - int(self.has_header)
        with pa.input_stream(str(self.path), compression="detect") as stream:
            for number, line in enumerate(io.TextIOWrapper(stream, "utf-8", errors="replace"), start=1):
                seen += bool(line.rstrip("\r\n"))
                if seen == row:
                    return number
        return row + 1

    def _ragged_error(self, row: pa.csv.InvalidRow) -> DataError:
        message = f"expected {row.expected_columns} columns, found {row.actual_columns}"
        # Arrow numbers the lines that are not blank, the header among them.
        return self.error(message, row=None if row.number is None else row.number - 1 - int(self.has_header))

    def _header(self, lines: Sequence[str]) -> tuple[str, ...]:
        first = next(i for i, line in enumerate(lines) if line.strip())
        if not any(line.strip() for line in lines[first + 1 :]):
            raise self.error("there is a header but no row")
        self._skip = first + 1
        cells = next(csv.reader([lines[first]], delimiter=self.delimiter))
        return tuple(cell.strip() for cell in cells)


def guess_delimiter(header: str) -> str:
    """The delimiter of a header: a comma, or whichever of tab, semicolon and bar there is instead."""
    if "," in header:
        return ","
    return next((d for d in "\t;|" if d in header), ",")
