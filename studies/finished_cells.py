"""The table of a comparison while it grows: cells are read as they are finished, by whatever process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from nas_fusion.errors import StudyError
from nas_fusion.nni_bridge import ExperimentRecorder
from nas_fusion.records import CellRecord, ComparisonInfo, FailedCell
from nas_fusion.report import write_results_csv
from nas_fusion.studies.cells.cell_files import write_cell
from nas_fusion.studies.cells.dashboard_figures import replay
from nas_fusion.studies.cells.failures import write_failure_log
from nas_fusion.studies.queue.cell_book import Cell, CellBook
from nas_fusion.studies.queue.workplace import Workplace
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.system.files import new_folder
from nas_fusion.tracking import Telling, ToldCells, TrackedStudy

CellListener = Callable[[CellRecord, int, int], None]
"""Called with each cell, how many are done, and how many there are."""

logger = logging.getLogger("nas_fusion")


@dataclass
class FinishedCells:
    """The cells of a comparison that are finished or have failed, whoever computed them; trackers are told of them.

    Args:
        place: where this process works.
        info: of the comparison.
        book: which cells are done.
        recorder: told of cells that other processes computed.
        listener: told of every cell.
        trackers: told of every cell, too.

    Attributes:
        records: the finished ones.
        failures: the others, and why.
    """

    place: Workplace
    info: ComparisonInfo
    book: CellBook
    recorder: ExperimentRecorder
    listener: CellListener
    trackers: Telling
    records: dict[Cell, CellRecord] = field(default_factory=dict)
    failures: dict[Cell, str] = field(default_factory=dict)

    def collect(self) -> None:
        """Read the cells that were finished, or have failed, since the last time."""
        self._collect_failures()
        done = self.book.done()
        for cell in self.book.cells:
            if cell in done and cell not in self.records:
                record = self.place.written.load(cell.strategy, cell.seed) or self._restore(cell)
                if record is not None:
                    self._add(cell, record)
                    self.book.copy_artifacts(cell, self.place.folder.cell(cell.strategy, cell.seed))

    def lost(self) -> list[Cell]:
        """Finished cells whose result is nowhere."""
        done = self.book.done()
        return [cell for cell in self.book.cells if cell in done and cell not in self.records]

    def without_record(self, left_out: Iterable[FailedCell] = ()) -> tuple[FailedCell, ...]:
        """Every cell that has no record, and why; in the order of the table.

        Args:
            left_out: cells that are none of these, since there was no time for them.
        """
        known = {*self.records, *(Cell(cell.strategy, cell.seed) for cell in left_out)}
        lost = dict.fromkeys(self.lost(), "it was finished, but its cell.json is gone, and the storage has no copy")
        reasons = self.failures | lost
        missing = [cell for cell in self.table_order() if cell not in known]
        return tuple(FailedCell(c.strategy, c.seed, reasons.get(c, "it was never run")) for c in missing)

    def in_order(self) -> list[CellRecord]:
        """The records in the order of the table."""
        return [self.records[cell] for cell in self.table_order() if cell in self.records]

    def table_order(self) -> list[Cell]:
        """Every cell, in the order of the table."""
        settings = self.place.assembly.settings
        return [Cell(name, seed) for name in settings.strategies for seed in settings.seeds]

    def _collect_failures(self) -> None:
        for cell, failure in self.book.failures().items():
            if cell in self.failures:
                continue
            log = ""
            if failure.traceback:  # a worker on another machine has its own folder
                log = f" ({write_failure_log(self.place.folder, cell.name, failure.traceback)})"
            self.failures[cell] = failure.reason + log
            logger.warning("%s, seed %d failed: %s", cell.strategy, cell.seed, self.failures[cell])

    def _restore(self, cell: Cell) -> CellRecord | None:
        try:
            record = self.book.remote_record(cell)
        except StudyError as error:
            logger.warning("%s: its cell is computed again", error)
            return None
        if record is not None:
            with new_folder(self.place.folder.cell(cell.strategy, cell.seed)) as folder:
                write_cell(folder, record)
        return record

    def _add(self, cell: Cell, record: CellRecord) -> None:
        self.records[cell] = record
        self.place.folder.failure(cell.name).unlink(missing_ok=True)  # it was tried again, with success
        if not self.recorder.succeeded(phase="re-train", strategy=cell.strategy, seed=cell.seed):
            replay(record, self.recorder, self.place.assembly.dataset)
        write_results_csv(self.in_order(), self.info, self.place.folder.results)
        self.listener(record, len(self.records), len(self.book.cells))
        self.trackers.tell(record)


def trackers_of(place: Workplace) -> Telling:
    """The trackers that a study's settings name."""
    study, settings, dataset = place.folder, place.assembly.settings, place.assembly.dataset
    told = ToldCells(study.tracked)
    tags = {"log": settings.source, "fingerprint": dataset.fingerprint}
    return Telling(settings.track, TrackedStudy(study.name, told.identifier, study.path, tags), told, study.cell)


def watched(place: Workplace, around: Surroundings, trackers: Telling) -> Workplace:
    """A place whose trainings run in these surroundings, and tell trackers of every validation.

    Where the budget is in seconds they do not: what is imported for a tracker would take of them.
    """
    log = around.training_log
    if place.assembly.budget.is_repeatable:
        log = trackers.live(log)
    return replace(place, surroundings=replace(around, training_log=log))
