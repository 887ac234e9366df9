"""Doing what a study asks for, cell by cell and tuning trial by tuning trial, alone or beside other processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from filelock import FileLock
from optuna.storages import BaseStorage
from rich.console import Console

from nas_fusion.analysis import connection_importance
from nas_fusion.cost import measure
from nas_fusion.data import EncodedDataset
from nas_fusion.design import FusionDesign
from nas_fusion.errors import NasFusionError, StudyError
from nas_fusion.files import new_folder, save_tensors, write_text
from nas_fusion.nn import Fields, FusionNetwork
from nas_fusion.records import CellRecord
from nas_fusion.report import draw_design
from nas_fusion.search import (
    LATENCY,
    Engine,
    KeptLimits,
    Retrained,
    SearchOutcome,
    run_search,
)
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies._anytime import (
    SavedIncumbents,
    TestFigures,
    figures_of,
    incumbents_folder,
    with_test_figures,
    without_test_figures,
)
from nas_fusion.studies._assembly import Assembly, Job
from nas_fusion.studies._cells import Cell, CellBook, Claim, Failure
from nas_fusion.studies._failures import (
    failure_reason,
    give_memory_back,
    stops_the_run,
    traceback_of,
    write_failure_log,
)
from nas_fusion.studies._folder import StudyFolder
from nas_fusion.studies._leases import Watch
from nas_fusion.studies._provenance import provenance
from nas_fusion.studies._searches import load_search, save_search
from nas_fusion.studies._settings import ComparisonSettings
from nas_fusion.studies._tuning import Tuning, TuningClaim, TuningLog
from nas_fusion.training import Metrics, TrainConfig, evaluate
from nas_fusion.trials import LabelledLog, SilentLog, StoppedEarly, TrialLog

POLL_SECONDS = 0.5

MANY_EPOCHS = 1_000_000
"""More than a supernet is trained for in a budget of seconds; tuning counts the steps of a re-training behind them."""

CellListener = Callable[[CellRecord, int, int], None]
"""Called with each cell, how many are done, and how many there are."""

TuningListener = Callable[[str, int, int, str], None]
"""Called with each tuning trial: strategy, how many are done, how many there are, and its outcome in words."""


@dataclass(frozen=True)
class _Trained:
    kept: KeptLimits
    retrained: Retrained
    test: Metrics | None

    @property
    def outcome(self) -> SearchOutcome:
        return self.kept.outcome

    @property
    def samples(self) -> int:
        return self.outcome.samples + self.retrained.fit.samples


@dataclass
class Work:
    """A study on this machine.

    Args:
        settings: what is compared on what.
        dataset: the encoded log.
        folder: where cells are written.
        name: of the study in the storage.
        console: where progress bars appear; None for none.
        trials: told of every training.
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
    trials: TrialLog = field(default_factory=SilentLog)
    engine: Engine | None = None
    remote: bool = False
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self.assembly = Assembly(self.settings, self.dataset, self.folder.latency, self.console)
        self.entries, self.budget = self.assembly.entries, self.assembly.budget
        self._tuned: dict[str, dict[str, Any]] = {}

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
        """Use what the tunings found.

        Raises:
            StudyError: a tuning has no trial that could be trained.
        """
        for tuning in tunings:
            result = tuning.result()
            if result is None:
                raise StudyError(f"none of the tuning trials of {tuning.strategy} could be trained")
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
        """A cell that was written."""
        path = self.folder.cell(cell.strategy, cell.seed) / "cell.json"
        return CellRecord.from_json(path.read_text("utf-8")) if path.exists() else None

    def _run_claimed(self, book: CellBook, claim: Claim) -> str:
        cell = claim.cell
        name = f"{cell.strategy}, seed {cell.seed}"
        try:
            with book.holding(claim):
                # A cell that was written but not yet marked as done when the process was killed is not run again.
                record = self.load(cell) or self._compute(cell)
                counts = book.finish(claim, record, self.folder.cell(cell.strategy, cell.seed), remote=self.remote)
        except BaseException as error:
            if stops_the_run(error):
                book.release(claim)
                raise
            failure = Failure(failure_reason(error), traceback_of(error))
        else:
            return f"{name}: valid {record.valid_auc:.4f}" + ("" if counts else ", too late: another process has it")
        give_memory_back()
        log = write_failure_log(self.folder, cell.name, failure.traceback)
        book.fail(claim, failure)
        return f"{name}: failed: {failure.reason} ({log})"

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
            trials=TuningLog(claim, tuning.search_steps, LabelledLog(self.trials, labels)),
        )  # fmt: skip
        try:
            found = self._search_and_retrain(job)
        except StoppedEarly as stop:
            tuning.prune(claim, {})
            return f"pruned: {stop}"
        except NasFusionError as error:
            tuning.fail(claim, str(error))
            return f"failed: {error}"
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

    def _search_and_retrain(self, job: Job, *, with_test: bool = False) -> _Trained:
        task, kept = job.task, job.keep_limits(self._search(job))
        outcome = kept.outcome
        with task.trials.trial("re-train", outcome.design) as trial:
            trained = job.retrain(outcome, lambda record: trial.validated(record.valid_auc))
            test = evaluate(trained.model, self.dataset.test, task.config) if with_test else None
            figures = {} if test is None else {"test_auc": test.auc, "test_logloss": test.logloss}
            trial.result(trained.fit.best_valid_auc, **figures)
        return _Trained(kept, trained, test)

    def _compute(self, cell: Cell) -> CellRecord:
        tuned = self._tuned.get(cell.strategy, {})
        job = self.assembly.job(
            cell.strategy, cell.seed, tuned.get("values"),
            label=f"{cell.strategy} seed {cell.seed}",
            trials=LabelledLog(self.trials, {"strategy": cell.strategy, "seed": cell.seed}),
            engine=self.engine,
        )  # fmt: skip
        entry, settings, config = job.entry, job.settings, job.task.config
        with self._keeping_incumbents(job) as (job, figures):
            found = self._search_and_retrain(job, with_test=True)
        outcome, trained, test = found.outcome, found.retrained, found.test
        assert test is not None, "asked for"
        schema = self.dataset.schema
        fields = Fields(tuple(schema.field_sizes), tuple(schema.value_fields), settings.emb_dim)
        cost = measure(trained.model, fields, config, trained.fit)
        limited = found.kept.details(
            {
                LATENCY: cost[f"latency_ms_{settings.limits.latency_batch}"],
                "max-parameters": trained.parameters,
                "max-multiply-adds": cost["multiply_adds"],
            }
        )
        details = {
            **outcome.details,
            **self._importance(trained, config),
            **({"tuning": tuned} if tuned else {}),
            **({"limits": limited} if limited else {}),
        }
        record = CellRecord(
            strategy=cell.strategy,
            seed=cell.seed,
            kind=entry.kind,
            design=outcome.design,
            mode=entry.mode,
            search_valid_auc=outcome.valid_auc,
            valid_auc=trained.fit.best_valid_auc,
            valid_logloss=trained.fit.best_valid_logloss,
            test_auc=test.auc,
            test_logloss=test.logloss,
            search_seconds=outcome.seconds - outcome.derive_seconds,
            retrain_seconds=trained.seconds,
            search_samples=outcome.samples - outcome.derive_samples,
            retrain_samples=trained.fit.samples,
            parameters=trained.parameters,
            candidates=outcome.candidates,
            trace=with_test_figures(outcome.trace, figures),
            retrain_history=trained.history,
            shares_search_with=entry.shares_search_with if self._is_shared(entry) else None,
            cost=cost,
            details=details,
            derive_seconds=outcome.derive_seconds + outcome.measure_seconds,
            derive_samples=outcome.derive_samples + outcome.measure_samples,
            tuning_seconds=tuned.get("seconds", 0.0),
            tuning_samples=tuned.get("samples", 0),
            provenance=provenance(config),
        )
        with new_folder(self.folder.cell(cell.strategy, cell.seed)) as folder:
            save_tensors(folder / "model.pt", trained.model.state_dict())
            write_record(folder, record)
        return record

    def _importance(self, trained: Retrained, config: TrainConfig) -> dict[str, Any]:
        if not self.settings.importance or not isinstance(trained.model, FusionNetwork):
            return {}
        return {"importance": connection_importance(trained.model, self.dataset.valid, config)}

    @contextmanager
    def _keeping_incumbents(self, job: Job) -> Iterator[tuple[Job, TestFigures]]:
        """A job whose task keeps its incumbents, and their test AUCs, which are there behind the block."""
        entry, task = job.entry, job.task
        if not self.settings.anytime_test or entry.kind == "reference":
            yield job, {}
            return
        with incumbents_folder(self.folder.path, f"{entry.name}-{task.seed}") as folder:
            incumbents = SavedIncumbents(folder)
            yield replace(job, task=replace(task, incumbents=incumbents)), incumbents.figures
            incumbents.measure(self.dataset.test, task.config)

    def _search(self, job: Job) -> SearchOutcome:
        entry, task = job.entry, job.task
        if not self._is_shared(entry):
            return job.search()
        folder = self.folder.search(entry.search_name, task.seed)
        folder.parent.mkdir(exist_ok=True)
        # Processes that share the folder take turns, and the second finds what the first has found.
        with FileLock(folder.parent / f".{folder.name}.lock"):
            outcome = load_search(folder)
            if outcome is None:
                outcome = run_search(STRATEGIES.get(entry.search_name), task, job.parameters)
                # The search is over, and another process may be the one that uses it next.
                if isinstance(task.incumbents, SavedIncumbents):
                    figures = task.incumbents.measure(self.dataset.test, task.config)
                    outcome = replace(outcome, trace=with_test_figures(outcome.trace, figures))
                save_search(folder, outcome)
        if isinstance(task.incumbents, SavedIncumbents):
            task.incumbents.figures |= figures_of(outcome.trace)
        # Nobody who trains is told of them.
        return replace(outcome, trace=without_test_figures(outcome.trace))

    def _is_shared(self, entry: StrategyEntry) -> bool:
        """Whether a search of this entry serves, or may serve, another one; tuned strategies search for themselves."""
        if self.settings.tune or not self._serves(entry):
            return False
        return any(e.shares_search_with == entry.search_name and self._serves(e) for e in self.entries.values())

    def _serves(self, entry: StrategyEntry) -> bool:
        return entry.shares_search_with is None or self.assembly.hyperparameters[entry.name].shares_search


def write_record(folder: Any, record: CellRecord) -> None:
    """Write a cell's record, design and drawing into its folder."""
    write_text(folder / "design.json", record.design.to_json() + "\n")
    if isinstance(record.design, FusionDesign):
        write_text(folder / "design.svg", draw_design(record.design, title=f"{record.strategy}, seed {record.seed}"))
    write_text(folder / "cell.json", record.to_json())


def replay(record: CellRecord, log: TrialLog) -> None:
    """Tell a log of a cell that another process computed."""
    labels = LabelledLog(log, {"strategy": record.strategy, "seed": record.seed})
    if record.kind == "one-shot" and record.shares_search_with is None:
        with labels.trial("search", record.design) as trial:
            for point in record.trace:
                trial.validated(point.valid_auc)
            trial.result(record.search_valid_auc)
    with labels.trial("re-train", record.design) as trial:
        for point in record.retrain_history:
            trial.validated(point.valid_auc)
        trial.result(record.valid_auc, test_auc=record.test_auc, test_logloss=record.test_logloss)
