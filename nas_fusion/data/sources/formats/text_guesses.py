"""What the first lines of a delimited text tell: its delimiter, and whether its numbers have decimal commas."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from nas_fusion.data.sources.cells import COMMA_NUMBER, NUMBER

DELIMITERS = (",", "\t", ";", "|", "\x01", " ")
"""In this order where several would do; a blank only if nothing else does."""

JUDGED_LINES = 20
"""For the delimiter; a few may be ragged, or the middle of a cell."""

DECIMAL_LINES = 1000
POINT_NUMBER = re.compile(r"^[+-]?\d*\.\d+$")
COMMA = re.compile(COMMA_NUMBER)


EMPTY_QUOTES = '""'
"""An empty cell in quotes with blanks before it, after these are trimmed."""

SEPARATOR = re.compile(r'^"?sep=(.|\\t)"?$')
"""The line that Excel begins a text with."""


def separator_line(line: str) -> str:
    """The delimiter that the first line of Excel's texts names; empty if the line is another one."""
    found = SEPARATOR.match(line)
    return found[1].replace("\\t", "\t") if found else ""


def idle_blanks(delimiter: str) -> re.Pattern[str]:
    """Blanks that do not count, though Arrow would let them.

    Those between a delimiter (or a line's begin) and the quote that begins a cell: within a cell in quotes nothing is
    like them, since a quote there is two, or the last character. Where blanks are the delimiter: all but one, and those
    around a line.
    """
    if delimiter == " ":
        return re.compile(r"(?<= ) +|^ +| +(?=\r?$)", re.MULTILINE)
    around = re.escape(delimiter)
    blanks = r"[ ]+" if delimiter == "\t" else r"[ \t]+"
    return re.compile(rf'(?<![^{around}\n]){blanks}(?="[^"{around}\r\n])', re.MULTILINE)


ESCAPED = re.compile(rb'\\(["\\])')


def without_escapes(text: bytes) -> bytes:
    """A text in which a quote within a cell is written as two, not after a backslash."""
    return ESCAPED.sub(lambda found: b'""' if found[1] == b'"' else b"\\", text)


def has_escaped_quotes(lines: Sequence[str], delimiter: str) -> bool:
    """Whether a backslash before a quote makes it plain: more lines that hold both are then as wide as the header."""
    width = len(cells_of(lines[0], delimiter, quotes=True))
    judged = [line for line in lines[1:DECIMAL_LINES] if '\\"' in line]
    mended = [without_escapes(line.encode()).decode() for line in judged]
    fitting = [
        sum(len(cells_of(line, delimiter, quotes=True)) == width for line in every) for every in (judged, mended)
    ]
    return fitting[1] > fitting[0]


def cells_of(line: str, delimiter: str, *, quotes: bool) -> list[str]:
    """The cells of a line, trimmed."""
    text = line.strip(" ")
    if quotes and '"' in text and len(text) <= csv.field_size_limit():
        cells = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
    else:
        cells = [cell for cell in text.split(delimiter) if cell or delimiter != " "]
    return [cell.strip() for cell in cells]


def guess_delimiter(lines: Sequence[str], *, quotes: bool) -> str:
    """The delimiter of a text, by its header and the lines below it.

    It is what cuts most of the lines into as many cells as the header, at least half of them; or else a comma, if the
    header has one, or whichever of the others there is instead.
    """
    judged = [line for line in lines if line.strip()][:JUDGED_LINES]
    shares = {}
    for delimiter in DELIMITERS:
        width, *others = [len(cells_of(line, delimiter, quotes=quotes)) for line in judged]
        agreeing = sum(other == width for other in others)
        if width > 1 and agreeing * 2 >= len(others):
            shares[delimiter] = agreeing
    best = max(shares, key=lambda delimiter: shares[delimiter], default="")  # the first of equal ones
    return best or next((d for d in DELIMITERS[:-1] if d in judged[0]), ",")


def has_decimal_commas(rows: Sequence[Sequence[str]]) -> bool:
    """Whether cells are numbers with decimal commas.

    So it is where a column holds nothing but such numbers and whole ones, and no column holds nothing but numbers with
    points and whole ones.

    Args:
        rows: the cells of some rows.
    """
    columns = [[cell for cell in column if cell] for column in zip(*rows, strict=False)]
    with_comma = [column for column in columns if any("," in cell for cell in column) and all(map(_comma, column))]
    with_point = [c for c in columns if any(map(POINT_NUMBER.match, c)) and all(map(NUMBER.match, c))]
    return bool(with_comma) and not with_point


def _comma(cell: str) -> bool:
    return bool(COMMA.match(cell) or cell.lstrip("+-").isdigit())
