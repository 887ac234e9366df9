"""Choosing a comparison's recipe, together with other processes: one trains, the others wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from nas_fusion.data import EncodedSplit
from nas_fusion.errors import OptionError
from nas_fusion.records import ChosenRecipe, TriedRecipe
from nas_fusion.search import Budget, SearchTask, retrain, run_search
from nas_fusion.settings import ComparisonSettings, RunSettings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies.cells.failures import Failure, clear_up, stops_the_run
from nas_fusion.studies.queue.tuning_trials import AUC
from nas_fusion.studies.queue.workplace import POLL_SECONDS, Workplace
from nas_fusion.studies.recipe.recipe_file import keep_recipe, kept_recipe
from nas_fusion.studies.recipe.recipe_sweep import RecipeSweep, SweepClaim
from nas_fusion.studies.recipe.sweep_passes import allowed_passes, too_few
from nas_fusion.studies.recipe.swept_values import SweptValues
from nas_fusion.studies.setup.assembly import Assembly, assemble
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.studies.setup.memory import check_memory
from nas_fusion.studies.setup.study_space import make_space
from nas_fusion.studies.storage.holds import at_work
from nas_fusion.system.deadline import check_deadline
from nas_fusion.system.told import tell
from nas_fusion.training import EpochRecord, predictions_of
from nas_fusion.training.quality import logloss_error
from nas_fusion.training_log import StoppedEarly

REFERENCE = "parallel"
"""On what recipes are tried: a design of the search space, so all that is swept acts on it as on what is searched; it
has crosses and deep blocks; and every comparison has it."""

LOGLOSS = "logloss"

SweepListener = Callable[[TriedRecipe, int, float, float], None]
"""Called with each training of this process: how many there were, and how many passes of how many are spent."""


def recipe_sweep(place: Workplace, processes: int = RunSettings.processes) -> RecipeSweep | None:
    """The sweep that comes before a comparison's tunings and cells; None where its recipe is given.

    Args:
        place: where this process works.
        processes: how many models are trained at once on this machine, whose memory they share.
    """
    assembly = place.assembly
    settings, rows = assembly.settings, len(assembly.dataset.train)
    if settings.recipe.choice != "auto":
        return None
    entries = tuple(assembly.entries.values())
    allowed = allowed_passes(settings, entries, rows)
    swept = SweptValues(settings, rows, fitting(assembly, processes))
    note = too_few(settings, allowed)
    return RecipeSweep(
        place.storage, place.name, REFERENCE, swept, allowed, _classes(assembly.dataset.valid), note, place.watch
    )


def prepare_sweep(place: Workplace, sweep: RecipeSweep | None) -> None:
    """Let workers know what they need, before they look; a coordinator's part."""
    if sweep is not None:
        sweep.publish(kept_recipe(place.folder))


@at_work()
def choose_recipe(
    place: Workplace, sweep: RecipeSweep | None, listener: SweepListener | None = None
) -> ChosenRecipe | None:
    """Sweep until a recipe is chosen, by this process or by another one; None where it is given.

    Args:
        place: where this process works.
        sweep: of its study.
        listener: told of every training of this process.

    Raises:
        StudyError: this process has lost its device.
        TimeIsUp: the deadline has come.
        WriteError, StorageError: the disk is full, or the storage is away.
    """
    if sweep is None:
        return None
    while not sweep.finished():
        check_deadline()
        if not _run_next(place, sweep, listener):
            time.sleep(POLL_SECONDS)
    return sweep.chosen()


def settled(
    place: Workplace, sweep: RecipeSweep | None, recipe: ChosenRecipe | None, processes: int = RunSettings.processes
) -> Workplace:
    """The workplace of a comparison by its chosen recipe.

    Args:
        place: where this process works.
        sweep: of its study.
        recipe: what the sweep has chosen.
        processes: as of `recipe_sweep`.

    Raises:
        OptionError: models by this recipe do not fit this machine.
    """
    if sweep is None or recipe is None:
        return place
    assembly = place.assembly
    chosen = assemble(sweep.swept.apply(recipe.values), assembly.dataset, place.folder.latency, processes=processes)
    chosen.limits.remember_in(place.folder.latency)
    return place.completed(chosen)


def fitting(assembly: Assembly, processes: int = RunSettings.processes) -> Callable[[int], bool]:
    """Whether models with embeddings of a width fit this machine.

    Args:
        assembly: of the study.
        processes: how many models are trained at once.
    """
    return partial(_fits, assembly, processes)


def _classes(split: EncodedSplit) -> tuple[float, float]:
    """Positive and negative rows."""
    positives = split.label_rate * len(split)
    return positives, len(split) - positives


