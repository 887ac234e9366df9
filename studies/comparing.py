"""Compare strategies: every cell is searched, re-trained and tested once; a killed comparison goes on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import NothingFinishedError
from nas_fusion.nni_bridge import ExperimentRecorder
from nas_fusion.records import CellRecord, ChosenRecipe, ComparisonInfo, FailedCell
from nas_fusion.report import ReportModel, comparison_figures, comparison_view, html_text, report_model
from nas_fusion.serving import SavedModel
from nas_fusion.settings import ComparisonSettings, EngineName, RunSettings
from nas_fusion.studies.finished_cells import CellListener, FinishedCells, trackers_of, watched
from nas_fusion.studies.kept_models import best_model, open_cell
from nas_fusion.studies.nni_views import recording, training_service_of
from nas_fusion.studies.queue.cell_book import CellBook
from nas_fusion.studies.queue.cell_loop import run_cells
from nas_fusion.studies.queue.local_workers import local_workers
from nas_fusion.studies.queue.tuning_loop import TuningListener, results_of, run_tunings
from nas_fusion.studies.queue.workplace import Workplace, cell_book, coordinating, tunings
from nas_fusion.studies.recipe.sweeping import (
    SweepListener,
    choose_recipe,
    prepare_sweep,
    recipe_sweep,
    record_recipe,
    settled,
)
from nas_fusion.studies.setup.announcements import announce
from nas_fusion.studies.setup.assembly import Assembly, assemble
from nas_fusion.studies.setup.conditions import provenance, warning_of_changes
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.studies.setup.study_checks import check_comparison, processes_for
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.study_info import comparison_info
from nas_fusion.studies.study_reports import is_named_beforehand, write_reports
from nas_fusion.studies.timing.foresight import foresight
from nas_fusion.studies.timing.notebook_bar import NotebookBar
from nas_fusion.studies.timing.time_keeper import TimeKeeper, ended_in_time
from nas_fusion.studies.timing.total_bar import TotalBar
from nas_fusion.system.deadline import Deadline
from nas_fusion.system.files import write_text
from nas_fusion.tracking import Telling

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

    def best_model(self) -> SavedModel:
        """The best model by validation, opened: that of the best seed of the strategy with the best mean.

        Raises:
            StudyError: its cell was computed on another machine, and the model lies there.
        """
        return best_model(self.folder, self.report.decision)

    def model(self, strategy: str, seed: int) -> SavedModel:
        """The model of one cell, opened.

        Raises:
            StudyError: there is no such cell, or its model lies on the machine that computed it.
        """
        return open_cell(self.folder.cell(strategy, seed))

    def _repr_html_(self) -> str:
        """What a notebook shows: what to take, why, and the table."""
        return f"{comparison_view(self.report)}<p>{html_text(str(self.folder.report))}</p>"

    @property
    def left_out(self) -> tuple[FailedCell, ...]:
        """The cells for which the time limit left no time; the same comparison again computes them."""
        return self.info.left_out


def compare(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    folder: str | Path,
    *,
    storage: str | None = None,
    name: str | None = None,
    engine: EngineName = RunSettings.engine,
    nni_config: Path | None = None,
    console: Console | None = None,
    listener: CellListener | None = None,
    tuning_listener: TuningListener | None = None,
    sweep_listener: SweepListener | None = None,
    command: str | None = None,
    reference: str | None = None,
    latex: Path | None = None,
    processes: int = RunSettings.processes,
    time_limit: float | None = None,
    say: Callable[[str], None] | None = None,
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
        sweep_listener: told of every training of this process that chooses the recipe (``recipe.choice``).
        command: the command that repeats the comparison, for the report.
        reference: the strategy with which the reports compare the others; the one that validation chooses if not given.
        latex: a file for the table in LaTeX, if one is wanted.
        processes: this one and workers that it starts on this machine, which share its cores; 0: one per core. The log
            must be in a file. Not with the engine "nni", which has its own.
        time_limit: seconds for everything. What does not fit is left out before it begins, whole seeds or else whole
            strategies (`Schedule`); a cell that runs when the time is up is ended and counts as not done. What is
            finished is the same as without a limit.
        say: told, in lines, what will be done and about how long it takes, before it begins.

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
    deadline = Deadline(math.inf if time_limit is None else time_limit)
    processes = processes_for(processes)
    study = StudyFolder(folder)
    study.check(settings, dataset.fingerprint)
    assembly = assemble(settings, dataset, study.latency, processes=processes)
    _warn_of_the_clock(assembly)
    with coordinating(assembly, study, storage, name) as unwatched:
        beforehand = is_named_beforehand(study, settings, reference)
        sweep = recipe_sweep(unwatched, processes)

        def described(settings: ComparisonSettings, recipe: ChosenRecipe | None) -> ComparisonInfo:
            info = comparison_info(settings, dataset, command, reference, recipe)
            info = replace(info, named_beforehand=beforehand)
            write_text(study.comparison, info.to_json() + "\n")
            return info

        prepare_sweep(unwatched, sweep)
        info = described(settings, None)
        trackers = trackers_of(unwatched)
        with _watched(unwatched, trackers, console, engine, nni_config) as (place, recorder):
            ahead = foresight(place, say, processes, deadline)
            bar, notebook = TotalBar(None if ahead is None else console), NotebookBar(shown=console is None)

            def helped(waiting: int) -> AbstractContextManager[None]:
                url = storage or study.storage_url
                return local_workers(min(processes, waiting) - 1, url, place.name, study.path)

            def chosen() -> Workplace:
                recipe = choose_recipe(place, sweep, sweep_listener)
                record_recipe(place, recipe)
                now = settled(place, sweep, recipe, processes)
                table.place, table.info = now, described(now.assembly.settings, recipe)
                if keeper is not None:
                    keeper.settle(now.assembly, recipe)
                return now

            book = cell_book(place)
            table = FinishedCells(place, info, book, recorder, notebook.listening(listener), trackers)
            keeper = TimeKeeper.of(book, ahead, deadline, processes, table.in_order, bar)
            with bar.drawn(), notebook.drawn(), ended_in_time(deadline, keeper):
                _run(place, book, table, chosen, tuning_listener, helped, keeper)
            table.collect()
        records = table.in_order()
        left_out = () if keeper is None else keeper.left_out()
        failures = table.without_record(left_out)
        info = replace(table.info, failures=failures, left_out=left_out, time_limit=time_limit, ended=True)
        write_text(study.comparison, info.to_json() + "\n")
        model = report_model(records, info)
        figures = comparison_figures(model)
        write_reports(study, model, latex, figures)
        book.publish(figures, model.dashboard_words)
        if not records:
            raise NothingFinishedError(failures or left_out)
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
    assembly = assemble(settings, dataset, study.latency)
    with coordinating(assembly, study, storage, name) as place:
        book = cell_book(place)
        prepare_sweep(place, recipe_sweep(place))
        announce(book.study, settings, dataset.fingerprint)
        book.enqueue_missing()


@contextmanager
def _watched(
    place: Workplace, trackers: Telling, console: Console | None, engine: EngineName, nni_config: Path | None
) -> Iterator[tuple[Workplace, ExperimentRecorder]]:
    """The workplace with all that watches it, or serves its searches, while it computes."""
    study, settings = place.folder, place.assembly.settings
    with recording(study, settings) as recorder, ExitStack() as stack:
        service = None
        if engine == "nni":
            service = training_service_of(study, settings, nni_config)
            stack.enter_context(service.running())
        yield watched(place, Surroundings(console, recorder, service), trackers), recorder


def _run(
    place: Workplace,
    book: CellBook,
    table: FinishedCells,
    chosen: Callable[[], Workplace],
    tuning_listener: TuningListener | None,
    helped: Callable[[int], AbstractContextManager[None]],
    keeper: TimeKeeper | None,
) -> None:
    settings, dataset = place.assembly.settings, place.assembly.dataset
    announce(book.study, settings, dataset.fingerprint)
    table.collect()
    for cell in table.lost():
        book.repeat(cell)
    for tuning in tunings(place):
        tuning.reopen()
    book.enqueue_missing()  # before the tuning, so that workers know that there will be something to do
    with helped(len(book.pending())):  # which may change the number of threads
        _warn_of_changes(place, table, book)
        place = chosen()
        to_tune = tunings(place)
        run_tunings(place, to_tune, tuning_listener)
        compute = partial(run_cells, place, book, results_of(to_tune), lambda words: table.collect())
        if keeper is None:
            compute()
        else:
            keeper.run(lambda: compute(before_claim=keeper.trim))


def _warn_of_the_clock(assembly: Assembly) -> None:
    if not assembly.budget.is_repeatable:
        logger.warning(
            "a budget in seconds depends on the machine and on what else it does: finished cells are kept, but a cell "
            "that is run again, or a comparison that is repeated, gives other numbers"
        )


def _warn_of_changes(place: Workplace, table: FinishedCells, book: CellBook) -> None:
    if book.pending():
        settings, dataset = place.assembly.settings, place.assembly.dataset
        config = settings.train_config(len(dataset.train))
        words = warning_of_changes(table.in_order(), provenance(config, dataset))
        if words is not None:
            logger.warning("%s", words)
