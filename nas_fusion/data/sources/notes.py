"""`Notes`: cells that are read otherwise than they stand, warned of once, with their lines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from nas_fusion.data.sources.cells import IntArray
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import plain

INFINITE = "infinite, which no model can take: read as missing"
ODD = "no number in a column of numbers: read as missing"

SHOWN_CELLS = 3
"""Enough to see what they are."""

logger = logging.getLogger("nas_fusion")


@dataclass
class Note:
    """What was found about a column: how many cells, and the rows and the texts of the first few."""

    cells: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)


class Notes:
    """What one reading of a log found odd. Life: `add` for every chunk, `tell` once, at the end."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Note] = {}

    def add(self, column: str, what: str, first_row: int, rows: IntArray, text: Callable[[int], str]) -> None:
        """Note some cells.

        Args:
            column: whose cells they are.
            what: is the matter with them.
            first_row: 0-based row of the log with which the chunk begins.
            rows: their positions in the chunk, int64 ``[cells]``.
            text: the cell at such a position, as it is shown.
        """
        note = self._found.setdefault((column, what), Note())
        note.cells += len(rows)
        for row in rows[: SHOWN_CELLS - len(note.first)].tolist():
            note.first.append((first_row + row, text(row)))

    def tell(self, source: Source) -> None:
        """Warn of what was not warned of in an earlier reading of the same log."""
        for (column, what), note in self._found.items():
            if (column, what) not in source.told:
                source.told.add((column, what))
                cells = ", ".join(f"{source.place(row)}: {text}" for row, text in note.first)
                more = ", …" if note.cells > len(note.first) else ""
                count = f"{note.cells:,} cell{'s' * (note.cells > 1)}"
                logger.warning("column %r: %s %s (%s%s)", plain(column), count, what, cells, more)
