"""The loop of a training: batches, steps, epochs, validations, on Lightning Fabric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nas_fusion.data import Batch, BatchLoader
from nas_fusion.settings import TrainConfig
from nas_fusion.training.batch_norm import sharing_norms
from nas_fusion.training.devices import fabric_for
from nas_fusion.training.losses import full_precision, mean_loss
from nas_fusion.training.optimizers import clip_gradient, weights_optimizer
from nas_fusion.training.ranks import ALONE, Team
from nas_fusion.training.watching import Watcher, overriding

_FEW_ROWS = 2


class _LossOrLogits(nn.Module):
    """A model as a strategy sets it up: the loss of a batch while training, else its logits ``[batch]``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        logits = full_precision(self.model(batch.ids, batch.values))
        return mean_loss(logits, batch) if self.training else logits


class TrainingLoop:
    """Trains the weights of one model by binary cross-entropy; a `RunningTraining` for those who watch it.

    Its steps are those that one would write by hand: clear gradients, loss, backward, clip, step. Devices, precision
    and what else a strategy does to a model are Fabric's. A model is trained where `config` says and moved back.

    Args:
        model: logits of ids and values; put into training mode as a whole if it is not in that mode.
        config: the recipe.
        watchers: called in this order.
        team: the processes that train together, every one by a loop like this with its share of the batches.

    Raises:
        OptionError: there is no such device.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, watchers: Sequence[Watcher], team: Team = ALONE) -> None:
        self.model, self.team, self._watchers, self._limit = model, team, watchers, config.gradient_clip
        self.epoch = self.steps_per_epoch = 0
        self._steps = 0  # of an epoch that has begun and not ended
        self._stops = False
        self._fabric = fabric_for(config, team)
        self._home = next((weight.device for weight in model.parameters()), self._fabric.device)
        if not model.training:
            model.train()
        # By the strategy itself: what `Fabric.setup` wraps around both rounds the numbers of a log to bfloat16 under
        # autocast, and losses in float64 to float32, and takes 1 % of a small step.
        strategy = self._fabric.strategy
        module = strategy.precision.convert_module(_LossOrLogits(model))
        strategy.module_to_device(module)
        self._optimizer = strategy.setup_optimizer(weights_optimizer(model, config))  # which makes gradients sparse
        self._tables = [part.weight for part in model.modules() if isinstance(part, nn.Embedding) and part.sparse]
        self._alone = self._module = module
        self.weight_optimizers: Sequence[Optimizer] = [self._optimizer]
        self._is_double, self._moves = config.precision == "64", self._fabric.device.type != "cpu"

    def precision(self) -> AbstractContextManager[Any]:
        """Inside it the model is called as this loop calls it."""
        return self._fabric.autocast()

    def stop(self) -> None:
        """Validate after this step, or now if that was just done, and end."""
        self._stops = True

    def run(
        self,
        train: BatchLoader,
        valid: BatchLoader,
        max_epochs: int,
        *,
        start: Mapping[str, Any] | None = None,
        leave: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        """Train until somebody stops it, or for so many epochs; without such a limit if it is negative.

        Every epoch, a stopped one too, ends with a validation.

        Args:
            train, valid: batches.
            max_epochs: those before `start` included.
            start: what another loop left (`leave`): this one goes on, step for step, as that one would have. A stop in
                the middle of an epoch costs a validation that would not have been, and changes no step.
            leave: called with the state of the training when it is stopped, before its watchers end it. The state
                consists of plain values and of tensors, which are the loop's own.
        """
        self.steps_per_epoch = len(train)
        try:
            self._module = self.team.shared_module(self._alone, self._fabric.strategy, lambda: self._logits_of(train))
            with torch.enable_grad(), sharing_norms(self.model, self.team):
                self._tell("begin")
                if start is not None:
                    self._go_on(start)
                while not self._stops and (self._steps or self.epoch != max_epochs):
                    self.epoch += not self._steps
                    self._train(train)
                    self._validate(valid)
                if leave is not None:
                    leave(self._state())
            self._tell("end")
        finally:
            for close in overriding(self._watchers, "close"):
                close()
            self.model.to(self._home)
            self._fabric.strategy.teardown()

    def _logits_of(self, loader: BatchLoader) -> Tensor:
        """Of the first rows, as those of a validation, but with a gradient."""
        few = BatchLoader(loader.split.part(slice(0, _FEW_ROWS)), _FEW_ROWS)
        with _evaluating(self._alone), torch.enable_grad(), self.precision():
            logits: Tensor = self._alone(self._placed(next(iter(few))))
        return logits

    def _train(self, train: BatchLoader) -> None:
        before, after = overriding(self._watchers, "before_step"), overriding(self._watchers, "after_step")
        self._tell("before_epoch")
        train.set_epoch(self.epoch)  # from 1, as Lightning's trainer begins: a supernet sees its rows in the same order
        for batch in map(self._placed, islice(train, self._steps, None)):
            for hook in before:
                hook(self, batch)
            loss = self._step(batch)
            self._steps += 1
            with self.team.trying():
                for hook in after:
                    hook(self, batch, loss)
            self._stops = self.team.settled(self._stops)
            if self._stops:
                break
        if self._steps >= self.steps_per_epoch:
            self._steps = 0

    def _step(self, batch: Batch) -> Tensor:
        strategy = self._fabric.strategy
        self._optimizer.zero_grad()
        with self.precision():
            loss: Tensor = self._module(batch)
        strategy.backward(loss, self._module)
        self.team.share_rows(self._tables)
        if self._limit:
            clip_gradient([p for group in self._optimizer.param_groups for p in group["params"]], self._limit)
        strategy.optimizer_step(self._optimizer)
        return loss.detach()

    def _validate(self, valid: BatchLoader) -> None:
        after = overriding(self._watchers, "after_validation_batch")
        self._optimizer.zero_grad()  # their memory
        self._tell("before_validation")
        with _evaluating(self._alone), torch.inference_mode():
            for batch in map(self._placed, valid):
                with self.precision():
                    logits = self._alone(batch)
                with self.team.trying():
                    for hook in after:
                        hook(self, logits, batch.labels)
        self._tell("after_validation")

    def _state(self) -> dict[str, Any]:
        on_gpu = self._fabric.device.type == "cuda"
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "epoch": self.epoch,
            "steps": self._steps,
            "random": torch.get_rng_state(),  # of dropout
            "random_on_gpu": torch.cuda.get_rng_state(self._fabric.device) if on_gpu else None,
            "watchers": [watcher.state() for watcher in self._watchers],
        }

    def _go_on(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.epoch, self._steps = state["epoch"], state["steps"]
        torch.set_rng_state(state["random"])
        if state["random_on_gpu"] is not None and self._fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_on_gpu"], self._fabric.device)
        for watcher, kept in zip(self._watchers, state["watchers"], strict=True):
            watcher.go_on(self, kept)

    def _placed(self, batch: Batch) -> Batch:
        """The batch on the device and in the precision of the model."""
        if self._is_double:
            batch = self._fabric.strategy.precision.convert_input(batch)
        return self._fabric.to_device(batch) if self._moves else batch

    def _tell(self, hook: str) -> None:
        for method in overriding(self._watchers, hook):
            method(self)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every part is in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
