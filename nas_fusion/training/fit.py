"""Train one model; measure one model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import nn

from nas_fusion.data import BatchLoader, EncodedSplit, SearchData
from nas_fusion.errors import TrainingError
from nas_fusion.records import NORMALISED_ENTROPY, ReliabilityBin
from nas_fusion.settings import TrainConfig
from nas_fusion.system.deadline import check_deadline
from nas_fusion.system.files import save_tensors
from nas_fusion.training.batch_norm import FreshStatistics, spare_single_rows
from nas_fusion.training.devices import torch_device
from nas_fusion.training.interrupted import read_training, write_training
from nas_fusion.training.losses import full_precision
from nas_fusion.training.metrics import further_metrics, quality_of
from nas_fusion.training.quality import FloatArray, Predictions, Rank, auc, probabilities
from nas_fusion.training.ranks import ALONE, Team, current_team, seed_of_rank, tell_of_supernet
from nas_fusion.training.threads import by_rule, with_threads
from nas_fusion.training.training_loop import TrainingLoop
from nas_fusion.training.watching import (
    AveragedWeights,
    EpochRecord,
    ProgressBar,
    SampleMeter,
    ValidationMonitor,
    Watcher,
)
from nas_fusion.training.whole_model import WholeModel


@dataclass(frozen=True)
class FitResult:
    """How a training went.

    Args:
        best_valid_auc, best_valid_logloss, best_epoch: of the epoch whose weights the model has now (with `keep_best`).
        history: every validation.
        samples: training rows seen.
        seconds: wall-clock time.
        stopped: ``"patience"``, ``"budget"`` or ``"epochs"``; of a model that is fitted as a whole, its own word.
        best_valid_gauc: of the same epoch; None without groups.
        rank: of the same epoch, by what was selected by (`TrainConfig.select`); by AUC if not given.
        valid_logits: of the same epoch on the validation rows ``[rows]``; None where they were not kept.
    """

    best_valid_auc: float
    best_valid_logloss: float
    best_epoch: int
    history: tuple[EpochRecord, ...]
    samples: int
    seconds: float
    stopped: str
    best_valid_gauc: float | None = None
    rank: Rank | None = None
    valid_logits: FloatArray | None = field(default=None, repr=False, compare=False)

    @property
    def best_rank(self) -> Rank:
        """How good the model is by what chose its epoch."""
        return self.rank or Rank(self.best_valid_auc, -self.best_valid_logloss)


@dataclass(frozen=True)
class Metrics:
    """What was measured on a number of rows, by their weights where they have any.

    Args:
        auc, logloss, rows: as of `nas_fusion.training.Quality`; how many rows.
        further: what further metrics (`METRICS`) say, by name.
        told: what stands beside AUC and logloss, by the names of `nas_fusion.records.TEST_METRICS`.
        reliability: mean prediction and share of clicks, bin by bin.
    """

    auc: float
    logloss: float
    rows: int
    further: Mapping[str, float] = field(default_factory=dict)
    told: Mapping[str, float] = field(default_factory=dict)
    reliability: tuple[ReliabilityBin, ...] = ()

    @property
    def is_worse_than_a_constant(self) -> bool:
        """Whether the logloss is worse than that of the rows' own share of clicks."""
        return self.told.get(NORMALISED_ENTROPY, 0.0) > 1

    @property
    def constant_logloss(self) -> float:
        """The logloss of the rows' own share of clicks; NaN where it was not measured."""
        return self.logloss / self.told.get(NORMALISED_ENTROPY, math.nan)


UNBOUNDED = -1
"""The number of epochs of a training that something else ends; Lightning's word for it, too."""


def epochs_for(config: TrainConfig, train_rows: int) -> int:
    """The most epochs that a training can take; `UNBOUNDED` if seconds are its only bound."""
    if config.max_samples is None:
        return config.max_epochs if config.max_seconds is None else UNBOUNDED
    return max(1, math.ceil(config.max_samples / train_rows))


