"""Run any registered strategy on a task, and re-train what it found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from torch import nn

from nas_fusion.architecture import Architecture, Found
from nas_fusion.errors import OptionError, StrategyError
from nas_fusion.records import TracePoint
from nas_fusion.search.engines import TrainingService
from nas_fusion.search.multitrial.run_multitrial import run_multitrial
from nas_fusion.search.oneshot.run_oneshot import run_oneshot
from nas_fusion.search.search_trace import trace_of
from nas_fusion.search.service.oneshot_as_trial import run_oneshot_as_trial
from nas_fusion.search.strategy_faults import faults_of
from nas_fusion.search.task import SearchOutcome, SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import BuildContext, StrategyEntry
from nas_fusion.system.allowance import Allowance, SearchStopped, allowing, current_allowance
from nas_fusion.training import EpochRecord, FitResult, TrainConfig, fit, seeded

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
    task = replace(task, watch=task.watch.restarted(task.budget.seconds))
    allowance = Allowance(task.budget.samples, task.config.batch_size, task.candidates, task.watch)
    with allowing(allowance), faults_of(entry), seeded(task.seed):
        outcome = _found(entry, task, chosen)
    return replace(outcome, details={"parameters": chosen, **outcome.details})


def _found(entry: StrategyEntry, task: SearchTask, chosen: Mapping[str, Any]) -> SearchOutcome:
    context = build_context(task)
    if entry.kind == "reference":
        return SearchOutcome(_made(lambda: entry.reference(context, chosen)), None, (), 0, 0.0, 0)
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


@dataclass(frozen=True)
class Retrained:
    """A design trained for good: the model with the weights of its best epoch, and how it came about."""

    model: nn.Module
    fit: FitResult
    seconds: float
    parameters: int

    @property
    def history(self) -> tuple[TracePoint, ...]:
        """Every validation of the training."""
        return trace_of(self.fit.history)


def retrain(
    entry: StrategyEntry,
    outcome: SearchOutcome,
    task: SearchTask,
    config: TrainConfig,
    on_validation: Callable[[EpochRecord], None] | None = None,
) -> Retrained:
    """Train the found design for good on the training rows, choosing the epoch on the validation rows.

    Hard: one operation per block, from scratch. Soft: the entry's soft model, from what the search left.

    Raises:
        OptionError: a soft re-training of a search that left nothing to start from.
        TrainingError: the loss is not finite.
    """
    start = time.perf_counter()
    with faults_of(entry), seeded(config.seed):
        model = model_to_train(entry, outcome, task)
        result = fit(
            model,
            task.data,
            config,
            description=f"{task.label} re-train",
            console=task.console,
            on_validation=on_validation,
        )
    seconds = time.perf_counter() - start
    return Retrained(model, result, seconds, sum(p.numel() for p in model.parameters()))


def model_to_train(entry: StrategyEntry, outcome: SearchOutcome, task: SearchTask) -> nn.Module:
    """The model that `retrain` trains, before it does; fresh weights come from the current random state.

    Raises:
        OptionError: a soft model of a search that left nothing to start from.
    """
    space = task.make_space()
    if entry.mode == "hard":
        return new_model(entry, outcome.design, space)
    if entry.make_soft_model is None or outcome.soft is None or isinstance(outcome.design, Architecture):
        raise OptionError(f"mode of {entry.name}", "'hard' where the search left nothing to start from", entry.mode)
    return entry.make_soft_model(space, outcome.design, outcome.soft)


def new_model(entry: StrategyEntry, found: Found, space: FusionSpace) -> nn.Module:
    """The model of what an entry found, with fresh weights from the current random state.

    Raises:
        OptionError: an architecture of an entry that makes none.
        DesignError: the design is not one of the space.
    """
    if not isinstance(found, Architecture):
        return space.derive(found, weights=False)
    if entry.make_model is None:
        raise OptionError(f"the architecture of {entry.name}", "made by an entry with a space of its own", found.model)
    return entry.make_model(found, space.fields)
