"""Train one model; measure one model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import nn

from nas_fusion.data import BatchLoader, EncodedSplit, SearchData
from nas_fusion.errors import TrainingError
from nas_fusion.settings import TrainConfig
from nas_fusion.system.files import save_tensors
from nas_fusion.training.batch_norm import FreshStatistics
from nas_fusion.training.ctr_module import CTRModule, full_precision
from nas_fusion.training.metrics import auc_and_logloss, further_metrics
from nas_fusion.training.progress_bar import ProgressBar
from nas_fusion.training.sample_meter import SampleMeter
from nas_fusion.training.trainer import make_trainer, torch_device
from nas_fusion.training.validation_monitor import EpochRecord, ValidationMonitor


@dataclass(frozen=True)
class FitResult:
    """How a training went.

    Args:
        best_valid_auc, best_valid_logloss, best_epoch: of the epoch whose weights the model has now (with `keep_best`).
        history: every validation.
        samples: training rows seen.
        seconds: wall-clock time.
        stopped: ``"patience"``, ``"budget"`` or ``"epochs"``.
    """

    best_valid_auc: float
    best_valid_logloss: float
    best_epoch: int
    history: tuple[EpochRecord, ...]
    samples: int
    seconds: float
    stopped: str


@dataclass(frozen=True)
class Metrics:
    """AUC, and logloss in nats, on a number of rows; and what further metrics (`METRICS`) say, by name."""

    auc: float
    logloss: float
    rows: int
    further: Mapping[str, float] = field(default_factory=dict)


UNBOUNDED = -1
"""Lightning's number of epochs for a training that something else ends."""


def epochs_for(config: TrainConfig, train_rows: int) -> int:
    """The most epochs that a training can take; `UNBOUNDED` if seconds are its only bound."""
    if config.max_samples is None:
        return config.max_epochs if config.max_seconds is None else UNBOUNDED
    return max(1, math.ceil(config.max_samples / train_rows))


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
) -> FitResult:
    """Train `model` on the training rows; it ends with the weights of the epoch with the best validation AUC.

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

    Raises:
        TrainingError: the loss or a prediction is not finite.
        StudyError: the checkpoint cannot be written.
    """
    torch.manual_seed(config.seed)
    start = clock()
    meter = SampleMeter(config.max_samples, config.max_seconds, clock)
    monitor = ValidationMonitor(
        config, meter, keep_best=keep_best, report=False, on_validation=on_validation, on_model=on_model, clock=clock
    )
    epochs = epochs_for(config, len(data.train))
    callbacks: list[Any] = [meter, FreshStatistics(), monitor]
    if console is not None:
        callbacks.append(ProgressBar(console, description, epochs * len(data.train), meter, monitor))
    module = CTRModule(config)
    module.set_model(model)
    train, valid = loaders(data, config)
    trainer = make_trainer(config, callbacks, max_epochs=epochs)
    trainer.fit(module, train, valid)
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
        seconds=clock() - start,
        stopped=monitor.stopped,
    )


def loaders(data: SearchData, config: TrainConfig) -> tuple[BatchLoader, BatchLoader]:
    """Shuffled training batches and validation batches in the order of the rows."""
    # A copy to a GPU out of pageable memory waits for the steps before it.
    pin = torch_device(config).type == "cuda"
    train = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed, pin_memory=pin)
    return train, BatchLoader(data.valid, config.batch_size, pin_memory=pin)


def predict_logits(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> npt.NDArray[np.floating]:
    """Logits of every row of a split, ``[rows]``; the model is left in the modes and on the device it was."""
    device = torch_device(config)
    autocast = torch.autocast(device.type, torch.bfloat16) if config.precision == "bf16" else nullcontext()
    batches_of_logits = []
    with evaluating(model, device), torch.inference_mode(), autocast:
        for batch in BatchLoader(split, config.batch_size):
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
    logits = predict_logits(model, split, config).astype(np.float64)
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))  # no overflow, however negative a logit is


def evaluate(model: nn.Module, split: EncodedSplit, config: TrainConfig) -> Metrics:
    """AUC and logloss on a split, and the further metrics that somebody added.

    Raises:
        TrainingError: a prediction is not finite, the split has one class only, or a further metric failed.
    """
    logits, labels = predict_logits(model, split, config), np.asarray(split.labels)
    quality = auc_and_logloss(logits, labels)
    return Metrics(quality.auc, quality.logloss, len(split), further_metrics(logits, labels))
