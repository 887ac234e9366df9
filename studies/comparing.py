"""Compare strategies: every cell is searched, re-trained and tested once; a killed comparison goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import NothingFinishedError, StudyError
from nas_fusion.nni_bridge import ExperimentRecorder
from nas_fusion.records import CellRecord, ComparisonInfo, FailedCell
from nas_fusion.report import ReportModel, comparison_figures, decision_in_words, report_model, write_results_csv
from nas_fusion.settings import ComparisonSettings
from nas_fusion.studies.cells.cell import replay
from nas_fusion.studies.cells.cell_files import write_cell
from nas_fusion.studies.cells.failures import write_failure_log
from nas_fusion.studies.queue.cell_book import Cell, CellBook
from nas_fusion.studies.queue.local_workers import local_workers, processes_for
from nas_fusion.studies.queue.work import CellListener, TuningListener, Work
from nas_fusion.studies.setup.announcements import announce
from nas_fusion.studies.setup.conditions import provenance, warning_of_changes
from nas_fusion.studies.setup.study_checks import check_comparison, check_size
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.optuna_storage import open_storage
from nas_fusion.studies.study_info import comparison_info
from nas_fusion.studies.study_reports import is_named_beforehand, write_reports
from nas_fusion.system.files import new_folder, write_text

EngineName = Literal["in-process", "nni"]

logger = logging.getLogger("nas_fusion")


@dataclass(frozen=True)
class Comparison:
    """A comparison that has ended.

    Args:
        report: what its reports say, everything that they decide included.
        folder: where it lies.
    """

    report: ReportModel
    folder: StudyFolder

    @property
    def records(self) -> tuple[CellRecord, ...]:
        """The finished cells, in the order of the table."""
        return self.report.records

    @property
    def info(self) -> ComparisonInfo:
        """What was compared."""
        return self.report.info

    @property
    def failures(self) -> tuple[FailedCell, ...]:
        """The cells that have no result, and why; the same comparison again tries them again."""
        return self.info.failures


def compare(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    folder: str | Path,
    *,
    storage: str | None = None,
    name: str | None = None,
    engine: EngineName = "in-process",
    nni_config: Path | None = None,
    console: Console | None = None,
    listener: CellListener | None = None,
    tuning_listener: TuningListener | None = None,
    command: str | None = None,
    reference: str | None = None,
    latex: Path | None = None,
    processes: int = 1,
) -> Comparison:
    """Run every cell that is not done yet, then write the results.

    A cell that fails fails alone: the others are run, the results name it (`Comparison.failures`), and the same
    comparison again tries it again.

    Args:
        settings: what is compared on what.
        dataset: the encoded log.
        folder: the study folder; an unfinished comparison in it goes on.
        storage: URL of Optuna's storage, which workers may share; in the folder if not given.
        name: of the study in the storage; the folder's if not given.
        engine: ``"in-process"``, or ``"nni"``: candidates and one-shot searches are trials of NNI's training service,
            `settings.concurrency` at once. The results are the same.
        nni_config: NNI's own configuration (YAML), for services on other machines.
        console: where progress bars appear; None for none.
        listener: told of every cell, those that were done before included.
        tuning_listener: told of every tuning trial of this process.
        command: the command that repeats the comparison, for the report.
        reference: the strategy with which the reports compare the others; the one that validation chooses if not given.
        latex: a file for the table in LaTeX, if one is wanted.
        processes: this one and workers beside it on this machine, which share its cores; 0: one per core. The log must
            be in a file. Not with the engine "nni", which has its own.

    Raises:
        StudyError: the folder belongs to other settings, or to another process.
        OptionError: an unknown engine, a configuration that NNI refuses, or a wrong number of processes.
        UnknownNameError: the reference is not among the strategies.
        NothingFinishedError: not one cell could be run.
        WriteError, StorageError: the disk is full, or the storage is away; what is finished is kept.
    """
    check_comparison(
        settings, folder, storage=storage, engine=engine, nni_config=nni_config, reference=reference, latex=latex,
        processes=processes,
    )  # fmt: skip
    processes = processes_for(processes)
    info = comparison_info(settings, dataset, command, reference)
    study = StudyFolder(folder)
    study.check(settings, dataset.fingerprint)
    check_size(settings, dataset, processes)
    work = Work(settings, dataset, study, name or study.name, console=console)
    if not work.budget.is_repeatable:
        logger.warning(
            "a budget in seconds depends on the machine and on what else it does: finished cells are kept, but a cell "
            "that is run again, or a comparison that is repeated, gives other numbers"
        )
    shared = None if storage is None else open_storage(storage)  # before the folder: it may not be reached
    with study.locked(settings, dataset.fingerprint):
        url = storage or study.storage_url
        work.connect(shared or open_storage(url))
        info = replace(info, named_beforehand=is_named_beforehand(study, settings, reference))
        write_text(study.comparison, info.to_json() + "\n")
        with study.recorder(settings) as recorder, ExitStack() as stack:
            work.training_log = recorder
            if engine == "nni":
                work.engine = study.training_service(settings, nni_config)
                stack.enter_context(work.engine.running())

            def helped(waiting: int) -> AbstractContextManager[None]:
                return local_workers(min(processes, waiting) - 1, url, work.name, study.path)

            records, failures, book = _run(work, info, recorder, listener, tuning_listener, helped)
        info = replace(info, failures=failures, ended=True)
        write_text(study.comparison, info.to_json() + "\n")
        model = report_model(records, info)
        write_reports(study, model, latex)
        book.publish(comparison_figures(model), decision_in_words(model.decision))
        if not records:
            raise NothingFinishedError(failures)
    return Comparison(model, study)


def offer(settings: ComparisonSettings, dataset: EncodedDataset, folder: str | Path, storage: str, name: str) -> None:
    """Let the cells of a comparison wait for workers before `compare` itself comes to it.

    Args:
        settings, dataset, folder, storage, name: as of `compare`.

    Raises:
        StudyError: the folder or the study belongs to other settings, or to another process.
        OptionError: a setting that cannot be used.
    """
    study = StudyFolder(folder)
    study.check(settings, dataset.fingerprint)
    work = Work(settings, dataset, study, name)
    shared = open_storage(storage)
    with study.locked(settings, dataset.fingerprint):
        work.connect(shared)
        book = work.book()
        announce(book.study, settings, dataset.fingerprint)
        book.enqueue_missing()


def _run(
    work: Work,
    info: ComparisonInfo,
    recorder: ExperimentRecorder,
    listener: CellListener | None,
    tuning_listener: TuningListener | None,
    helped: Callable[[int], AbstractContextManager[None]],
) -> tuple[list[CellRecord], tuple[FailedCell, ...], CellBook]:
    book = work.book()
    announce(book.study, work.settings, work.dataset.fingerprint)
    table = _Table(work, info, book, recorder, listener or (lambda record, done, total: None))
    table.collect()
    for cell in table.lost():
        book.repeat(cell)
    for tuning in work.tunings():
        tuning.reopen()
    book.enqueue_missing()  # before the tuning, so that workers know that there will be something to do
    with helped(len(book.pending())):  # which may change the number of threads
        _warn_of_changes(work, table, book)
        work.adopt(work.tune(tuning_listener or (lambda strategy, done, total, words: None)))
        work.run_cells(book, lambda words: table.collect())
    return table.in_order(), table.without_record(), book


def _warn_of_changes(work: Work, table: _Table, book: CellBook) -> None:
    if book.pending():
        config = work.settings.train_config(len(work.dataset.train))
        words = warning_of_changes(table.in_order(), provenance(config, work.dataset))
        if words is not None:
            logger.warning("%s", words)


@dataclass
class _Table:
    """The cells that are finished, whoever computed them."""

    work: Work
    info: ComparisonInfo
    book: CellBook
    recorder: ExperimentRecorder
    listener: CellListener
    records: dict[Cell, CellRecord] = field(default_factory=dict)
    failures: dict[Cell, str] = field(default_factory=dict)

    def collect(self) -> None:
        """Read the cells that were finished, or have failed, since the last time."""
        self._collect_failures()
        done = self.book.done()
        for cell in self.book.cells:
            if cell in done and cell not in self.records:
                record = self.work.load(cell) or self._restore(cell)
                if record is not None:
                    self._add(cell, record)
                    self.book.copy_artifacts(cell, self.work.folder.cell(cell.strategy, cell.seed))

    def lost(self) -> list[Cell]:
        """Finished cells whose result is nowhere."""
        done = self.book.done()
        return [cell for cell in self.book.cells if cell in done and cell not in self.records]

    def without_record(self) -> tuple[FailedCell, ...]:
        """Every cell that has no record, and why; in the order of the table."""
        lost = dict.fromkeys(self.lost(), "it was finished, but its cell.json is gone, and the storage has no copy")
        reasons = self.failures | lost
        missing = [cell for cell in self._table_order() if cell not in self.records]
        return tuple(FailedCell(c.strategy, c.seed, reasons.get(c, "it was never run")) for c in missing)

    def in_order(self) -> list[CellRecord]:
        """The records in the order of the table."""
        return [self.records[cell] for cell in self._table_order() if cell in self.records]

    def _table_order(self) -> list[Cell]:
        settings = self.work.settings
        return [Cell(name, seed) for name in settings.strategies for seed in settings.seeds]

    def _collect_failures(self) -> None:
        for cell, failure in self.book.failures().items():
            if cell in self.failures:
                continue
            log = ""
            if failure.traceback:  # a worker on another machine has its own folder
                log = f" ({write_failure_log(self.work.folder, cell.name, failure.traceback)})"
            self.failures[cell] = failure.reason + log
            logger.warning("%s, seed %d failed: %s", cell.strategy, cell.seed, self.failures[cell])

    def _restore(self, cell: Cell) -> CellRecord | None:
        try:
            record = self.book.remote_record(cell)
        except StudyError as error:
            logger.warning("%s: its cell is computed again", error)
            return None
        if record is not None:
            with new_folder(self.work.folder.cell(cell.strategy, cell.seed)) as folder:
                write_cell(folder, record)
        return record

    def _add(self, cell: Cell, record: CellRecord) -> None:
        self.records[cell] = record
        self.work.folder.failure(cell.name).unlink(missing_ok=True)  # it was tried again, with success
        if not self.recorder.succeeded(phase="re-train", strategy=cell.strategy, seed=cell.seed):
            replay(record, self.recorder, self.work.dataset)
        write_results_csv(self.in_order(), self.info, self.work.folder.results)
        self.listener(record, len(self.records), len(self.book.cells))
