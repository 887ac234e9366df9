"""Lightning's loop of an epoch, and its strategy for one device, without what no training here uses.

At every step Lightning calls some twenty hooks, each with an entry for a profiler, a line for a log and a note for a
logger: half a millisecond, mostly for hooks that nobody has. Here a hook is called if somebody has it. Where somebody
asks for what is left out, Lightning's own code runs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer

AROUND_A_STEP = ("on_before_backward", "on_after_backward", "on_before_optimizer_step", "on_before_zero_grad")
"""Hooks of callbacks that `LeanStrategy` does not call."""

TRANSFERS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
"""Hooks of a module that take a part in moving a batch."""


class LeanStrategy(SingleDeviceStrategy):
    """Backward and step as torch does them, with the module's hooks; batches stay where they are on a CPU."""

    def setup(self, trainer: pl.Trainer) -> None:
        """See who listens."""
        super().setup(trainer)
        module = self.lightning_module
        self._steps_plainly = not module.automatic_optimization and not _listeners(trainer.callbacks, AROUND_A_STEP)
        moves = any(_has_own(module, hook, pl.LightningModule) for hook in TRANSFERS)
        self._keeps_batches = self.root_device.type == "cpu" and not moves

    def backward(self, closure_loss: Tensor, optimizer: Optimizer | None, *args: Any, **kwargs: Any) -> Tensor:
        """Compute gradients."""
        if not self._steps_plainly:
            return super().backward(closure_loss, optimizer, *args, **kwargs)
        module = self.lightning_module
        module.on_before_backward(closure_loss)
        module.backward(closure_loss, *args, **kwargs)
        module.on_after_backward()
        return closure_loss.detach()

    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], model: Any = None, **kwargs: Any) -> Any:
        """Step."""
        if not self._steps_plainly:
            return super().optimizer_step(optimizer, closure, model, **kwargs)
        closure()
        self.lightning_module.on_before_optimizer_step(optimizer)
        return optimizer.step(**kwargs)

    def batch_to_device(self, batch: Any, device: torch.device | None = None, dataloader_idx: int = 0) -> Any:
        """Move a batch."""
        return batch if self._keeps_batches else super().batch_to_device(batch, device, dataloader_idx)


class LeanEpochLoop(_TrainingEpochLoop):
    """An epoch of a module that optimises by hand, as NNI's one-shot modules do; others are Lightning's."""

    def run(self, data_fetcher: Any) -> None:
        """Train on the batches of an epoch until somebody stops the trainer; then validate."""
        module, callbacks = self.trainer.lightning_module, self.trainer.callbacks
        if module.automatic_optimization or self.restarting:
            super().run(data_fetcher)
            return
        self.reset()
        self.on_run_start(data_fetcher)
        starts = _listeners(callbacks, ("on_train_batch_start",))
        ends = _listeners(callbacks, ("on_train_batch_end",))
        takes_index = "batch_idx" in self._build_kwargs(OrderedDict(), None, 0)
        with suppress(StopIteration):
            while not self._step(data_fetcher, starts, ends, takes_index):
                pass
            self.on_advance_end(data_fetcher)
        self.on_iteration_done()

    def _step(self, data_fetcher: Any, starts: Sequence[Any], ends: Sequence[Any], takes_index: bool) -> bool:
        """Train on the next batch; whether it was the epoch's last.

        Raises:
            StopIteration: the module ends the epoch before this batch, without a validation.
        """
        trainer, module, progress = self.trainer, self.trainer.lightning_module, self.batch_progress
        batch, _, _ = next(data_fetcher)
        index = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        batch = trainer.strategy.batch_to_device(trainer.precision_plugin.convert_input(batch), dataloader_idx=0)
        progress.increment_ready()
        trainer._logger_connector.on_batch_start(batch)
        for start in starts:
            start(trainer, module, batch, index)
        module._current_fx_name = "on_train_batch_start"  # `log` looks where it was called
        if module.on_train_batch_start(batch, index) == _SKIP_THE_REST:
            progress.increment_by(0, is_last_batch=True)
            raise StopIteration
        progress.increment_started()
        module._current_fx_name = "training_step"
        arguments = {"batch": batch, "batch_idx": index} if takes_index else {"batch": batch}
        outputs = self.manual_optimization.run(arguments)
        progress.increment_processed()
        for end in ends:
            end(trainer, module, outputs, batch, index)
        module._current_fx_name = "on_train_batch_end"
        module.on_train_batch_end(outputs, batch, index)
        module._current_fx_name = None
        trainer._logger_connector.on_batch_end()
        progress.increment_completed()
        return bool(progress.is_last_batch or trainer.should_stop)


_SKIP_THE_REST = -1
"""What a module's `on_train_batch_start` returns to end an epoch."""


def _listeners(callbacks: Sequence[pl.Callback], hooks: Sequence[str]) -> list[Any]:
    """The methods of these names that callbacks have of their own."""
    return [getattr(one, hook) for hook in hooks for one in callbacks if _has_own(one, hook, pl.Callback)]


def _has_own(thing: object, hook: str, base: type) -> bool:
    return getattr(type(thing), hook) is not getattr(base, hook)
