"""`fit`: from a log to one model, within a time limit."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import NothingFinishedError
from nas_fusion.records import CellRecord, ChosenRecipe, FailedCell, TunedFamily
from nas_fusion.report import chosen_html, chosen_page, duration, html_text, table_view
from nas_fusion.settings import ComparisonSettings, RunSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.finished_cells import CellListener, FinishedCells, trackers_of, watched
from nas_fusion.studies.nni_views import recording
from nas_fusion.studies.picking.blending import Candidate, blended
from nas_fusion.studies.picking.final_model import FinalModel
from nas_fusion.studies.picking.model_place import check_out, put_model
from nas_fusion.studies.picking.tuning_wave import TuningWave
from nas_fusion.studies.picking.waves import NOT_NEEDED, SHARES, Waves
from nas_fusion.studies.queue.cell_book import Cell, CellBook
from nas_fusion.studies.queue.cell_loop import run_cells
from nas_fusion.studies.queue.local_workers import local_workers
from nas_fusion.studies.queue.workplace import Workplace, cell_book, coordinating
from nas_fusion.studies.recipe.recipe_sweep import RecipeSweep
from nas_fusion.studies.recipe.sweep_passes import FEWEST
from nas_fusion.studies.recipe.sweeping import (
    SweepListener,
    choose_recipe,
    prepare_sweep,
    recipe_sweep,
    record_recipe,
    settled,
)
from nas_fusion.studies.setup.announcements import announce
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.studies.setup.study_checks import check_study, processes_for
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.study_info import comparison_info
from nas_fusion.studies.timing.forecast import CELL_SECONDS
from nas_fusion.studies.timing.foresight import after_sweep, foreseen
from nas_fusion.studies.timing.notebook_bar import NotebookBar
from nas_fusion.studies.timing.schedule import Schedule
from nas_fusion.studies.timing.total_bar import TotalBar
from nas_fusion.system.deadline import Deadline, TimeIsUp, until
from nas_fusion.system.files import write_text

SWEEP_SHARE = 0.15
"""Of the time that is left behind boosted trees, so much may choosing the recipe take; tuning looks closer."""

SLOW = 0.1
"""Trees that take more than this part of the time wait until the quickest networks have had their turn: in a minute,
CatBoost's default and the recipe left no time for any network on logs of 30,000 rows."""

FIRST_NETWORKS = 2
"""So many, the quickest, are tried before slow trees."""

LAST_SHARE, LAST_SECONDS = 0.03, 5.0
"""Of a time limit, so much is kept for blending models, and for writing the model and its page."""

WRITING = 0.4
"""Of that, for writing."""

logger = logging.getLogger("nas_fusion")


@dataclass(frozen=True)
class Fitted:
    """What `fit` has found.

    Args:
        model: the folder of the model; `nas_fusion.load` opens it.
        study: everything that was tried.
        chosen: the cell whose model that is; with a tuned strategy, a record like one, which is none of `records`.
        records: every finished cell.
        left_out: the cells for which there was no time, or that were not needed, and why.
        failures: the cells that could not be computed, and why.
        seconds: that it took.
        tuned: what was tuned in the time that was left, the best first.
        spent: seconds by what they were spent on.
        title: what the model is, in a few words: a strategy, and whether it is tuned or several networks; or several.
        network: where the model is a blend: the folder of its network alone, which can be exported and updated.
    """

    model: Path
    study: StudyFolder
    chosen: CellRecord
    records: tuple[CellRecord, ...]
    left_out: tuple[FailedCell, ...]
    failures: tuple[FailedCell, ...]
    seconds: float
    tuned: tuple[TunedFamily, ...] = ()
    spent: Mapping[str, float] = field(default_factory=dict)
    title: str = ""
    network: Path | None = None

    def _repr_html_(self) -> str:
        """What a notebook shows: what was chosen, and how the others are, best first."""
        means = {name: [r for r in self.records if r.strategy == name] for name in {r.strategy for r in self.records}}
        mean = {name: fmean(r.valid_auc for r in records) for name, records in means.items()}
        rows = [(name, str(len(means[name])), f"{mean[name]:.4f}") for name in sorted(mean, key=lambda n: -mean[n])]
        table = table_view(["strategy", "seeds", "validation AUC"], rows)
        sentence = (
            f"{self.title or self.chosen.strategy}, seed {self.chosen.seed}: validation AUC {self.chosen.valid_auc:.4f}"
        )
        return f"<p><b>{html_text(sentence)}</b>, {html_text(str(self.model))}</p>{table}"


