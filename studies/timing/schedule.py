"""What of a comparison fits into its time: whole seeds, else whole strategies, are left out before they begin."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nas_fusion.records import CellRecord
from nas_fusion.report import duration
from nas_fusion.settings import RunSettings
from nas_fusion.studies.queue.cell_book import Cell
from nas_fusion.studies.timing.forecast import Forecast, seconds_of
from nas_fusion.system.deadline import Deadline

CELLS_THAT_TELL = 2
"""So many finished cells say by how much a forecast is wrong."""

MOST_WRONG = 4.0
"""A forecast is corrected by this factor at most: a cell may have waited for a busy machine."""

logger = logging.getLogger("nas_fusion")


@dataclass
class Schedule:
    """Decides, again and again while a comparison runs, which of its waiting cells still fit.

    Fair: all strategies get the same seeds as long as one seed of all fits; a seed for which there is no time is left
    out whole. If not even the first one fits, strategies are left out whole, those that take longest first.

    Args:
        forecast: of the comparison.
        deadline: when it has to be over.
        processes: that compute cells.
        left_out: what was left out, and why; grows.
    """

    forecast: Forecast
    deadline: Deadline
    processes: int = RunSettings.processes
    left_out: dict[Cell, str] = field(default_factory=dict)

    def learn(self, records: Sequence[CellRecord]) -> None:
        """Look at what finished cells have taken.

        Args:
            records: of all finished cells.
        """
        taken: dict[str, list[float]] = {}
        for record in records:
            taken.setdefault(record.strategy, []).append(seconds_of(record, with_search=False))
        fresh = replace(self.forecast, known={})
        entries = self.forecast.assembly.entries
        known = {name: sum(seconds) / len(seconds) for name, seconds in taken.items()}
        if len(records) >= CELLS_THAT_TELL:
            expected = sum(fresh.retraining(entries[record.strategy]) for record in records)
            factor = sum(seconds_of(record, with_search=False) for record in records) / max(expected, 1e-9)
            factor = min(max(factor, 1 / MOST_WRONG), MOST_WRONG)
            known = {name: factor * fresh.retraining(entry) for name, entry in entries.items()} | known
        self.forecast = replace(self.forecast, known=known)

    def surplus(self, waiting: Sequence[Cell], finished: Sequence[Cell]) -> list[Cell]:
        """The waiting cells that do not fit.

        Args:
            waiting: in the order in which they would run.
            finished: cells that are done, or run.
        """
        left, over = self.deadline.left * self.processes, False
        first = self.forecast.assembly.settings.seeds[0]
        surplus: list[Cell] = []
        dropped: set[str] = set()
        for seed in dict.fromkeys(cell.seed for cell in waiting):
            cells = [cell for cell in waiting if cell.seed == seed and cell.strategy not in dropped]
            surplus += [cell for cell in waiting if cell.seed == seed and cell.strategy in dropped]
            done = [cell.strategy for cell in finished if cell.seed == seed]
            if seed == first and not over:
                kept = self._quickest(cells, done, left)
                dropped = {cell.strategy for cell in cells} - {cell.strategy for cell in kept}
                surplus += [cell for cell in cells if cell not in kept]
                left -= self._seconds(kept, done)
            elif not over and self._seconds(cells, done) <= left:
                left -= self._seconds(cells, done)
            else:
                over = True
                surplus += cells
        return surplus

    def seconds(self, cells: Sequence[Cell], finished: Sequence[Cell]) -> float:
        """What cells take together.

        Args:
            cells: which ones.
            finished: others, whose searches serve them, too.
        """
        total = 0.0
        for seed in dict.fromkeys(cell.seed for cell in cells):
            done = [cell.strategy for cell in finished if cell.seed == seed]
            total += self._seconds([cell for cell in cells if cell.seed == seed], done)
        return total / self.processes

    def why(self, cell: Cell) -> str:
        """Why a cell is left out."""
        about = duration(self.forecast.cell(cell.strategy))
        return f"left out: about {about}, which did not fit into the time limit of {duration(self.deadline.seconds)}"

    def _seconds(self, cells: Sequence[Cell], done: Sequence[str]) -> float:
        entries = self.forecast.assembly.entries
        searched = {entries[name].search_name for name in done}
        total = 0.0
        for cell in cells:
            name = entries[cell.strategy].search_name
            total += self.forecast.cell(cell.strategy, searched=name in searched)
            searched.add(name)
        return total

    def _quickest(self, cells: Sequence[Cell], done: Sequence[str], left: float) -> list[Cell]:
        """As many strategies as fit: the quickest first."""
        if self._seconds(cells, done) <= left:
            return list(cells)
        kept: list[Cell] = []
        for cell in sorted(cells, key=lambda one: self.forecast.cell(one.strategy)):
            if self._seconds([*kept, cell], done) > left:
                break
            kept.append(cell)
        return kept
