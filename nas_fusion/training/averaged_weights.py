"""Weights that are averaged over the steps of a training: what is validated, kept and tested in place of the last ones.

The last weights of a short training are one noisy point around those that it moves to; their average is nearer, and a
better model (Polyak and Juditsky, 1992; Izmailov et al., UAI 2018). Lightning's own callback puts the average into the
model after `on_validation_start`, where batch norm's statistics are estimated, and keeps a copy of the whole module.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from nas_fusion.nni_bridge import inner_module

UPDATES_PER_EPOCH = 32
"""The average takes in the weights so often: as good as after every step, and free for tables of any size."""


class AveragedWeights(pl.Callback):
    """Keeps a running average of the weights, and has it in the model wherever the model is validated.

    With each update the average moves by ``1 / (epochs · updates per epoch)`` to the weights as they are, so it forgets
    exponentially; before the first so many updates it is their plain mean. No step of a training is changed. The model
    ends a training with what was validated last. Memory: one copy of the weights.

    It stands before those callbacks that look at the model to be validated (`FreshStatistics`).

    Args:
        epochs: over about so many the average goes; 0: there is none.
    """

    def __init__(self, epochs: float) -> None:
        self.epochs = epochs
        self._average: list[Tensor] = []
        self._updates = self._steps = 0
        self._every = 1
        self._most = 1.0
        self._is_in_model = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See how many steps an epoch has."""
        steps = max(1, int(trainer.num_training_batches))
        self._every = max(1, steps // UPDATES_PER_EPOCH)
        self._most = max(1.0, self.epochs * steps / self._every)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on with the weights that were trained."""
        if self._is_in_model:
            self._exchange(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take the weights into the average, every so many steps."""
        self._steps += 1
        if self.epochs and self._steps % self._every == 0:
            self._update(pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average into the model."""
        if self.epochs and not self._is_in_model:
            if not self._average:  # fewer steps than lie between two updates
                self._update(pl_module)
            self._exchange(pl_module)

    @torch.no_grad()
    def _update(self, pl_module: pl.LightningModule) -> None:
        weights = _weights(pl_module)
        if not self._average:
            self._average = [torch.empty_like(weight, requires_grad=False) for weight in weights]
        self._updates += 1
        share = 1 / min(self._updates, self._most)
        for average, weight in zip(self._average, weights, strict=True):
            average.lerp_(weight, share) if share < 1 else average.copy_(weight)

    def _exchange(self, pl_module: pl.LightningModule) -> None:
        # Tensors change places, so that nothing is copied; the optimiser knows parameters, and follows.
        for at, weight in enumerate(_weights(pl_module)):
            weight.data, self._average[at] = self._average[at], weight.data
        self._is_in_model = not self._is_in_model


def _weights(pl_module: pl.LightningModule) -> list[nn.Parameter]:
    return [weight for weight in inner_module(pl_module).model.parameters() if weight.requires_grad]