def fit(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    out: str | Path,
    *,
    study: str | Path | None = None,
    time_limit: float | None = None,
    processes: int = RunSettings.processes,
    console: Console | None = None,
    listener: CellListener | None = None,
    sweep_listener: SweepListener | None = None,
    say: Callable[[str], None] | None = None,
    command: str | None = None,
    blend: bool = True,
) -> Fitted:
    """Try what may be good within a time limit, and put the model that is best on validation rows into a folder.

    First what one would pick instead of a network (logistic regression, boosted trees); then a recipe is chosen, and
    hand-made models, the quickest first, and searches are tried with one seed. Without a limit the best few get further
    seeds, the strategy with the best mean on validation is chosen, and of its models the best. Within a limit the rest
    of the time goes into tuning what may still win (`TuningWave`), and the choice is made by what that has found.
    The choice is one among single networks; where the settings have several (`members`), the chosen design is then
    trained as that many, as far as there is time. Last, the best network and boosted trees are blended (`blended`).
    Whatever was tried stays in the study folder: the same call again
    goes on there, with another limit if it has one. With a limit the result depends on the clock, also with the same
    seeds.

    Args:
        settings: what may be tried: its strategies, and the most seeds that any of them gets; see `fit_settings`.
        dataset: the encoded log.
        out: folder of the model; it is there whole or not at all. An older model there is replaced.
        study: the study folder; ``<out>-study`` if not given.
        time_limit: seconds for everything; without one everything is tried.
        processes: this one and workers that it starts on this machine; 0: one per core. The log must be in a file.
        console: where progress bars appear; None for none.
        listener: told of every cell.
        sweep_listener: told of every training that chooses the recipe.
        say: told, in lines, what is done.
        command: the command that repeats it, for the page.
        blend: whether the model may be the mean of a network and boosted trees.

    Raises:
        OptionError: the place for the model is something else's.
        StudyError: the study folder belongs to other settings, or to another process.
        NothingFinishedError: nothing could be trained in the time.
        WriteError, StorageError: the disk is full, or the storage is away; what is finished is kept.
    """
    deadline = Deadline(math.inf if time_limit is None else time_limit)
    target, folder = Path(out), StudyFolder(study_of(out) if study is None else study)
    networks, settings = settings.members(len(dataset.train)), settings.of_one_network()
    check_out(target)
    check_study(settings, folder.path)
    folder.check(settings, dataset.fingerprint)
    processes = processes_for(processes)
    assembly = assemble(settings, dataset, folder.latency, processes=processes)
    with coordinating(assembly, folder, None) as unwatched, recording(folder, settings) as recorder:
        trackers = trackers_of(unwatched)
        place = watched(unwatched, Surroundings(console, recorder), trackers)
        book = cell_book(place)
        info = comparison_info(settings, dataset, command)
        notebook = NotebookBar(shown=console is None)
        table = FinishedCells(place, info, book, recorder, notebook.listening(listener), trackers)
        announce(book.study, settings, dataset.fingerprint)
        table.collect()
        for cell in table.lost():
            book.repeat(cell)
        picking = Picking(
            place, book, table, deadline, processes, say or (lambda line: None), sweep_listener, networks, blend
        )
        with notebook.drawn():
            choice = picking.run()
        left_out, records = picking.left_out(), tuple(table.in_order())
        failures = table.without_record(left_out)
        if choice is None:
            raise NothingFinishedError(failures or left_out)
        tuned, spent = picking.tuned(), picking.spent
        info = replace(
            table.info, failures=failures, left_out=left_out, time_limit=time_limit, ended=True, tuned=tuned,
            spent=spent,
        )  # fmt: skip
        write_text(folder.comparison, info.to_json() + "\n")
        page = chosen_page(*choice.told(records), info, str(target), deadline.elapsed, choice.order)
        put_model(choice.place, target, chosen_html(page))
    title = choice.title or choice.record.strategy
    seconds = deadline.elapsed
    return Fitted(
        target, folder, choice.record, records, left_out, failures, seconds, tuned, spent, title, choice.network
    )


