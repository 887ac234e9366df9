"""`RowBlocks`: a delimited text, cut into blocks of whole rows, none of which is swallowed by a quote.

Arrow parses a block. What is done here is what its streaming reader does not: a row may be larger than a block, every
row's line is known, and the rows are compared with the lines. A cell in quotes may hold line ends, so rows can be fewer
than lines. Only blocks where they are get a closer look, by regular expressions; in others nothing costs time per cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas_fusion.data.sources.log_files import LogText
from nas_fusion.data.sources.text_encoding import bad_bytes
from nas_fusion.errors import DataError

LONGEST_ROW = 1 << 26
"""Bytes; a cell that goes on for longer is one whose quote was never closed."""

LINE_FEED, CARRIAGE_RETURN, QUOTE = b'\n\r"'

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

CELL = re.compile(rb'"[^"]*+(?:""[^"]*+)*+("?)')
"""A cell in quotes, from its first quote on, as Arrow reads it."""

BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)

LIKE_ROWS = 0.5
"""Where more than this share of the lines within a cell look like rows, they are rows that a lone quote swallowed."""

SURELY_ROWS = 1000
"""So many lines within a cell that is still open are enough to judge by."""

DOUBLE, BACKSLASH, NONE = "double", "backslash", "none"
"""What quotes do: stand around cells, where one is written as two or after a backslash; or nothing."""


QUOTE_HINT = "; if quotes are plain text in this file, say --quote none, and if they are not, --quote double"
ESCAPE_HINT = '; if \\" stands for a quote in this file, say --quote backslash'


class Span(NamedTuple):
    """A cell in quotes that holds line ends, or is not closed: where it begins and ends, by bytes of its block."""

    start: int
    end: int
    closed: bool


@dataclass(frozen=True)
class Dialect:
    """How a line is cut into cells.

    Args:
        delimiter: one byte.
        width: cells per row.
        quotes: whether cells may stand in double quotes.
        trusted: whether somebody said that they do, so that even lines that look like rows may be in a cell.
    """

    delimiter: bytes
    width: int
    quotes: bool
    trusted: bool = False

    @cached_property
    def _opening(self) -> re.Pattern[bytes]:
        """A quote that begins a cell; quotes anywhere else in a cell mean nothing."""
        return re.compile(rb'(?<![^%b\r\n])"' % re.escape(self.delimiter))

    def spans(self, text: bytes) -> list[Span]:
        """The cells of a block that hold line ends, and the one that is open at its end."""
        data = np.frombuffer(text, np.uint8)
        quotes = np.flatnonzero(data == QUOTE)
        return _plain_spans(data, quotes) if self._are_plain(data, quotes) else self.every_span(text)

    def every_span(self, text: bytes) -> list[Span]:
        """The same, whatever quotes there are, by looking at one after another."""
        found: list[Span] = []
        place = 0
        for opening in self._opening.finditer(text):
            if opening.start() >= place and (cell := CELL.match(text, opening.start())):
                place = cell.end()
                if not cell[1] or b"\n" in cell[0]:
                    found.append(Span(cell.start(), place, bool(cell[1])))
        return found

    def _are_plain(self, data: Bytes, quotes: Places) -> bool:
        """Whether quotes stand around cells, or are two within one, and nowhere else.

        Then every second one begins a cell or follows its pair, and the others end a cell or come before their pairs.
        """
        around = [self.delimiter[0], LINE_FEED, QUOTE]
        before = data[np.maximum(quotes[0::2] - 1, 0)]
        after = data[np.minimum(quotes[1::2] + 1, len(data) - 1)]
        begins = np.isin(before, around) | (quotes[0::2] == 0)
        ends = np.isin(after, [*around, CARRIAGE_RETURN]) | (quotes[1::2] == len(data) - 1)
        return bool(begins.all() and ends.all())

    def is_row(self, line: bytes) -> bool:
        """Whether a line has as many cells as a row, if quotes mean nothing."""
        return line.count(self.delimiter) + 1 == self.width

    def problem(self, text: bytes, span: Span, *, last: bool) -> str:
        """Why a cell in quotes cannot be right; empty if it can.

        Args:
            text: the block.
            span: the cell.
            last: whether nothing comes after the block.
        """
        begin = text.rfind(b"\n", 0, span.start) + 1
        end = text.find(b"\n", span.end) if span.closed else len(text)
        first, *inner = text[begin : end if end >= 0 else len(text)].split(b"\n")
        if not span.closed and last:
            return "a quote begins a cell here and nothing ends it"
        if self.trusted:
            return ""
        if span.closed and text[span.end : span.end + 1] not in (self.delimiter, b"\r", b"\n", b""):
            return f"a quoted cell begins here, holds {len(inner):,} line ends, and goes on after its closing quote"
        if not inner or (not span.closed and len(inner) < SURELY_ROWS):
            return ""
        rows = [self.is_row(line) for line in (inner if span.closed else inner[:-1])]
        if self.is_row(first) and (rows[-1] or not span.closed) and sum(rows) > LIKE_ROWS * len(rows):
            return f"a quoted cell begins here and holds {len(inner):,} lines that look like rows"
        return ""


def _plain_spans(data: Bytes, quotes: Places) -> list[Span]:
    """The cells that hold line ends, and the one that is open, in a text whose quotes are plain."""
    opened, closed = quotes[0::2], quotes[1::2]
    apart = opened[1:] != closed[: len(opened) - 1] + 1  # else the two are one quote within a cell
    starts = opened[np.append(True, apart)] if len(opened) else opened
    is_open = len(opened) > len(closed)
    stops = closed[np.append(apart, [] if is_open else True).astype(bool)] + 1
    stops = np.append(stops, len(data)) if is_open else stops
    line_ends = np.flatnonzero(data == LINE_FEED)
    holds = np.searchsorted(line_ends, starts) < np.searchsorted(line_ends, stops)
    if is_open:
        holds[-1] = True
    places = np.flatnonzero(holds)
    last = len(starts) - 1
    return [Span(int(starts[i]), int(stops[i]), closed=not (is_open and i == last)) for i in places.tolist()]


class Ragged(Exception):
    """A row with too few or too many cells.

    Args:
        message: says how many.
        row: its 0-based position in the block.
    """

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


class Block(NamedTuple):
    """Whole rows.

    Args:
        rows: parsed.
        first_row: 0-based position in the log.
        first_line: 1-based line of the file.
        text: the same as text.
        spans: cells with line ends; without any, and without blank lines, every line is a row.
        plain: whether every line is a row.
        lines: how many line ends there are.
    """

    rows: pa.Table
    first_row: int
    first_line: int
    text: bytes
    spans: list[Span]
    plain: bool
    lines: int

    def line(self, row: int) -> int:
        """The 1-based line of the file where a 0-based row of the log begins."""
        if self.plain:
            return self.first_line + row - self.first_row
        return self.first_line + row_lines(self.text, self.spans)[row - self.first_row]


def hint_about(line: bytes) -> str:
    """What may help with a ragged line."""
    if b'\\"' in line:
        return ESCAPE_HINT
    return QUOTE_HINT if b'"' in line else ""


def row_lines(text: bytes, spans: list[Span]) -> list[int]:
    """For every row of a block, the 0-based line of the block where it begins."""
    within = {place for span in spans for place in _line_ends(text, span)}
    found, begin, line = [], 0, 0
    for number, place in enumerate(_line_ends(text, Span(0, len(text), closed=True)), start=1):
        if place not in within:
            if text[begin:place].strip(b"\r"):
                found.append(line)
            begin, line = place + 1, number
    return [*found, line] if begin < len(text) else found


def _line_ends(text: bytes, span: Span) -> Iterator[int]:
    place = text.find(b"\n", span.start, span.end)
    while place >= 0:
        yield place
        place = text.find(b"\n", place + 1, span.end)


class RowBlocks:
    """The blocks of a text, front to back.

    Args:
        text: the file's.
        dialect: how a line is cut.
        parse: makes a table of whole rows; raises `Ragged` or a `UnicodeDecodeError`.
        skip: lines before the first row.
        size: bytes of a block.
        error: makes an error of a message and a 1-based line.
        mend: makes whole lines such as Arrow reads them right; None where they are.
    """

    def __init__(
        self,
        text: LogText,
        dialect: Dialect,
        parse: Callable[[bytes], pa.Table],
        *,
        skip: int,
        size: int,
        error: Callable[[str, int], DataError],
        mend: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._text, self._dialect, self._parse = text, dialect, parse
        self._skip, self._size, self._error = skip, size, error
        self._mend = mend
        self._row, self._line = 0, 1 + skip

    def __iter__(self) -> Iterator[Block]:
        """Read the file once.

        Raises:
            DataError: a row has too few or too many cells, a cell in quotes has swallowed rows, or bytes are no text.
        """
        rest, tail, skip = b"", b"", self._skip  # whole lines that no block has, and the begin of the next one
        with self._text.open() as stream:
            while piece := self._read(stream, max(self._size, len(rest) + len(tail))):
                while skip and (end := piece.find(b"\n")) >= 0:
                    piece, skip = piece[end + 1 :], skip - 1
                if skip:
                    continue
                if end := piece.rfind(b"\n") + 1:
                    rest, tail = self._joined(rest, tail, memoryview(piece)[:end]), piece[end:]
                    if block := self._next(rest, last=False):
                        yield block
                        rest = rest[len(block.text) :]
                else:
                    tail += piece
                if len(rest) + len(tail) > LONGEST_ROW:
                    raise self._error(f"a row goes on for more than {LONGEST_ROW >> 20} MiB{QUOTE_HINT}", self._line)
            if block := self._next(self._joined(rest, tail, b""), last=True):
                yield block

    def _joined(self, rest: bytes, tail: bytes, piece: bytes | memoryview) -> bytes:
        """Whole lines and those that follow them, these mended."""
        if self._mend is None:
            return b"".join([rest, tail, piece])
        return rest + self._mend(b"".join([tail, piece]))

    def _next(self, text: bytes, *, last: bool) -> Block | None:
        block = self._block(text, last=last) if text else None
        if block is not None:
            self._row += block.rows.num_rows
            self._line += block.lines
        return block

    def _read(self, stream: pa.NativeFile, size: int) -> bytes:
        """So many bytes; fewer only at the end, where a decompressor may return fewer at any time."""
        pieces: list[bytes] = []
        found = 0
        try:
            while found < size and (piece := stream.read(size - found)):
                pieces.append(piece)
                found += len(piece)
        except UnicodeError as error:
            raise self._error(bad_bytes(self._text.encoding, error), self._line) from error
        except (OSError, pa.ArrowInvalid) as error:
            raise self._error(f"cannot be read from here on ({str(error).splitlines()[0]})", self._line) from error
        return b"".join(pieces)

    def _block(self, text: bytes, *, last: bool) -> Block | None:
        """The rows of a text; None if the first of them goes on after it."""
        may_span = self._dialect.quotes and b'"' in text
        try:
            rows = self._parse(text)
        except Ragged as error:
            spans = self._spans(text, last=last) if may_span else []
            if not spans or spans[-1].closed:
                line = row_lines(text, spans)[error.row]
                hint = hint_about(text.split(b"\n")[line]) if may_span else ""
                raise self._error(f"{error}{hint}", self._line + line) from error
        except UnicodeDecodeError as error:
            raise self._error(error.reason, self._line + text.count(b"\n", 0, error.start)) from error
        else:
            ends = text.count(b"\n")
            if rows.num_rows == ends + (not text.endswith(b"\n")) and not (may_span and self._opens(text)):
                return Block(rows, self._row, self._line, text, [], plain=True, lines=ends)
            block = Block(rows, self._row, self._line, text, [], plain=False, lines=ends)
            spans = self._spans(text, last=last) if may_span else []
            if not spans or spans[-1].closed:
                return self._compared(block._replace(spans=spans))
        begin = _row_start(text, spans)
        return self._block(text[:begin], last=False) if begin else None

    def _opens(self, text: bytes) -> bool:
        """Whether the last line of a block, each line of which is a row, begins a cell that it does not end."""
        line = text[text.rfind(b"\n", 0, len(text) - 1) + 1 :]
        return b'"' in line and bool(self._dialect.every_span(line))

    def _spans(self, text: bytes, *, last: bool) -> list[Span]:
        """The cells with line ends, all of them credible."""
        spans = self._dialect.spans(text)
        for span in spans:
            if problem := self._dialect.problem(text, span, last=last):
                raise self._error(f"{problem}{QUOTE_HINT}", self._line + text.count(b"\n", 0, span.start))
        return spans

    def _compared(self, block: Block) -> Block:
        """The block, if its rows and its lines agree."""
        if (lines := _rows_of(block.text, block.spans)) != block.rows.num_rows:
            found = f"{lines:,} lines from here on are {block.rows.num_rows:,} rows"
            raise self._error(f"{found}: is there a carriage return within a line?", block.first_line)
        return block


def _rows_of(text: bytes, spans: Sequence[Span]) -> int:
    """How many lines there are outside cells, blank ones not counted."""
    outside, begin = [], 0
    for span in spans:
        outside += [text[begin : span.start], b"x"]
        begin = span.end
    text = b"".join([*outside, text[begin:]])
    return text.count(b"\n") + (bool(text) and not text.endswith(b"\n")) - len(BLANK_LINE.findall(text))


def _row_start(text: bytes, spans: list[Span]) -> int:
    """Where the row of the last cell begins."""
    begin = text.rfind(b"\n", 0, spans[-1].start) + 1
    for span in reversed(spans[:-1]):
        if span.start < begin <= span.end:
            begin = text.rfind(b"\n", 0, span.start) + 1
    return begin
