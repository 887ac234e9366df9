"""Run any registered strategy on a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from nas_fusion.architecture import Architecture
from nas_fusion.errors import StrategyError
from nas_fusion.search.engines import TrainingService
from nas_fusion.search.front.candidate_front import FRONT, FrontPoint, front_details
from nas_fusion.search.front.design_costs import costs_of_architectures, costs_of_designs
from nas_fusion.search.multitrial.run_multitrial import run_multitrial
from nas_fusion.search.oneshot.discretisation_gap import DERIVED
from nas_fusion.search.oneshot.run_oneshot import run_oneshot
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.service.oneshot_as_trial import run_oneshot_as_trial
from nas_fusion.search.strategy_faults import faults_of
from nas_fusion.search.task import SearchTask
from nas_fusion.strategy import BuildContext, StrategyEntry
from nas_fusion.system.allowance import Allowance, SearchStopped, allowing, current_allowance
from nas_fusion.training import seeded

T = TypeVar("T")


def run_search(entry: StrategyEntry, task: SearchTask, parameters: Mapping[str, Any] | None = None) -> SearchOutcome:
    """Find a design within the budget.

    The same task and parameters give the same design, in a fresh process too (but for a budget in seconds); the global
    random state is left as it was.

    Args:
        entry: the strategy.
        task: data, space, recipe, budget and seed.
        parameters: hyperparameters of the strategy that differ from its defaults.

    Raises:
        OptionError: a parameter is unknown, or the space or the engine's configuration cannot be used.
        TrainingError: nothing could be trained.
        StrategyError: the strategy raised something, found nothing, or did not end by itself and had found nothing.
        StudyError: NNI's service cannot run trials.
    """
    chosen = entry.with_parameters(parameters or {})
    # The seconds begin now, whatever was prepared before.
    task = replace(task, watch=task.watch.restarted(task.budget.seconds))
    allowance = Allowance(task.budget.samples, task.config.batch_size, task.candidates, task.watch)
    with allowing(allowance), faults_of(entry), seeded(task.seed):
        outcome = _found(entry, task, chosen)
        details = {**_front_of_one(entry, task, outcome), **outcome.details}
    return replace(outcome, details={"parameters": chosen, **details})


def _front_of_one(entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome) -> dict[str, Any]:
    """The front of a search with a single design, for its details; nothing of one that has told of its candidates."""
    if entry.kind == "reference" or FRONT in outcome.details:
        return {}
    own = entry.make_model
    costs_of = costs_of_designs(task) if own is None else costs_of_architectures(task, own)
    # A supernet's AUC is not that of the design which was derived from it.
    valid_auc = outcome.details.get(DERIVED) if own is None else outcome.valid_auc
    return front_details([FrontPoint.alone(outcome.design, valid_auc, costs_of(outcome.design))])


def _found(entry: StrategyEntry, task: SearchTask, chosen: Mapping[str, Any]) -> SearchOutcome:
    context = build_context(task)
    if entry.kind == "reference":
        return SearchOutcome(_made(lambda: entry.reference(context, chosen)), None, (), 0, 0.0, 0)
    # A whole one-shot search is one training, so it is one trial of a service.
    if entry.kind == "one-shot" and not entry.has_own_space and isinstance(task.engine, TrainingService):
        return run_oneshot_as_trial(entry, task, chosen, task.engine)
    strategy = _made(lambda: entry.build(context, **chosen))
    if entry.has_own_space:
        return _own_outcome(entry, _made(lambda: strategy.search(task)))
    if not callable(strategy):
        raise StrategyError(entry.name, f"its build must return an NNI strategy, got {type(strategy).__name__}")
    run = run_multitrial if entry.kind == "multi-trial" else partial(run_oneshot, entry)
    return run(strategy, task)


def _made(make: Callable[[], T]) -> T:
    """What a strategy's own code makes, which may have to be ended."""
    made: list[T] = []
    ended = current_allowance().run(lambda: made.append(make()))
    if ended is not None:
        raise SearchStopped(ended)
    return made[0]


def _own_outcome(entry: StrategyEntry, outcome: object) -> SearchOutcome:
    if not isinstance(outcome, SearchOutcome):
        raise StrategyError(entry.name, f"its search must return a SearchOutcome, got {type(outcome).__name__}")
    if not isinstance(outcome.design, Architecture):
        raise StrategyError(entry.name, f"it must find an Architecture, got {type(outcome.design).__name__}")
    return outcome


def build_context(task: SearchTask) -> BuildContext:
    """What an entry may know of a task when it builds its strategy."""
    space = task.make_space()
    return BuildContext(
        seed=task.seed,
        candidates=task.candidates,
        designs=space.designs,
        config=task.config,
        samples=task.budget.samples,
        valid_rows=len(task.data.valid),
        fields=space.fields,
        watch=task.watch,
    )