@by_rule
def fit(
    model: nn.Module,
    data: SearchData,
    config: TrainConfig,
    *,
    description: str = "",
    console: Console | None = None,
    checkpoint: Path | None = None,
    on_validation: Callable[[EpochRecord], None] | None = None,
    on_model: Callable[[nn.Module, EpochRecord], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    keep_best: bool = True,
    start: Path | None = None,
    leave: Path | None = None,
) -> FitResult:
    """Train `model` on the training rows; it ends with the weights of the best epoch on validation rows.

    In a team (`several_devices`) every process takes its share of each batch. The weights are those of a process alone
    but for the last digits, and for what dropout draws. A supernet is trained by this process alone, and so is what
    goes on later, or went on.

    With `max_samples` or `max_seconds` the number of epochs follows from it, and `max_epochs` is not looked at. Batch
    norm is validated, and left, with statistics of the weights as they are (`FreshStatistics`).

    Args:
        model: called with ids and values, returns logits ``[batch]``.
        data: training and validation rows.
        config: the recipe.
        description, console: of a progress bar; no bar without a console.
        checkpoint: where to write the best weights.
        on_validation: called with every validation.
        on_model: called with the model as it was validated, and the validation.
        clock: seconds since some moment or other.
        keep_best: False: end with the weights of the last epoch (a supernet, whose validations are of other paths).
        start: a file that `leave` named in another call, with the same model, data and recipe: the training goes on
            from there as if it had not been interrupted. `max_samples` and `FitResult.samples` include what it had
            seen; `max_seconds`, the history and its seconds begin anew.
        leave: where to write what a later call needs to go on.

    Raises:
        TrainingError: the loss or a prediction is not finite.
        StudyError: the checkpoint cannot be written.
        DamagedFileError: `start` cannot be read.
    """
    torch.manual_seed(config.seed)
    began = clock()
    meter = SampleMeter(config.max_samples, config.max_seconds, clock)
    monitor = ValidationMonitor(
        config,
        meter,
        data.valid,
        keep_best=keep_best,
        report=False,
        on_validation=on_validation,
        on_model=on_model,
        clock=clock,
    )
    epochs = epochs_for(config, len(data.train))
    watchers: list[Watcher] = [meter, AveragedWeights(config.averaging), FreshStatistics(), monitor]
    if console is not None:
        watchers.append(ProgressBar(console, description, epochs * len(data.train), meter, monitor))
    if not keep_best:
        tell_of_supernet()
    team = current_team() if keep_best and start is None and leave is None else ALONE
    _train(model, data, config, watchers, epochs, team, start, leave)
    if monitor.best is None:
        raise TrainingError("the training ended without a validation")
    if checkpoint is not None:
        save_tensors(checkpoint, model.state_dict())
    return FitResult(
        best_valid_auc=monitor.best.valid_auc,
        best_valid_logloss=monitor.best.valid_logloss,
        best_epoch=monitor.best.epoch,
        history=tuple(monitor.history),
        samples=meter.samples,
        seconds=clock() - began,
        stopped=monitor.stopped,
        best_valid_gauc=monitor.best.valid_gauc,
        rank=monitor.best.rank(config.select),
        valid_logits=monitor.best_logits,
    )


def _train(
    model: nn.Module,
    data: SearchData,
    config: TrainConfig,
    watchers: Sequence[Watcher],
    epochs: int,
    team: Team,
    start: Path | None = None,
    leave: Path | None = None,
) -> None:
    train, valid = loaders(data, config, team)
    spare_single_rows(model, train)
    if team.rank == 0:
        team.order(_Share(model, data, config, epochs, torch.get_num_threads()))
    with team.guarding():
        TrainingLoop(model, config, watchers, team).run(
            train,
            valid,
            epochs,
            start=None if start is None else read_training(start),
            leave=None if leave is None else partial(write_training, leave),
        )


@dataclass(frozen=True, eq=False)
class _Share:
    """What the other processes of a team do: the same training on their shares, without anybody who is told of it.

    The first one alone looks at the clock, keeps the best weights and ends the training where they do not all see why.
    """

    model: nn.Module
    data: SearchData
    config: TrainConfig
    epochs: int
    threads: int

    def __call__(self) -> None:
        """Train."""
        team, config = current_team(), replace(self.config, max_seconds=None)
        torch.manual_seed(seed_of_rank(config.seed, team.rank))
        meter = SampleMeter(config.max_samples)
        monitor = ValidationMonitor(config, meter, self.data.valid, keep_best=False, report=False)
        watchers: list[Watcher] = [meter, AveragedWeights(config.averaging), FreshStatistics(), monitor]
        with with_threads(self.threads):
            _train(self.model, self.data, config, watchers, self.epochs, team)


def loaders(data: SearchData, config: TrainConfig, team: Team = ALONE) -> tuple[BatchLoader, BatchLoader]:
    """Shuffled training batches, a process's share of each, and validation batches in the order of the rows.

    Of the validation rows a process has neighbouring ones. A last batch of fewer rows than there are processes joins
    the one before it.

    Raises:
        TrainingError: there are fewer training rows than processes.
    """
    # A copy to a GPU out of pageable memory waits for the steps before it.
    pin = torch_device(config).type == "cuda"
    train = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed, pin_memory=pin, share=team.share)
    train.smallest = team.count
    if min(len(data.train), config.batch_size) < team.count:
        raise TrainingError(
            f"{len(data.train)} training rows in batches of {config.batch_size} for {team.count} devices"
        )
    valid = data.valid if team.count == 1 else data.valid.part(team.share.part(len(data.valid)))
    return train, BatchLoader(valid, config.batch_size, pin_memory=pin)


