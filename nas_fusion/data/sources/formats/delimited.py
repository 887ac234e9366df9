"""`DelimitedSource`: a delimited text file, read block by block, every cell as text."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.csv

from nas_fusion.data.sources.cells import NUMBER, ArrowRows, CellRules
from nas_fusion.data.sources.formats.row_blocks import BACKSLASH, DOUBLE, NONE, QUOTE_HINT, Dialect, Ragged, RowBlocks
from nas_fusion.data.sources.formats.text_guesses import (
    DECIMAL_LINES,
    EMPTY_QUOTES,
    cells_of,
    guess_delimiter,
    has_decimal_commas,
    has_escaped_quotes,
    idle_blanks,
    separator_line,
    without_escapes,
)
from nas_fusion.data.sources.log_files import FileHead, PartRules
from nas_fusion.data.sources.source import FileSource, Guess
from nas_fusion.data.sources.text_encoding import bad_bytes
from nas_fusion.errors import DataError, shortened, shown

logger = logging.getLogger("nas_fusion")


class DelimitedSource(FileSource):
    """A delimited text file, comma-separated values for instance. An empty cell is missing.

    Args:
        head: the file and its first lines; what is compressed is decompressed on the fly.
        names: the columns of a file without header; None reads them from the first line.
        delimiter: one character; None takes the user's, or goes by the first lines.
        quotes: whether cells may stand in double quotes, if the user does not say it.

    Raises:
        DataError: nothing in it, or two columns of one name.
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
        self._head_options = head.options
        self._text = head.text
        self.has_header = names is None
        self.quotes = head.options.quote in (DOUBLE, BACKSLASH) or (quotes and head.options.quote != NONE)
        told = head.first.delimiter if head.first else head.options.delimiter or separator_line(head.lines[0])
        self.delimiter = delimiter or told or guess_delimiter(head.lines, quotes=self.quotes)
        self._skip = 0
        free = names is None and self.quotes  # a format of its own says how its lines are
        self.has_loose_blanks = free and any(map(idle_blanks(self.delimiter).search, head.lines[:DECIMAL_LINES]))
        self.has_escapes = head.options.quote == BACKSLASH or (free and self._escapes(head))
        self.raw_columns = tuple(names) if names is not None else self._header(head)
        self.columns = self.raw_columns
        if len(set(self.columns)) < len(self.columns):
            raise self._double()
        decimal = head.options.decimal or self._known_decimal(head) or self._decimal(head)
        self.rules = CellRules((*self.rules.marks, *[EMPTY_QUOTES] * self.has_loose_blanks), decimal)
        self.guesses = (*self.guesses, *self._guessed(head, told=bool(delimiter or told), decimal=decimal))
        length = sum(len(line) + 1 for line in head.lines) / len(head.lines)
        self.expected_rows = int(self.file.size / length)
        self._starts: list[tuple[int, int]] = []  # of the plain blocks seen: first row, first line

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

    @property
    def for_parts(self) -> PartRules:
        """What holds for the other parts of a log of which this is the first."""
        columns = self.raw_columns if self.has_header else ()
        return PartRules(columns, self.delimiter, self.rules.decimal, self.has_escapes)

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once, front to back.

        Raises:
            DataError: a line with too few or too many cells, a quote that swallows rows, or text of another encoding.
        """
        spans, first_line = 0, 0
        self._starts = []
        for block in self._blocks(columns):
            if block.spans and not spans:
                first_line = block.first_line + block.text.count(b"\n", 0, block.spans[0].start)
            spans += len(block.spans)
            self._starts.append((block.first_row, block.first_line if block.plain else 0))
            yield block.rows
        if spans and ("", QUOTE_HINT) not in self.told:
            self.told.add(("", QUOTE_HINT))
            logger.warning(
                "%s, line %d: a cell in quotes holds line ends (so do %s in all); --quote none reads quotes as text",
                self.file.name, first_line, f"{spans:,}",
            )  # fmt: skip

    def position(self, row: int) -> int:
        """The 1-based line of the 0-based row; blank lines, and line ends in quotes, make it necessary to look."""
        place = bisect_right(self._starts, row, key=lambda start: start[0]) - 1
        if place >= 0 and self._starts[place][1]:
            return self._starts[place][1] + row - self._starts[place][0]
        if place >= 0:
            for block in self._blocks(self.raw_columns[:1]):
                if row < block.first_row + block.rows.num_rows:
                    return block.line(row)
        seen = -1 - int(self.has_header)
        with self._text.lines() as lines:
            for number, line in enumerate(lines, start=1):
                seen += bool(line.rstrip("\n"))
                if seen == row:
                    return number
        return row + 1

    def _blocks(self, columns: Sequence[str]) -> RowBlocks:
        return RowBlocks(
            self._text, self._dialect, lambda text: self._parse(text, columns), skip=self._skip, size=self.chunk_bytes,
            error=self.error_at, mend=self._mend if self.has_escapes or self.has_loose_blanks else None,
        )  # fmt: skip

    def _mend(self, lines: bytes) -> bytes:
        """Whole lines, written such as Arrow reads them right."""
        if self.has_escapes:
            lines = without_escapes(lines)
        return self._idle.sub(b"", lines) if self.has_loose_blanks else lines

    @cached_property
    def _idle(self) -> re.Pattern[bytes]:
        return re.compile(idle_blanks(self.delimiter).pattern.encode(), re.MULTILINE)

    @cached_property
    def _dialect(self) -> Dialect:
        trusted = self._head_options.quote == DOUBLE
        return Dialect(self.delimiter.encode(), len(self.raw_columns), self.quotes, trusted)

    def _parse(self, text: bytes, columns: Sequence[str]) -> pa.Table:
        """The rows of a text, with these columns, all of them text.

        Raises:
            Ragged: a row has too few or too many cells.
            UnicodeDecodeError: bytes are not UTF-8.
        """
        if text[:1] in b"\r\n" and not text.strip(b"\r\n"):  # Arrow refuses a text without a row
            return pa.table({name: pa.array([], pa.string()) for name in columns})
        ragged: list[pa.csv.InvalidRow] = []

        def on_ragged(row: pa.csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        try:
            return pyarrow.csv.read_csv(
                pa.BufferReader(text),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=len(text) + 1, column_names=self.raw_columns
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char='"' if self.quotes else False,
                    newlines_in_values=self.quotes,
                    invalid_row_handler=on_ragged,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    # Numbers stay text: "007" and "7" are two values, and Arrow need not guess.
                    column_types=dict.fromkeys(self.raw_columns, pa.string()),
                    include_columns=list(columns),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            if ragged:
                found = f"expected {ragged[0].expected_columns} columns, found {ragged[0].actual_columns}"
                raise Ragged(found, (ragged[0].number or 1) - 1) from error
            if problem := _undecodable(text):
                raise problem from error
            raise self.error(shortened(str(error).splitlines()[0])) from error

    def _header(self, head: FileHead) -> tuple[str, ...]:
        lines = head.lines
        told = int(bool(separator_line(lines[0])))
        first = next((i for i, line in enumerate(lines) if line.strip() and i >= told), told - 1)
        cells = cells_of(lines[first], self.delimiter, quotes=self.quotes)
        if head.first and not set(cells) & set(head.first.columns):
            self.has_header = False
            return head.first.columns
        if not any(line.strip() for line in lines[first + 1 :]) and not head.first:
            raise self.error("there is a header but no row")
        if problem := _no_header(lines[first]):
            raise self.error(problem)
        if len(cells) == 1 and (odd := re.sub(r"[\w\s.-]", "", cells[0])):
            options = f"if {shown(odd[0])} stands between cells, say --delimiter {shown(odd[0])}"
            raise self.error(f"the header is a single cell, {shown(cells[0])}; {options}")
        self._skip = first + 1
        return tuple(cell or f"column{number}" for number, cell in enumerate(cells, start=1))

    def _double(self) -> DataError:
        double = next(c for c in self.columns if self.columns.count(c) > 1)
        if NUMBER.match(double):
            return self.error(f"the first line is no header: {shown(double)} stands there twice")
        return self.error(f"two columns are called {shown(double)}")

    def _escapes(self, head: FileHead) -> bool:
        if head.first or head.options.quote:
            return bool(head.first and head.first.escapes)
        return has_escaped_quotes([line for line in head.lines if line.strip()], self.delimiter)

    @staticmethod
    def _known_decimal(head: FileHead) -> str:
        """The decimal mark of an earlier part, or of the texts that a model learnt from; empty if nobody knows it."""
        if head.first is not None:
            return head.first.decimal
        return head.form.decimal if head.form is not None and not head.form.typed else ""

    def _decimal(self, head: FileHead) -> str:
        if self.kind != DelimitedSource.kind or self.delimiter == ",":
            return "."
        lines = [line for line in head.lines[self._skip :] if line.strip()][:DECIMAL_LINES]
        return (
            "," if has_decimal_commas([cells_of(line, self.delimiter, quotes=self.quotes) for line in lines]) else "."
        )

    def _guessed(self, head: FileHead, *, told: bool, decimal: str) -> Iterator[Guess]:
        if head.encoding.why:
            yield Guess(f"encoding {head.encoding.name}", head.encoding.why, "--encoding")
        if not told and self.delimiter != ",":
            yield Guess(
                f"delimiter {self.delimiter!r}", "it cuts the first lines into equally many cells", "--delimiter"
            )
        if self.has_escapes and not head.options.quote:
            yield Guess(
                'quotes after a backslash, \\"', "only so the first lines have as many cells as the header", "--quote"
            )
        if decimal != "." and not head.options.decimal and head.form is None:
            yield Guess(f"decimal mark {decimal!r}", "columns of the first lines hold nothing else", "--decimal")


def _no_header(line: str) -> str:
    """What a first line is that is no header, and cannot be a row either; empty if it may be one."""
    if line.startswith("{") and line.rstrip().endswith("}"):
        return "these are lines of JSON, which are not read; pandas' read_json(…, lines=True) and to_parquet make a log"
    if line.startswith("# "):
        return f"the first line, {shown(line)}, is a comment and no header; without it the log can be read"
    return ""


def _undecodable(text: bytes) -> UnicodeDecodeError | None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return UnicodeDecodeError("utf-8", error.object, error.start, error.end, bad_bytes("utf-8", error))
    return None
