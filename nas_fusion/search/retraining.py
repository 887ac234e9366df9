"""Training what a search found for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from torch import nn

from nas_fusion.architecture import Architecture, Found
from nas_fusion.errors import OptionError
from nas_fusion.nn import Ensemble
from nas_fusion.records import TracePoint
from nas_fusion.search.outcome import SearchOutcome, trace_of
from nas_fusion.search.strategy_faults import faults_of
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import StrategyEntry
from nas_fusion.system.deadline import has_time_for
from nas_fusion.training import (
    EpochRecord,
    FitResult,
    Predictions,
    TrainConfig,
    fit,
    member_seed,
    predictions_of,
    seeded,
)
from nas_fusion.training.quality import auc, grouped_auc, logloss


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

    Hard: one operation per block, from scratch. Soft: the entry's soft model, from what the search left. With several
    `members` each is trained so, with a seed of its own, and the model is their `nas_fusion.nn.Ensemble`; the last
    validation is the ensemble's, those before are of one network each.

    Raises:
        OptionError: a soft re-training of a search that left nothing to start from.
        TrainingError: the loss is not finite.
    """
    start = time.perf_counter()
    if entry.fit_model is not None:
        return _fitted_as_a_whole(entry, outcome, task, on_validation)
    model, result = _network(entry, outcome, task, config, on_validation)
    if config.members > 1:
        model, result = _ensemble(entry, outcome, task, config, on_validation, (model, result))
    seconds = time.perf_counter() - start
    return Retrained(model, result, seconds, sum(p.numel() for p in model.parameters()))


def _network(
    entry: StrategyEntry,
    outcome: SearchOutcome,
    task: SearchTask,
    config: TrainConfig,
    on_validation: Callable[[EpochRecord], None] | None,
    words: str = "re-train",
) -> tuple[nn.Module, FitResult]:
    # The seed again: first weights do not depend on what the search drew.
    with faults_of(entry), seeded(config.seed):
        model = model_to_train(entry, outcome, task)
        result = fit(
            model,
            task.data,
            config,
            description=f"{task.label} {words}",
            console=task.console,
            on_validation=on_validation,
        )
    return model, result


def _ensemble(
    entry: StrategyEntry,
    outcome: SearchOutcome,
    task: SearchTask,
    config: TrainConfig,
    on_validation: Callable[[EpochRecord], None] | None,
    first: tuple[nn.Module, FitResult],
) -> tuple[nn.Module, FitResult]:
    """The further networks beside the first one, and the validation of their mean, which is the last of all.

    Where it has to end (`nas_fusion.system.deadline.ending_by`) no network is begun that would come too late.
    """
    trained = [first]
    history = list(first[1].history)

    def validated(record: EpochRecord) -> None:
        history.append(_after(record, trained))
        if on_validation is not None:
            on_validation(history[-1])

    for index in range(1, config.members):
        if not has_time_for(max(result.seconds for _, result in trained)):
            break
        alone = replace(config, seed=member_seed(config.seed, index))
        words = f"re-train {index + 1}/{config.members}"
        trained.append(_network(entry, outcome, task, alone, validated, words))
    if len(trained) == 1:
        return first
    model = Ensemble(network for network, _ in trained)
    with faults_of(entry):
        start = time.perf_counter()
        valid = predictions_of(model, task.data.valid, config)
        seconds = time.perf_counter() - start
    losses = [record.train_loss for _, one in trained for record in one.history if record.epoch == one.best_epoch]
    last = EpochRecord(
        history[-1].epoch + 1, history[-1].samples, history[-1].seconds + seconds, auc(valid), logloss(valid),
        fmean(losses), grouped_auc(valid), seconds,
    )  # fmt: skip
    if on_validation is not None:
        on_validation(last)
    stopped = next((one.stopped for _, one in trained if one.stopped != "patience"), "patience")
    result = FitResult(
        last.valid_auc, last.valid_logloss, last.epoch, (*history, last), last.samples, last.seconds, stopped,
        last.valid_gauc, last.rank(config.select),
    )  # fmt: skip
    return model, result


def _after(record: EpochRecord, before: Sequence[tuple[nn.Module, FitResult]]) -> EpochRecord:
    """A validation of a network that was trained behind others, counted on from theirs."""
    results = [result for _, result in before]
    return replace(
        record,
        epoch=record.epoch + sum(result.history[-1].epoch for result in results),
        samples=record.samples + sum(result.samples for result in results),
        seconds=record.seconds + sum(result.seconds for result in results),
    )


def _fitted_as_a_whole(
    entry: StrategyEntry, outcome: SearchOutcome, task: SearchTask, on_validation: Callable[[EpochRecord], None] | None
) -> Retrained:
    start = time.perf_counter()
    if entry.fit_model is None or not isinstance(outcome.design, Architecture):
        raise OptionError(f"the design of {entry.name}", "an architecture of its own", outcome.design)
    with faults_of(entry), seeded(task.seed):
        model = entry.fit_model(outcome.design, task.data, task.config)
        seconds = time.perf_counter() - start  # without what the figures below take
        samples = model.passes * len(task.data.train)
        train, valid = (
            Predictions.of(model.split_logits(split), split.labels, split.weights, split.groups)
            for split in (task.data.train, task.data.valid)
        )
    record = EpochRecord(1, samples, seconds, auc(valid), logloss(valid), logloss(train), grouped_auc(valid))
    if on_validation is not None:
        on_validation(record)
    result = FitResult(
        record.valid_auc, record.valid_logloss, record.epoch, (record,), samples, seconds, model.stopped,
        record.valid_gauc, record.rank(task.config.select),
    )  # fmt: skip
    return Retrained(model, result, seconds, model.size)


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


def new_model(entry: StrategyEntry, design: Found, space: FusionSpace) -> nn.Module:
    """The model of a design or an architecture that an entry found, with fresh weights from the current random state.

    Raises:
        OptionError: an architecture of an entry that makes none.
        DesignError: the design is not one of the space.
    """
    if not isinstance(design, Architecture):
        return space.derive(design, weights=False)
    if entry.make_model is None:
        raise OptionError(f"the architecture of {entry.name}", "made by an entry with a space of its own", design.model)
    return entry.make_model(design, space.fields)
