"""Doing tuning trials, together with other processes, until every tuning has all of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from nas_fusion.studies.cells.cell import Trained, search_and_retrain
from nas_fusion.studies.cells.failures import Failure, clear_up, stops_the_run
from nas_fusion.studies.queue.tuning_log import TuningLog
from nas_fusion.studies.queue.tuning_trials import AUC, Tuning, TuningClaim
from nas_fusion.studies.queue.workplace import POLL_SECONDS, Workplace
from nas_fusion.studies.setup.hyperparameters import TuningResult
from nas_fusion.studies.setup.jobs import make_job
from nas_fusion.studies.storage.holds import at_work
from nas_fusion.system.deadline import check_deadline
from nas_fusion.system.told import tell
from nas_fusion.training_log import StoppedEarly

TuningListener = Callable[[str, int, int, str], None]
"""Called with each tuning trial: strategy, how many are done, how many there are, and its outcome in words."""

Tuned = TuningResult | str
"""What a tuning found, or, where none of its trials could be trained, why."""


@at_work()
def run_tunings(place: Workplace, tunings: Sequence[Tuning], listener: TuningListener | None = None) -> None:
    """Do tuning trials until every tuning has all of its own, those of other processes included.

    Args:
        place: where this process works.
        tunings: of its study.
        listener: told of every trial of this process.

    Raises:
        StudyError: this process has lost its device.
        TimeIsUp: the deadline has come.
        WriteError, StorageError: the disk is full, or the storage is away.
    """
    tell = listener or (lambda strategy, done, total, words: None)
    while not all(t.finished() for t in tunings):
        check_deadline()
        if not any(_run_next(place, t, tell) for t in tunings):
            time.sleep(POLL_SECONDS)


def results_of(tunings: Iterable[Tuning]) -> dict[str, Tuned]:
    """What the tunings found, by strategy; the cells of one of which no trial could be trained will fail."""
    return {tuning.strategy: tuning.result() or _why_none(tuning) for tuning in tunings}


def _why_none(tuning: Tuning) -> str:
    return f"none of the {tuning.trials} tuning trials could be trained; the last one: {tuning.problem()}"


def _run_next(place: Workplace, tuning: Tuning, listener: TuningListener) -> bool:
    claim = tuning.claim()
    if claim is None:
        return False
    with tuning.holding(claim):
        words = _try(place, tuning, claim)
    listener(tuning.strategy, tuning.counts()[0], tuning.trials, words)
    return True


def _try(place: Workplace, tuning: Tuning, claim: TuningClaim) -> str:
    seed = place.assembly.settings.seeds[0]
    around = place.surroundings.labelled(strategy=tuning.strategy, seed=seed, tuning_trial=claim.slot)
    tell(f"tuning of {tuning.strategy}, trial {claim.slot + 1} of {tuning.trials} begins")
    log = TuningLog(claim, tuning.search_steps, around.training_log, tuning.select)
    around = replace(around, training_log=log, engine=None)
    label = f"{tuning.strategy} tuning {claim.slot + 1}/{tuning.trials}"
    # A choice among recipes is one of single networks, like the sweep's.
    assembly = replace(place.assembly, settings=place.assembly.settings.of_one_network())
    job = make_job(assembly, tuning.strategy, seed, claim.values, label=label, surroundings=around)
    try:
        trained = search_and_retrain(assembly, job, log.retrained)
    except StoppedEarly as stop:
        tuning.prune(claim, {})
        return f"pruned: {stop}"
    except BaseException as error:
        if stops_the_run(error):
            raise
        failure = Failure.of(error)
    else:
        return _tried(tuning, claim, trained)
    name = f"{tuning.strategy}-tuning-{claim.slot}"
    return clear_up(place.folder, name, name, failure, lambda: tuning.fail(claim, failure.reason))


def _tried(tuning: Tuning, claim: TuningClaim, trained: Trained) -> str:
    fit = trained.retrained.fit
    attributes = {"design": str(trained.kept.outcome.design), "samples": trained.samples}
    score = None if tuning.select == AUC else fit.best_rank.score
    tuning.finish(claim, fit.best_valid_auc, attributes, score)
    return f"valid {fit.best_valid_auc:.4f}" + ("" if score is None else f", {tuning.select} {abs(score):.4f}")