def _fits(assembly: Assembly, processes: int, width: int) -> bool:
    settings = assembly.settings
    wide = replace(settings, model=replace(settings.model, emb_dim=width))
    try:
        check_memory(wide, assembly.dataset, assembly.entries.values(), processes=processes)
    except OptionError:
        return False
    return True


def _run_next(place: Workplace, sweep: RecipeSweep, listener: SweepListener | None) -> bool:
    claim = sweep.claim()
    if claim is None:
        return False
    with sweep.holding(claim):
        tried = _try(place, sweep, claim)
    if listener is not None:
        listener(tried, claim.slot + 1, sweep.passes(), sweep.allowed)
    return True


@dataclass
class _Watched:
    """What is known of a training while it runs, also where it is ended early."""

    claim: SweepClaim
    start: float = field(default_factory=time.perf_counter)
    epochs: int = 0
    samples: int = 0
    best: EpochRecord | None = None
    score_error: float | None = None

    def validated(self, record: EpochRecord) -> None:
        """An epoch has ended.

        Raises:
            StoppedEarly: the training is behind.
        """
        self.epochs, self.samples = record.epoch, record.samples
        score = record.rank(self.claim.select).score
        if self.best is None or score > self.best.rank(self.claim.select).score:
            self.best = record
        self.claim.trial.report(score, record.epoch)
        if self.claim.trial.should_prune():
            raise StoppedEarly("it cannot reach the best so far")

    def tried(self, ended: str) -> TriedRecipe:
        """How it has ended."""
        best, select = None if ended == "failed" else self.best, self.claim.select
        return TriedRecipe(
            dict(self.claim.values),
            None if best is None else best.valid_auc,
            self.epochs,
            self.samples,
            time.perf_counter() - self.start,
            ended,
            None if best is None or select == AUC else best.rank(select).score,
            self.score_error,
        )


def _try(place: Workplace, sweep: RecipeSweep, claim: SweepClaim) -> TriedRecipe:
    watched = _Watched(claim)
    tell(f"recipe {claim.slot + 1} begins, {sweep.passes():.0f} of {sweep.allowed:.0f} passes spent")
    try:
        stopped = _train(place, sweep.swept.apply(claim.values), claim, watched, sweep)
    except StoppedEarly:
        tried = watched.tried("behind")
    except BaseException as error:
        if stops_the_run(error):
            raise
        failure, name = Failure.of(error), f"recipe-{claim.slot}"
        tried = watched.tried("failed")
        clear_up(place.folder, name, name, failure, lambda: sweep.finish(claim, tried, failure.reason))
        return tried
    else:
        is_cut = stopped == "epochs" and claim.epochs < sweep.swept.settings.recipe.retrain_epochs
        tried = watched.tried("spent" if is_cut else "end")
    sweep.finish(claim, tried)
    return tried


def _train(
    place: Workplace, settings: ComparisonSettings, claim: SweepClaim, watched: _Watched, sweep: RecipeSweep
) -> str:
    """Train the reference as the comparison's models will be trained; why it has ended."""
    dataset, seed = place.assembly.dataset, settings.seeds[0]
    entry = STRATEGIES.get(sweep.reference)
    around: Surroundings = place.surroundings.labelled(strategy="recipe", seed=seed, trial=claim.slot)
    config = replace(settings.retrain_config(settings.train_config(len(dataset.train), seed)), members=1)
    task = SearchTask(
        data=dataset.search_view(),
        make_space=partial(make_space, settings, dataset),
        config=config,
        budget=Budget(samples=1),
        label=f"recipe {claim.slot + 1}, {sweep.passes():.0f} of {sweep.allowed:.0f} passes,",
        console=around.console,
    )
    outcome = run_search(entry, task)
    with around.training_log.training("re-train", outcome.design) as training:

        def validated(record: EpochRecord) -> None:
            training.validated(record.valid_auc)
            watched.validated(record)

        retrained = retrain(entry, outcome, task, replace(config, max_epochs=claim.epochs), validated)
        training.result(retrained.fit.best_valid_auc)
    if claim.select == LOGLOSS and claim.slot == 0:
        watched.score_error = logloss_error(predictions_of(retrained.model, dataset.valid, config))
    return retrained.fit.stopped


def record_recipe(place: Workplace, recipe: ChosenRecipe | None) -> None:
    """Keep the recipe in the study folder; a coordinator's part.

    Raises:
        WriteError: it cannot be written.
    """
    if recipe is not None:
        keep_recipe(place.folder, recipe)