@by_rule
def predict_logits(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> npt.NDArray[np.floating]:
    """Logits of every row of a split, ``[rows]``; the model is left in the modes and on the device it was.

    Raises:
        TimeIsUp: the deadline has come.
    """
    if isinstance(model, WholeModel):
        return model.split_logits(split)
    device = torch_device(config)
    autocast = torch.autocast(device.type, torch.bfloat16) if config.precision == "bf16" else nullcontext()
    batches_of_logits = []
    with evaluating(model, device), torch.inference_mode(), autocast:
        for batch in BatchLoader(split, config.batch_size):
            check_deadline()
            values = None if batch.values is None else batch.values.to(device)
            batches_of_logits.append(full_precision(model(batch.ids.to(device), values)))
    return np.asarray(torch.cat(batches_of_logits).cpu().numpy())


@contextmanager
def evaluating(model: nn.Module, device: torch.device) -> Iterator[None]:
    """A model on a device and in evaluation mode; afterwards it is in the modes and on the device it was."""
    # Outside inference mode: weights that are moved inside it could not be trained any more.
    home = next((p.device for p in model.parameters()), device)
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.to(device).eval()
        yield
    finally:
        model.to(home)
        for module, training in modes:
            module.training = training


def predict(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> npt.NDArray[np.float64]:
    """Probabilities of a click for every row of a split, ``[rows]``."""
    return probabilities(predict_logits(model, split, config))


def predictions_of(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> Predictions:
    """What a model says of every row of a split, beside the rows' labels, weights and groups.

    Raises:
        TrainingError: a prediction is not finite, or the split has one class only.
    """
    return Predictions.of(predict_logits(model, split, config), split.labels, split.weights, split.groups)


def evaluate(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> Metrics:
    """Everything that is measured on a split, the further metrics that somebody added included.

    Raises:
        TrainingError: a prediction is not finite, the split has one class only, or a further metric failed.
    """
    return metrics_of(predictions_of(model, split, config))


def metrics_of(found: Predictions) -> Metrics:
    """Everything that is measured of predictions, the further metrics that somebody added included.

    Raises:
        TrainingError: a further metric failed.
    """
    rows = (found.logits, found.labels, found.weights, found.groups)
    quality = quality_of(*rows)
    return Metrics(
        quality.auc, quality.logloss, len(found), further_metrics(*rows), quality.told(), quality.reliability
    )


def evaluate_auc(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> float:
    """The AUC on a split alone.

    Raises:
        TrainingError: a prediction is not finite, or the split has one class only.
    """
    return auc(predictions_of(model, split, config))
