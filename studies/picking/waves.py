"""In what order `fit` spends its time: what is quick first, then what searches, then further seeds of the best few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from nas_fusion.records import CellRecord
from nas_fusion.report import duration
from nas_fusion.studies.queue.cell_book import Cell, CellBook
from nas_fusion.studies.timing.forecast import Forecast
from nas_fusion.studies.timing.schedule import Schedule
from nas_fusion.system.deadline import Deadline, TimeIsUp, ending_by, until
from nas_fusion.system.told import tell
from nas_fusion.training.quality import Rank, rank_of

FINALISTS = (4, 3, 2)
"""So many of the best get a second, a third, a fourth seed …; the last number holds for all further ones."""

SHARES = {"general": 0.5, "hand-made": 0.4, "searches": 0.25}
"""Of the time that is left when it begins, so much may a wave take; what it does not take is left for the next ones."""

OVERRUN = 1.5
"""A cell that has begun in the time of its wave may take longer by this factor of it, before it is ended."""

ENOUGH = 0.2
"""Of the time that it takes to its end: boosted trees are good before the last of them, and a forecast of them may be
wrong by as much."""

NOT_NEEDED = "left out: only the best few are trained with further seeds"


@dataclass
class Waves:
    """Computes cells wave by wave.

    Args:
        book: the cells.
        schedule: knows what cells take, and when everything has to be over.
        compute: computes the waiting cells; called with what is to be done before each.
        records: of the finished cells.
        select: by what validation chooses.
        left_out: cells for which there was no time, and why.
        finalists: those that all have the same number of seeds, more than the others; empty while there are none.
    """

    book: CellBook
    schedule: Schedule
    compute: Callable[[Callable[[], None]], None]
    records: Callable[[], Sequence[CellRecord]]
    select: str
    left_out: dict[Cell, str] = field(default_factory=dict)
    finalists: list[str] = field(default_factory=list)

    @property
    def forecast(self) -> Forecast:
        """What cells take, as far as it is known by now."""
        return self.schedule.forecast

    @property
    def deadline(self) -> Deadline:
        """When everything has to be over."""
        return self.schedule.deadline

    def run(self, cells: Iterable[Cell], share: float = 1.0) -> None:
        """Compute those of some cells that fit into a share of the time, the quickest first.

        Args:
            cells: of the wave.
            share: of the time that is left.
        """
        done = self.book.done()
        wanted = [cell for cell in cells if cell not in done]
        self.schedule.learn(self.records())
        wanted.sort(key=lambda cell: self.forecast.cell(cell.strategy))
        if not wanted:
            return
        wave = Deadline(share * self.deadline.left)
        for cell in wanted:  # one by one, so that they wait in this order
            self.book.enqueue_missing([cell])
        try:
            with until(Deadline(OVERRUN * wave.left)), ending_by(wave):
                self.compute(lambda: self._trim(wave))
        except TimeIsUp:
            if self.deadline.left <= 0:
                raise
        finally:
            self._give_up(self.book.waiting(), wave)

    def further_seeds(self, seeds: Sequence[int]) -> None:
        """Train the best few with further seeds, fewer of them with each.

        Args:
            seeds: of the study; the first one is done.
        """
        for place, seed in enumerate(seeds[1:]):
            finalists = self.standings()[: FINALISTS[min(place, len(FINALISTS) - 1)]]
            self.run(Cell(name, seed) for name in finalists)
            if not all(Cell(name, seed) in self.book.done() for name in finalists):
                return  # no time is left
            self.finalists = finalists

    def standings(self) -> list[str]:
        """The finalists, or all strategies while there are none, by the mean over their seeds on validation.

        The best stands first.
        """
        ranks: dict[str, list[Rank]] = {}
        for record in self.records():
            ranks.setdefault(record.strategy, []).append(self.rank(record))
        names = self.finalists or list(ranks)
        return sorted(names, key=lambda name: mean_rank(ranks[name]), reverse=True)

    def rank(self, record: CellRecord) -> Rank:
        """How good a model is on validation."""
        return rank_of(self.select, record.valid_auc, record.valid_logloss, record.valid_gauc)

    def _trim(self, wave: Deadline) -> None:
        """Leave out what does not fit into the wave any more; at least one cell is tried while nothing is finished."""
        self.schedule.learn(self.records())
        waiting = self.book.waiting()
        late = [cell for cell in waiting if self._is_late(cell, wave)]
        if not self.records() and late == waiting:
            late = late[1:]
        self._give_up(late, wave)

    def _is_late(self, cell: Cell, wave: Deadline) -> bool:
        """Whether a cell will not end in time; one that ends with what it has needs some time, too."""
        entry = self.forecast.assembly.entries[cell.strategy]
        needed = self.forecast.cell(cell.strategy)
        return (ENOUGH * needed if entry.ends_in_time else needed) > wave.left

    def _give_up(self, cells: Sequence[Cell], wave: Deadline) -> None:
        for cell in self.book.leave_out(cells):
            about, left = self.forecast.cell(cell.strategy), max(wave.left, 0.0)
            why = f"about {duration(about)}, and {duration(left)} were left" if about > left else "the time was up"
            self.left_out[cell] = f"left out: {why}"
            tell(f"{cell.strategy}, seed {cell.seed} {self.left_out[cell]}")


def mean_rank(ranks: Sequence[Rank]) -> Rank:
    """The mean of what validation chooses by, over the seeds of a strategy."""
    return Rank(*(sum(values) / len(ranks) for values in zip(*ranks, strict=True)))
