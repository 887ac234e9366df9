"""Doing what a study asks for, cell by cell and tuning trial by tuning trial, alone or beside other processes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from optuna.storages import BaseStorage
from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.records import CellRecord
from nas_fusion.search import Engine
from nas_fusion.settings import ComparisonSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.cells.cell import Computing, Trained
from nas_fusion.studies.cells.cell_files import CELL, read_cell
from nas_fusion.studies.cells.dashboard_figures import chance_figure
from nas_fusion.studies.cells.failures import Failure, give_memory_back, stops_the_run, write_failure_log
from nas_fusion.studies.queue.cell_book import Cell, CellBook, Claim
from nas_fusion.studies.queue.tuning_trials import Tuning, TuningClaim, TuningLog
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.leases import Watch
from nas_fusion.training_log import LabelledLog, SilentLog, StoppedEarly, TrainingLog

logger = logging.getLogger("nas_fusion")

POLL_SECONDS = 0.5

MANY_EPOCHS = 1_000_000
"""More than a supernet is trained for in a budget of seconds; tuning counts the steps of a re-training behind them."""

CellListener = Callable[[CellRecord, int, int], None]
"""Called with each cell, how many are done, and how many there are."""

TuningListener = Callable[[str, int, int, str], None]
"""Called with each tuning trial: strategy, how many are done, how many there are, and its outcome in words."""


@dataclass
class Work:
    """A study on this machine.

    Args:
        settings: what is compared on what.
        dataset: the encoded log.
        folder: where cells are written.
        name: of the study in the storage.
        console: where progress bars appear; None for none.
        training_log: told of every training.
        engine: where the trainings of searches run; in this process if not given.
        remote: results go through the storage, too, since the coordinator may not see the folder.
        watch: notices dead processes.

    Raises:
        OptionError: a setting that cannot be used.
    """

    settings: ComparisonSettings
    dataset: EncodedDataset
    folder: StudyFolder
    name: str
    console: Console | None = None
    training_log: TrainingLog = field(default_factory=SilentLog)
    engine: Engine | None = None
    remote: bool = False
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self.assembly = Assembly(self.settings, self.dataset, self.folder.latency, self.console)
        self.entries, self.budget = self.assembly.entries, self.assembly.budget
        self.computing = Computing(self.assembly, self.folder)
        self._tuned: dict[str, dict[str, Any]] = {}
        self._untuned: dict[str, str] = {}
        self._damaged: set[Cell] = set()

    def connect(self, storage: BaseStorage) -> None:
        """Say where cells and tuning trials are claimed; the folder is there now."""
        self.storage = storage
        self.assembly.limits.remember_in(self.folder.latency)

    def cells(self) -> list[Cell]:
        """All cells in the order in which they run: seed by seed, so that every strategy soon has a first row."""
        return [Cell(name, seed) for seed in self.settings.seeds for name in self.entries]

    def book(self) -> CellBook:
        """The cells in the storage."""
        return CellBook(self.storage, self.name, self.cells(), self.folder.artifacts, self.watch)

    def tunings(self) -> list[Tuning]:
        """The tunings that come before the cells."""
        if not self.settings.tune:
            return []
        return [
            Tuning(
                self.storage, self.name, name, h.distributions(), h.defaults(), self.settings.tune,
                self.settings.seeds[0], self._search_steps(self.entries[name]), self.watch,
            )
            for name, h in self.assembly.hyperparameters.items()
        ]  # fmt: skip

    def tune(self, listener: TuningListener) -> list[Tuning]:
        """Do tuning trials until every tuning has all of its own, those of other processes included."""
        tunings = self.tunings()
        while not all(t.finished() for t in tunings):
            if not any(self._tuning_step(t, listener) for t in tunings):
                time.sleep(POLL_SECONDS)
        return tunings

    def adopt(self, tunings: list[Tuning]) -> None:
        """Use what the tunings found; the cells of a strategy of which no trial could be trained will fail."""
        for tuning in tunings:
            result = tuning.result()
            if result is None:
                words = f"none of the {tuning.trials} tuning trials could be trained; the last one: {tuning.problem()}"
                self._untuned[tuning.strategy] = words
            else:
                self._tuned[tuning.strategy] = asdict(result)

    def run_cells(self, book: CellBook, on_step: Callable[[str | None], None]) -> None:
        """Compute cells until none waits or runs, those of other processes included.

        A cell that fails is told to the book, and the next one is computed.

        Args:
            book: the cells.
            on_step: called with a line about each cell of this process, and with None while others are waited for; the
                last call comes after the last cell has ended, whoever computed it.
        """
        while True:
            book.revive()
            claim = book.claim()
            if claim is not None:
                on_step(self._run_claimed(book, claim))
                continue
            # Looked at before the step: what ends between the two is still told of by the step.
            over = not book.pending()
            on_step(None)
            if not over:
                time.sleep(POLL_SECONDS)
            elif not book.revive_forgotten():
                return

    def load(self, cell: Cell) -> CellRecord | None:
        """A cell that was written; one whose record is damaged was not, which is warned of once."""
        folder = self.folder.cell(cell.strategy, cell.seed)
        if not (folder / CELL).exists():
            return None
        try:
            return read_cell(folder)
        except DamagedFileError as error:
            if cell not in self._damaged:
                self._damaged.add(cell)
                logger.warning("%s: its cell is computed again", error)
            return None

    def _run_claimed(self, book: CellBook, claim: Claim) -> str:
        cell = claim.cell
        name = f"{cell.strategy}, seed {cell.seed}"
        try:
            with book.holding(claim):
                # A cell that was written but not yet marked as done when the process was killed is not run again.
                record = self.load(cell) or self._compute(cell)
                told = chance_figure(self.dataset, record.valid_auc, record.test_auc)
                where = self.folder.cell(cell.strategy, cell.seed)
                counts = book.finish(claim, record, where, told, remote=self.remote)
        except BaseException as error:
            if stops_the_run(error):
                book.release(claim)
                raise
            failure = Failure.of(error)
        else:
            return f"{name}: valid {record.valid_auc:.4f}" + ("" if counts else ", too late: another process has it")
        return f"{name}: {self._cleared_up(name, cell.name, failure, lambda: book.fail(claim, failure))}"

    def _cleared_up(self, what: str, log: str, failure: Failure, tell: Callable[[], None]) -> str:
        """Keep the traceback, and tell whoever waits for a result; gives the failure in words."""
        words = f"failed: {failure.reason} ({write_failure_log(self.folder, log, failure.traceback)})"
        tell()
        if failure.lost_device:
            raise StudyError(f"{what}: {words}; this process cannot use the device any more, the same command goes on")
        give_memory_back()
        return words

    def _tuning_step(self, tuning: Tuning, listener: TuningListener) -> bool:
        claim = tuning.claim()
        if claim is None:
            return False
        try:
            with tuning.holding(claim):
                words = self._try(tuning, claim)
        except BaseException:
            tuning.release(claim)
            raise
        listener(tuning.strategy, tuning.counts()[0], tuning.trials, words)
        return True

    def _try(self, tuning: Tuning, claim: TuningClaim) -> str:
        seed = self.settings.seeds[0]
        labels = {"strategy": tuning.strategy, "seed": seed, "tuning_trial": claim.slot}
        job = self.assembly.job(
            tuning.strategy, seed, claim.values,
            label=f"{tuning.strategy} tuning {claim.slot + 1}/{tuning.trials}",
            training_log=TuningLog(claim, tuning.search_steps, LabelledLog(self.training_log, labels)),
        )  # fmt: skip
        try:
            found = self.computing.search_and_retrain(job)
        except StoppedEarly as stop:
            tuning.prune(claim, {})
            return f"pruned: {stop}"
        except BaseException as error:
            if stops_the_run(error):
                raise
            failure = Failure.of(error)
        else:
            return self._tried(tuning, claim, found)
        log = f"{tuning.strategy}-tuning-{claim.slot}"
        return self._cleared_up(log, log, failure, lambda: tuning.fail(claim, failure.reason))

    @staticmethod
    def _tried(tuning: Tuning, claim: TuningClaim, found: Trained) -> str:
        valid_auc = found.retrained.fit.best_valid_auc
        tuning.finish(claim, valid_auc, {"design": str(found.outcome.design), "samples": found.samples})
        return f"valid {valid_auc:.4f}"

    def _search_steps(self, entry: StrategyEntry) -> int:
        if entry.kind == "multi-trial":
            return self.budget.candidates or self.settings.candidates
        if entry.kind == "reference":
            return 0
        samples = self.budget.samples
        return MANY_EPOCHS if samples is None else math.ceil(samples / len(self.dataset.train))

    def _compute(self, cell: Cell) -> CellRecord:
        if cell.strategy in self._untuned:
            raise StudyError(self._untuned[cell.strategy])
        tuned = self._tuned.get(cell.strategy, {})
        job = self.assembly.job(
            cell.strategy, cell.seed, tuned.get("values"),
            label=f"{cell.strategy} seed {cell.seed}",
            training_log=LabelledLog(self.training_log, {"strategy": cell.strategy, "seed": cell.seed}),
            engine=self.engine,
        )  # fmt: skip
        return self.computing.compute(job, tuned)
