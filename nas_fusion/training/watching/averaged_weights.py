"""Weights that are averaged over the steps of a training: what is validated, kept and tested in place of the last ones.

The last weights of a short training are one noisy point around those that it moves to; their average is nearer, and a
better model (Polyak and Juditsky, 1992; Izmailov et al., UAI 2018). Lightning's own callback keeps a copy of the whole
module, and puts the average into the model only after batch norm's statistics would have been estimated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nas_fusion.training.watching.watcher import RunningTraining, Watcher

UPDATES_PER_EPOCH = 32
"""The average takes in the weights so often: as good as after every step, and free for tables of any size."""


class AveragedWeights(Watcher):
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
        self._weights: list[nn.Parameter] = []
        self._average: list[Tensor] = []
        self._updates = self._steps = 0
        self._every = 1
        self._most = 1.0
        self._is_in_model = False

    def begin(self, training: RunningTraining) -> None:
        """See what is trained, and how many steps an epoch has."""
        self._weights = [weight for weight in training.model.parameters() if weight.requires_grad]
        steps = max(1, training.steps_per_epoch)
        self._every = max(1, steps // UPDATES_PER_EPOCH)
        self._most = max(1.0, self.epochs * steps / self._every)

    def before_epoch(self, training: RunningTraining) -> None:
        """Go on with the weights that were trained."""
        if self._is_in_model:
            self._exchange()

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        """Take the weights into the average, every so many steps."""
        self._steps += 1
        if self.epochs and self._steps % self._every == 0:
            self._update()

    def before_validation(self, training: RunningTraining) -> None:
        """Put the average into the model."""
        if self.epochs and not self._is_in_model:
            if not self._average:  # fewer steps than lie between two updates
                self._update()
            self._exchange()

    @torch.no_grad()
    def _update(self) -> None:
        if not self._average:
            self._average = [torch.empty_like(weight, requires_grad=False) for weight in self._weights]
        self._updates += 1
        share = 1 / min(self._updates, self._most)
        for average, weight in zip(self._average, self._weights, strict=True):
            average.lerp_(weight, share) if share < 1 else average.copy_(weight)

    def _exchange(self) -> None:
        # Tensors change places, so that nothing is copied; the optimiser knows parameters, and follows.
        for at, weight in enumerate(self._weights):
            weight.data, self._average[at] = self._average[at], weight.data
        self._is_in_model = not self._is_in_model
