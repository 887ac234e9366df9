"""The evaluator that NNI's one-shot strategies train their supernet with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from rich.console import Console

from nas_fusion.data import SearchData
from nas_fusion.nni_bridge import Lightning
from nas_fusion.settings import TrainConfig
from nas_fusion.training.batch_norm import FirstBatchesCount
from nas_fusion.training.fit import epochs_for, loaders
from nas_fusion.training.oneshot.ctr_module import CTRModule
from nas_fusion.training.oneshot.lightning_watching import LightningWatching
from nas_fusion.training.oneshot.trainer import make_trainer
from nas_fusion.training.ranks import tell_of_supernet
from nas_fusion.training.watching import EpochRecord, ProgressBar, SampleMeter, SizeRule, ValidationMonitor, Watcher


@dataclass(frozen=True)
class OneShotRun:
    """An evaluator for one search, and the callbacks that watch it.

    Args:
        evaluator: NNI's Lightning evaluator; pass it to a `NasExperiment`, or with the space to
            `RawFormatModelSpace`.
        monitor: has the history of validations.
        meter: has the number of samples.
    """

    evaluator: Any
    monitor: ValidationMonitor
    meter: SampleMeter


def oneshot_evaluator(
    data: SearchData,
    config: TrainConfig,
    *,
    description: str = "",
    console: Console | None = None,
    keep_best: bool = True,
    callbacks: Sequence[pl.Callback] = (),
    on_validation: Callable[[EpochRecord], None] | None = None,
    on_model: Callable[[torch.nn.Module, EpochRecord], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    reserve: Callable[[float | None], float] = lambda validation_seconds: 0.0,
    size_rule: SizeRule[EpochRecord] | None = None,
) -> OneShotRun:
    """Make an evaluator with the same recipe as `fit`.

    Args:
        data: training and validation rows.
        config: the recipe; `max_samples` and `max_seconds` bound the search.
        description, console: of a progress bar; no bar without a console.
        keep_best: end with the supernet of the epoch with the best validation AUC (else with the last).
        callbacks: more of them.
        on_validation: called with every validation.
        on_model: called with the supernet as it was validated, and the validation.
        clock: seconds since some moment or other.
        reserve: seconds out of `max_seconds` that deriving will take, given what the last validation took (None before
            the first); the training stops so much earlier.
        size_rule: with `keep_best`, when a smaller supernet than the best is kept; None: never.
    """
    tell_of_supernet()
    torch.manual_seed(config.seed)
    meter = SampleMeter(config.max_samples, config.max_seconds, clock, lambda: reserve(monitor.validation_seconds))
    monitor = ValidationMonitor(
        config, meter, data.valid, keep_best=keep_best, on_validation=on_validation, on_model=on_model, clock=clock,
        size_rule=size_rule,
    )  # fmt: skip
    epochs = epochs_for(config, len(data.train))
    watchers: list[Watcher] = [meter, FirstBatchesCount(), monitor]
    if console is not None:
        watchers.append(ProgressBar(console, description, epochs * len(data.train), meter, monitor))
    train, valid = loaders(data, config)
    trainer = make_trainer(config, [LightningWatching(watchers), *callbacks], max_epochs=epochs)
    evaluator = Lightning(CTRModule(config), trainer, train_dataloaders=train, val_dataloaders=valid)
    return OneShotRun(evaluator, monitor, meter)
