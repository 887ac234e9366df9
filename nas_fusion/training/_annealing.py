"""Learning rates that fall to zero with the budget of a training."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from nas_fusion.training._meter import SampleMeter


class AnnealedRate(pl.Callback):
    """Let the learning rates fall linearly to zero over the last part of a training.

    Args:
        meter: counts the samples.
        samples: that the training sees in all.
        start: the share of them behind which the rates begin to fall.
    """

    def __init__(self, meter: SampleMeter, samples: int, start: float) -> None:
        self.meter, self.samples, self.start = meter, samples, start
        self._rates: list[float] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the full rates."""
        self._rates = [group["lr"] for group in self._groups(trainer)]

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Set the rates of this step."""
        left = 1 - self.meter.samples / self.samples
        factor = min(1.0, left / (1 - self.start))
        for group, rate in zip(self._groups(trainer), self._rates, strict=True):
            group["lr"] = rate * factor

    def _groups(self, trainer: pl.Trainer) -> list[dict[str, Any]]:
        return [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
