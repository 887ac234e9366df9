"""`Watcher`: what looks on while a model is trained, whichever loop trains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from nas_fusion.training.ranks import Team


class RunningTraining(Protocol):
    """A training as those see it who watch it."""

    @property
    def model(self) -> nn.Module:
        """What is trained: logits of ids and values."""

    @property
    def epoch(self) -> int:
        """The number of the epoch, from 1."""

    @property
    def steps_per_epoch(self) -> int:
        """How many steps a whole epoch has."""

    @property
    def weight_optimizers(self) -> Sequence[Optimizer]:
        """Those of the weights; none of an architecture."""

    @property
    def team(self) -> Team:
        """The processes that train together."""

    def precision(self) -> AbstractContextManager[Any]:
        """Inside it the model is called as the training calls it."""

    def stop(self) -> None:
        """Validate after this step, or now if that was just done, and end."""


class Watcher:
    """Base class: does nothing. Overridden methods alone are called.

    The order of a training: `begin`; for every epoch `before_epoch`, `before_step` and `after_step` for every batch,
    `before_validation`, `after_validation_batch` for every batch, `after_validation`; then `end`. `close` is called
    once, last, also where an exception ends the training. Several watchers are called in the order they were given in.
    What one raises ends the training. A validation is entered outside, its batches come inside, of inference mode.
    """

    def begin(self, training: RunningTraining) -> None:
        """The model is on its device; nothing was trained yet."""

    def before_epoch(self, training: RunningTraining) -> None:
        """The model is in training mode."""

    def before_step(self, training: RunningTraining, batch: Any) -> None:
        """A batch is about to be trained on: a `nas_fusion.data.Batch`, or several by name (DARTS)."""

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        """The optimisers have stepped; `loss`, a detached scalar, is None where a strategy did not say."""

    def before_validation(self, training: RunningTraining) -> None:
        """The model may be changed into that which is to be validated."""

    def after_validation_batch(self, training: RunningTraining, logits: Tensor, labels: Tensor) -> None:
        """Logits and labels ``[batch]`` of validation rows, in their order."""

    def after_validation(self, training: RunningTraining) -> None:
        """All validation rows were seen."""

    def end(self, training: RunningTraining) -> None:
        """The training has ended by itself; the model is as it was validated last."""

    def close(self) -> None:
        """Leave everything outside as it was."""

    def state(self) -> dict[str, Any]:
        """What another watcher needs to go on where this one is: plain values and tensors, which are not copied."""
        return {}

    def go_on(self, training: RunningTraining, state: Mapping[str, Any]) -> None:
        """Called behind `begin` where a training goes on; `state` is that of its watcher when it was interrupted."""


def overriding(watchers: Sequence[Watcher], hook: str) -> list[Any]:
    """The methods of this name, of those watchers that have one of their own."""
    own = getattr(Watcher, hook)
    return [getattr(watcher, hook) for watcher in watchers if getattr(type(watcher), hook) is not own]
