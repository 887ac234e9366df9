"""What a time limit does to the cells of a comparison while they are computed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from nas_fusion.records import CellRecord, ChosenRecipe, FailedCell
from nas_fusion.report import duration, left_out_words
from nas_fusion.studies.queue.cell_book import Cell, CellBook
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.timing.forecast import Forecast
from nas_fusion.studies.timing.foresight import after_sweep
from nas_fusion.studies.timing.schedule import Schedule
from nas_fusion.studies.timing.total_bar import TotalBar
from nas_fusion.system.deadline import Deadline, TimeIsUp, until

ENDED = "its time was up before it had ended"
"""Why a cell has no result that ran when the limit came."""

REPORT_SHARE, REPORT_SECONDS = 0.05, 5.0
"""Of a time limit, so much is kept for the reports."""

logger = logging.getLogger("nas_fusion")


@dataclass
class TimeKeeper:
    """Takes cells out of the queue for which there is no time, and lets them wait again if there is after all.

    Args:
        book: the cells.
        schedule: what fits.
        records: gives those of the finished cells.
        bar: shows how much time is left.
    """

    book: CellBook
    schedule: Schedule
    records: Callable[[], Sequence[CellRecord]]
    bar: TotalBar

    @classmethod
    def of(
        cls,
        book: CellBook,
        ahead: Forecast | None,
        deadline: Deadline,
        processes: int,
        records: Callable[[], Sequence[CellRecord]],
        bar: TotalBar,
    ) -> TimeKeeper | None:
        """One for a comparison of which something is known beforehand; None where nothing is."""
        if ahead is None:
            return None
        bar.update(ahead.whole(processes))
        return cls(book, Schedule(ahead, deadline, processes), records, bar)

    def settle(self, assembly: Assembly, recipe: ChosenRecipe | None) -> None:
        """The recipe is chosen: look ahead again."""
        self.schedule.forecast = after_sweep(self.schedule.forecast, assembly, recipe)

    def run(self, compute: Callable[[], None]) -> None:
        """Compute cells until there are none for which there is time."""
        compute()
        while self.readmit():
            compute()

    def trim(self) -> None:
        """Leave out what does not fit; called before a cell is claimed."""
        self.schedule.learn(self.records())
        waiting, done = self.book.waiting(), self.book.done()
        cells = [cell for cell in self.book.cells if cell not in done and cell not in self.schedule.left_out]
        self.bar.update(self.schedule.seconds(cells, sorted(done)), f"{len(done)} of {len(done) + len(cells)} cells")
        if waiting:
            finished = done | (self.book.pending() - set(waiting))
            self._leave_out(self.schedule.surplus(waiting, sorted(finished)))

    def readmit(self) -> bool:
        """Let those wait again that fit after all, since others were quicker than foreseen; whether there are any."""
        self.schedule.learn(self.records())
        left_out = [cell for cell in self.book.cells if cell in self.schedule.left_out]
        surplus = self.schedule.surplus(left_out, sorted(self.book.done()))
        again = [cell for cell in left_out if cell not in surplus]
        for cell in again:
            del self.schedule.left_out[cell]
        self.book.enqueue_missing(again)
        return bool(again)

    def close(self) -> None:
        """The time is up: nothing waits any more."""
        waiting = self.book.waiting()
        self.schedule.left_out.update(dict.fromkeys(self.book.leave_out(waiting), ENDED))

    def left_out(self) -> tuple[FailedCell, ...]:
        """What has no result for lack of time."""
        why, done = self.schedule.left_out, self.book.done()
        cells = [cell for cell in self.book.cells if cell in why and cell not in done]
        return tuple(FailedCell(cell.strategy, cell.seed, why[cell]) for cell in cells)

    def _leave_out(self, cells: Sequence[Cell]) -> None:
        now = {cell: self.schedule.why(cell) for cell in self.book.leave_out(cells)}
        if now:
            self.schedule.left_out.update(now)
            told = left_out_words([FailedCell(cell.strategy, cell.seed, why) for cell, why in now.items()])
            limit = duration(self.schedule.deadline.seconds)
            logger.warning("within the time limit of %s there is no time for: %s", limit, told)


@contextmanager
def ended_in_time(deadline: Deadline, keeper: TimeKeeper | None) -> Iterator[None]:
    """What the block computes ends when the time is up; with some time left to write the reports.

    Args:
        deadline: of the comparison.
        keeper: of its cells; None where no limit is kept.
    """
    if keeper is None or not deadline.is_set:
        yield
        return
    try:
        with until(deadline.sooner(min(REPORT_SHARE * deadline.seconds, REPORT_SECONDS))):
            yield
    except TimeIsUp:
        keeper.close()
        logger.warning("the time limit of %s is up: what ran then counts as not done", duration(deadline.seconds))
