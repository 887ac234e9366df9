"""Batch norm's running statistics, by which a model predicts: of the weights as they are, not of those at the start.

PyTorch mixes a tenth of every batch's statistics into the running ones, which start at mean 0 and variance 1. After
the 58 steps of a small log's epoch .2 % of the start is left. But embeddings start at .01, so the true variance may be
3e-5; then predictions are squashed towards one value: the AUC is good, and the logloss worse than a constant's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas_fusion.data import Batch
from nas_fusion.training.watching.watcher import RunningTraining, Watcher

STATISTICS_ROWS = 8192
"""From so many rows statistics are estimated; measured on three logs, 2,048 are as good, and all rows no better."""


def norms_of(model: nn.Module) -> list[_BatchNorm]:
    """The batch norms inside a model that have running statistics."""
    return [part for part in model.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]


class FreshStatistics(Watcher):
    """Estimates running statistics anew before every validation, from the rows that were trained on last.

    The rows pass through the model as it is then, without dropout, as those will that it predicts (precise batch norm:
    Wu and Johnson, 2021). No step of the training is changed by it.

    Args:
        rows: at least so many, if so many were seen.
    """

    def __init__(self, rows: int = STATISTICS_ROWS) -> None:
        self.rows = rows
        self._batches: deque[Batch] = deque()
        self._kept = 0
        self._needed = False

    def begin(self, training: RunningTraining) -> None:
        """See whether there is anything to estimate."""
        self._needed = bool(norms_of(training.model))

    def after_step(self, training: RunningTraining, batch: Batch, loss: Tensor | None) -> None:
        """Keep the batch, and forget the oldest ones that are not needed."""
        if not self._needed:
            return
        self._batches.append(batch)
        self._kept += batch.rows
        while self._kept - self._batches[0].rows >= self.rows:
            self._kept -= self._batches.popleft().rows

    def before_validation(self, training: RunningTraining) -> None:
        """Estimate."""
        if self._batches:
            with training.precision():
                estimate_statistics(training.model, self._batches)

    def state(self) -> dict[str, Any]:
        """The batches that statistics are estimated from."""
        return {"batches": [tuple(batch) for batch in self._batches]}

    def go_on(self, training: RunningTraining, state: Mapping[str, Any]) -> None:
        """Have seen these batches."""
        device = next(training.model.parameters()).device
        placed: list[list[Any]] = [[part if part is None else part.to(device) for part in b] for b in state["batches"]]
        self._batches = deque(Batch(*parts) for parts in placed)
        self._kept = sum(len(batch.labels) for batch in self._batches)


class FirstBatchesCount(Watcher):
    """Lets running statistics begin with the mean of the first batches', so that nothing of their start is left.

    From the step on where a batch counts as little in that mean as it does in PyTorch's, everything is as there. For
    supernets: `FreshStatistics` would be those of the one path that is sampled at the validation.
    """

    def __init__(self) -> None:
        self._momentum: list[tuple[_BatchNorm, float]] = []
        self._steps = 0

    def begin(self, training: RunningTraining) -> None:
        """Remember what every norm's share of a batch is."""
        found = norms_of(training.model)
        self._momentum = [(norm, norm.momentum) for norm in found if norm.momentum is not None]

    def before_step(self, training: RunningTraining, batch: Any) -> None:
        """Set it for this step."""
        self._steps += 1
        for norm, momentum in self._momentum:
            norm.momentum = max(momentum, 1 / self._steps)

    def close(self) -> None:
        """Leave the norms as they were."""
        for norm, momentum in self._momentum:
            norm.momentum = momentum


def estimate_statistics(model: nn.Module, batches: Sequence[Batch] | deque[Batch]) -> None:
    """Set the running statistics of a model's batch norms to the mean over batches, each by its rows.

    Args:
        model: left in the modes that it was in.
        batches: on the model's device, of two rows or more each.
    """
    norms, seen = norms_of(model), 0
    with torch.no_grad(), _normalising(model, norms):
        for batch in batches:
            seen += batch.rows
            for norm in norms:
                # Running statistics become (1 - m) · old + m · the batch's: the mean so far, and none of the start.
                norm.momentum = batch.rows / seen
            model(batch.ids, batch.values)


@contextmanager
def _normalising(model: nn.Module, norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Evaluation mode, but for norms, which look at their batch; afterwards everything is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    try:
        model.eval()
        for norm in norms:
            norm.train()
        yield
    finally:
        for module, training in modes:
            module.training = training
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
