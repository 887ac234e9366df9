"""Weights that are averaged over the steps of a training: what is validated, kept and tested in place of the last ones.

The last weights of a short training are one noisy point around those that it moves to; their average is nearer, and a
better model (Polyak and Juditsky, 1992; Izmailov et al., UAI 2018). Lightning's own callback keeps a copy of the whole
module, and puts the average into the model only after batch norm's statistics would have been estimated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nas_fusion.training.watching.watcher import RunningTraining, Watcher

UPDATES_PER_EPOCH = 32
"""The average takes in the weights so often: as good as after every step, and free for tables of any size."""


class RunningMean:
    """A mean of weights over the moments at which it is updated: plain at first, then exponentially forgetting.

    Args:
        weights: whose mean it is.
        most: over about so many updates the mean goes.
    """

    def __init__(self, weights: Sequence[Tensor], most: float) -> None:
        self._weights, self._most = weights, most
        self._mean: list[Tensor] = []
        self._updates = 0

    @property
    def is_empty(self) -> bool:
        """Whether there was no update yet."""
        return not self._mean

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are."""
        if not self._mean:
            self._mean = [torch.empty_like(weight, requires_grad=False) for weight in self._weights]
        self._updates += 1
        share = 1 / min(self._updates, self._most)
        for mean, weight in zip(self._mean, self._weights, strict=True):
            mean.lerp_(weight, share) if share < 1 else mean.copy_(weight)

    def exchange(self) -> None:
        """The weights become the mean, and the mean keeps the weights; once more, and all is as it was."""
        # Tensors change places, so that nothing is copied; the optimiser knows parameters, and follows.
        for at, weight in enumerate(self._weights):
            weight.data, self._mean[at] = self._mean[at], weight.data

    def state(self) -> dict[str, Any]:
        """What `go_on` needs; the tensors are not copied."""
        return {"mean": list(self._mean), "updates": self._updates}

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Be the mean that had this state."""
        # The state's own tensors may lie in a file, or on another device.
        pairs = zip(state["mean"], self._weights, strict=False)
        self._mean = [mean.to(weight.device, copy=True) for mean, weight in pairs]
        self._updates = state["updates"]


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
        self._mean = RunningMean((), 1.0)
        self._steps = 0
        self._every = 1
        self._is_in_model = False

    def begin(self, training: RunningTraining) -> None:
        """See what is trained, and how many steps an epoch has."""
        weights = [weight for weight in training.model.parameters() if weight.requires_grad]
        self._every, most = rhythm(self.epochs, training.steps_per_epoch)
        self._mean = RunningMean(weights, most)

    def before_epoch(self, training: RunningTraining) -> None:
        """Go on with the weights that were trained."""
        if self._is_in_model:
            self._exchange()

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        """Take the weights into the average, every so many steps."""
        self._steps += 1
        if self.epochs and self._steps % self._every == 0:
            self._mean.update()

    def before_validation(self, training: RunningTraining) -> None:
        """Put the average into the model."""
        if self.epochs and not self._is_in_model:
            if self._mean.is_empty:  # fewer steps than lie between two updates
                self._mean.update()
            self._exchange()

    def state(self) -> dict[str, Any]:
        """The mean, and whether it is the model that has it."""
        return {**self._mean.state(), "steps": self._steps, "is_in_model": self._is_in_model}

    def go_on(self, training: RunningTraining, state: Mapping[str, Any]) -> None:
        """Average on."""
        self._mean.go_on(state)
        self._steps, self._is_in_model = state["steps"], state["is_in_model"]

    def _exchange(self) -> None:
        self._mean.exchange()
        self._is_in_model = not self._is_in_model


def rhythm(epochs: float, steps_per_epoch: int) -> tuple[int, float]:
    """Steps between two updates, and over how many updates the mean goes."""
    steps = max(1, steps_per_epoch)
    every = max(1, steps // UPDATES_PER_EPOCH)
    return every, max(1.0, epochs * steps / every)