def study_of(out: str | Path) -> Path:
    """The study folder of a model whose user names none."""
    return Path(out).with_name(f"{Path(out).name}-study")


@dataclass(frozen=True)
class Choice:
    """The model that is taken.

    Args:
        record: of it.
        place: the folder of its cell.
        order: strategies that were compared in the end, the best first, by the names that the page has for them.
        title: what the page calls it, if it is another one than the cell's.
        network: of a blend, the folder of its network.
    """

    record: CellRecord
    place: Path
    order: Sequence[str]
    title: str = ""
    network: Path | None = None

    @property
    def candidate(self) -> Candidate:
        """As it may be blended."""
        return Candidate(self.record, self.place, self.title or self.record.strategy)

    def told(self, records: Sequence[CellRecord]) -> tuple[CellRecord, Sequence[CellRecord]]:
        """What the page tells of: the model, and everything with it.

        Args:
            records: of all cells.
        """
        if not self.title:
            return self.record, records
        own = replace(self.record, strategy=self.title)
        return own, (own, *records)


@dataclass
class Picking:
    """One call of `fit` while it runs.

    Args:
        place: where it works.
        book, table: the cells, and their results.
        deadline: when it has to be over.
        processes: that compute side by side.
        say: told what is done.
        sweep_listener: told of every training that chooses the recipe.
        networks: that are averaged in the model, if it is one of networks; the choice is made among single ones.
        blend: whether network and boosted trees may be averaged.
    """

    place: Workplace
    book: CellBook
    table: FinishedCells
    deadline: Deadline
    processes: int
    say: Callable[[str], None]
    sweep_listener: SweepListener | None
    networks: int = 1
    blend: bool = True

    def __post_init__(self) -> None:
        limit = self.deadline.seconds
        last = min(LAST_SHARE * limit, LAST_SECONDS) if self.deadline.is_set else 0.0
        sooner, self.writing = self.deadline.sooner(last), self.deadline.sooner(WRITING * last)
        settings = self.place.assembly.settings
        self.schedule = Schedule(foreseen(self.place, self.processes, self.deadline), sooner, self.processes)
        self.bar = TotalBar(self.place.surroundings.console)
        self.asked = settings
        self.wave: TuningWave | None = None
        self.spent: dict[str, float] = {}
        self.waves = Waves(self.book, self.schedule, self._compute, self.table.in_order, settings.recipe.select)

    def run(self) -> Choice | None:
        """Spend the time; the model that is taken, None if none is finished."""
        try:
            with self.bar.drawn(), until(self.schedule.deadline):
                self._look()
                self._spend()
        except TimeIsUp:
            self.say(f"the time limit of {duration(self.deadline.seconds)} is up: what ran then counts as not done")
        self.book.leave_out(self.book.waiting())
        self.table.collect()
        return self._best()

    def tuned(self) -> tuple[TunedFamily, ...]:
        """What was tuned, the best first."""
        return () if self.wave is None else self.wave.told()

    def left_out(self) -> tuple[FailedCell, ...]:
        """The cells that were not tried, and why, in the order of the table."""
        finished, failed = self.book.done(), self.book.failures()
        why = self.waves.left_out
        cells = [cell for cell in self.table.table_order() if cell not in finished and cell not in failed]
        return tuple(FailedCell(c.strategy, c.seed, why.get(c, self._why_not(c))) for c in cells)

    def _why_not(self, cell: Cell) -> str:
        return NOT_NEEDED if cell.seed != self._seeds[0] else "left out: the time was up"

    @property
    def _seeds(self) -> tuple[int, ...]:
        return self.place.assembly.settings.seeds

    def _spend(self) -> None:
        entries = list(self.place.assembly.entries.values())
        whole, rest = ([e for e in entries if (e.fit_model is not None) == is_whole] for is_whole in (True, False))
        slow = [entry for entry in whole if self._is_slow(entry)]
        with self._spending("no networks"):
            quick = [entry for entry in whole if entry not in slow]
            self._wave("what one would pick instead of a network", quick, "general")
        with self._spending("the recipe"):
            self._settle()
        by_hand = [entry for entry in rest if entry.kind == "reference"]
        by_hand.sort(key=lambda entry: self.schedule.forecast.cell(entry.name))
        first = FIRST_NETWORKS if slow else 0
        with self._spending("hand-made models"):
            self._wave("the quickest hand-made models", by_hand[:first], "hand-made")
        with self._spending("no networks"):
            self._wave("what takes longer, without a network", slow, "general")
        with self._spending("hand-made models"):
            self._wave("hand-made models", by_hand[first:], "hand-made")
        with self._spending("searches"):
            self._wave("searches", [e for e in rest if e.kind != "reference"], "searches")
        if self.deadline.is_set:
            with self._spending("tuning"):
                self._tune()
            return
        self.say("further seeds of the best few")
        with self._spending("further seeds"):
            self.waves.further_seeds(self._seeds)

    def _tune(self) -> None:
        """Tune what may still win until the time is up."""
        first = [record for record in self.table.in_order() if record.seed == self._seeds[0]]
        if first:
            before = self.schedule.deadline.sooner(CELL_SECONDS)
            self.wave = TuningWave(
                self.place, self.asked, first, self.waves.rank, before, self.say, self.networks, self._look, self.blend
            )
            with until(before):
                self.wave.run()

    @contextmanager
    def _spending(self, what: str) -> Iterator[None]:
        start = self.deadline.elapsed
        try:
            yield
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + self.deadline.elapsed - start

    def _is_slow(self, entry: StrategyEntry) -> bool:
        """Whether trees take so long that they would leave little for anything else."""
        return self.deadline.is_set and self.schedule.forecast.cell(entry.name) > SLOW * self.schedule.deadline.left

    def _wave(self, what: str, entries: list[StrategyEntry], share: str) -> None:
        if entries:
            self.say(f"{what}: {', '.join(entry.name for entry in entries)}")
            limited = SHARES[share] if self.deadline.is_set else 1.0
            self.waves.run([Cell(entry.name, self._seeds[0]) for entry in entries], limited)

    def _settle(self) -> None:
        """Choose the recipe, as far as there is time for it."""
        sweep = recipe_sweep(self.place, self.processes)
        if sweep is None or all(entry.fit_model is not None for entry in self.place.assembly.entries.values()):
            return
        prepare_sweep(self.place, sweep)
        if not sweep.finished():
            self._bound(sweep)
            self.say(f"recipe: {sweep.note or f'{sweep.allowed:.0f} passes over the training rows to choose it'}")
        recipe = choose_recipe(self.place, sweep, self.sweep_listener)
        record_recipe(self.place, recipe)
        prepare_sweep(self.place, sweep)  # workers take it as it is
        self._settled(settled(self.place, sweep, recipe, self.processes), recipe)

    def _settled(self, place: Workplace, recipe: ChosenRecipe | None) -> None:
        self.place = self.table.place = place
        assembly = place.assembly
        info = comparison_info(assembly.settings, assembly.dataset, self.table.info.command, recipe=recipe)
        self.table.info = info
        self.schedule.forecast = after_sweep(self.schedule.forecast, assembly, recipe)

    def _bound(self, sweep: RecipeSweep) -> None:
        data, pace = self.place.assembly.dataset, self.schedule.forecast.paces.reference
        one = pace.seconds(len(data.train), len(data.valid)) - pace.start
        if self.deadline.is_set and one > 0:
            sweep.allowed = min(sweep.allowed, SWEEP_SHARE * self.schedule.deadline.left / one)
            if sweep.allowed < FEWEST and not sweep.note:
                sweep.note = f"time for {sweep.allowed:.0f} passes, too few to choose by, so the usual recipe is taken"

    def _compute(self, before_claim: Callable[[], None]) -> None:
        def look_and_trim() -> None:
            before_claim()
            self._look()

        with self._helped(len(self.book.waiting())):
            run_cells(self.place, self.book, {}, lambda words: self.table.collect(), before_claim=look_and_trim)

    def _look(self) -> None:
        """Show how much time is left: all of the limit is used; without one, what the first seed still takes."""
        done = self.book.done()
        first = [cell for cell in self.book.cells if cell.seed == self._seeds[0] and cell not in done]
        limited = self.deadline.is_set
        self.bar.update(
            self.schedule.deadline.left if limited else self.schedule.seconds(first, sorted(done)),
            f"{len(done)} models trained",
        )

    @contextmanager
    def _helped(self, waiting: int) -> Iterator[None]:
        count = min(self.processes, waiting) - 1
        with local_workers(count, self.place.folder.storage_url, self.place.name, self.place.folder.path):
            yield

    def _best(self) -> Choice | None:
        """Of the best strategy, the best model; or that and others together, where that is better."""
        if not self.table.in_order():
            return None
        order = self._order()
        choice = self._choice(order[0], order)
        return (self._blended(choice, order) if self.blend else None) or choice

    def _order(self) -> list[str]:
        """The strategies, the best first."""
        wave = self.wave
        if wave is None or not wave.contest.families:
            return self.waves.standings()
        return [standing.family.name for standing in wave.standings()]

    def _blended(self, choice: Choice, order: Sequence[str]) -> Choice | None:
        """The best network and the boosted trees, the choice among them, as one model.

        Where a fault or the time ends it there is the choice still.
        """
        entries = self.place.assembly.entries
        network = [name for name in order if entries[name].fit_model is None][:1]
        trees = [name for name in order if entries[name].ends_in_time]
        names = [name for name in (*network, *trees) if name != order[0]]
        if order[0] not in (*network, *trees):
            return None
        try:
            with until(self.writing):
                others = [self._choice(name, order) for name in names]
                with self._spending("blending"):
                    found = blended(self.place, [one.candidate for one in (choice, *others)])
        except TimeIsUp:
            logger.warning("the time was up before models could be blended")
            return None
        if found is None:
            return None
        self.say(f"blended: {found.title}, validation AUC {found.record.valid_auc:.4f}")
        return Choice(found.record, found.place, [found.title, *order], found.title, found.network)

    def _choice(self, name: str, order: Sequence[str]) -> Choice:
        """The final model of a strategy, or the cell's where that is the same or there is no time for more."""
        record, final = self._final(name)
        trained = None
        if not final.is_the_cells:
            with self._spending("the model for good"):
                trained = final.trained(self.schedule.deadline)
        if trained is None:
            return Choice(record, self.place.folder.cell(record.strategy, record.seed), order)
        title = final.title(trained)
        place = self.place.folder.tuned_cell(record.strategy, record.seed)
        return Choice(trained, place, [title, *order], title)

    def _final(self, name: str) -> tuple[CellRecord, FinalModel]:
        """The best cell of a strategy, or its first where it was tuned; and the model that is trained of it."""
        records = [record for record in self.table.in_order() if record.strategy == name]
        if self.wave is not None and name in self.wave.contest.families:
            standing = next(one for one in self.wave.standings() if one.family.name == name)
            return next(r for r in records if r.seed == self._seeds[0]), self.wave.final(standing)
        record = max(records, key=self.waves.rank)
        return record, FinalModel(self.place, record, self._networks(record), record.retrain_seconds)

    def _networks(self, record: CellRecord) -> int:
        entry = self.place.assembly.entries[record.strategy]
        return self.networks if entry.fit_model is None and entry.mode == "hard" else 1
