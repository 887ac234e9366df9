"""Run a one-shot strategy as one trial of an NNI service."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nas_fusion.nni_bridge import TrainingServiceRun
from nas_fusion.search.engines import TrainingService
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.saved_search import load_search
from nas_fusion.search.service.orders import check_registered, failure_of, task_order, trial_parameters
from nas_fusion.search.strategy_faults import warn_of_end
from nas_fusion.search.task import SearchTask
from nas_fusion.strategy import StrategyEntry
from nas_fusion.training_log import Training


def run_oneshot_as_trial(
    entry: StrategyEntry, task: SearchTask, parameters: Mapping[str, Any], service: TrainingService
) -> SearchOutcome:
    """The same search as `run_oneshot`, in a trial's process, which leaves its outcome in a folder.

    Raises:
        UnknownNameError: the strategy is not registered, so a trial cannot find it.
        TrainingError: the supernet's loss or predictions are not finite.
        StudyError: the trial could not run.
    """
    check_registered(entry)
    with service.running() as run, task.training_log.training("search") as training:
        outcome = _run(entry, task, parameters, service, run, training)
        training.derived(outcome.design)
        training.result(outcome.valid_auc)
    warn_of_end(task, outcome.details.get("ended"))
    return replace(outcome, seconds=task.watch.elapsed)


def _run(
    entry: StrategyEntry,
    task: SearchTask,
    parameters: Mapping[str, Any],
    service: TrainingService,
    run: TrainingServiceRun,
    training: Training,
) -> SearchOutcome:
    order = task_order(task, task.config, task.make_space(), service)
    folder = run.new_outcome()
    sent = trial_parameters("search", order, folder, strategy=entry.name, parameters=dict(parameters))
    (end,) = run.run([sent], lambda _, value: training.validated(float(value)))
    outcome = load_search(folder) if end.succeeded else None
    if outcome is None:
        raise failure_of(end, folder, run.folder)
    shutil.rmtree(folder)
    return outcome
