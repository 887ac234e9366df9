"""Watchers of a training that Lightning's trainer runs, as one callback."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer

from nas_fusion.nni_bridge import inner_module
from nas_fusion.training.ranks import ALONE
from nas_fusion.training.watching import Watcher, overriding

Kind = TypeVar("Kind", bound=Watcher)


class LightningTraining:
    """What a trainer does, as a `RunningTraining`.

    Args:
        trainer: runs it.
        pl_module: what it trains: a `CTRModule`, or NNI's one-shot module around one.
    """

    def __init__(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trainer = trainer
        self.model: nn.Module = inner_module(pl_module).model
        self.steps_per_epoch = int(trainer.num_training_batches)
        self.team = ALONE

    @property
    def epoch(self) -> int:
        """The number of the epoch, from 1."""
        return int(self._trainer.current_epoch) + 1

    @property
    def weight_optimizers(self) -> Sequence[Optimizer]:
        """All but those of an architecture."""
        return [o for o in self._trainer.optimizers if not getattr(o, "is_arch_optimizer", False)]

    def precision(self) -> AbstractContextManager[Any]:
        """As the trainer's steps."""
        context: AbstractContextManager[Any] = self._trainer.precision_plugin.forward_context()
        return context

    def stop(self) -> None:
        """Lightning validates once more when it is told to stop in the middle of an epoch."""
        self._trainer.should_stop = True


class LightningWatching(pl.Callback):
    """Calls watchers.

    Callbacks and not a module's own hooks, since NNI's one-shot modules do not forward all of those.

    Args:
        watchers: called in this order.
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.watchers = tuple(watchers)
        self._hooks = {name: overriding(self.watchers, name) for name in vars(Watcher) if not name.startswith("_")}
        self._before, self._after = self._hooks["before_step"], self._hooks["after_step"]
        self._training: LightningTraining | None = None

    def the(self, kind: type[Kind]) -> Kind:
        """The watcher of this kind."""
        return next(watcher for watcher in self.watchers if isinstance(watcher, kind))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin."""
        self._training = LightningTraining(trainer, pl_module)
        self._tell("begin")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pass it on."""
        self._tell("before_epoch")

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Pass it on."""
        for hook in self._before:
            hook(self._training, batch)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: Any, batch_idx: int
    ) -> None:
        """Pass it on, with the loss if the step said one."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        loss = loss.detach() if isinstance(loss, Tensor) else None
        for hook in self._after:
            hook(self._training, batch, loss)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pass it on."""
        self._tell("before_validation")

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Pass logits and labels on."""
        for hook in self._hooks["after_validation_batch"]:
            hook(self._training, *outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pass it on."""
        self._tell("after_validation")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End and close."""
        self._tell("end")
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close."""
        self._close()

    def _tell(self, name: str) -> None:
        for hook in self._hooks[name]:
            hook(self._training)

    def _close(self) -> None:
        for hook in self._hooks["close"]:
            hook()
