"""Batch norm over the whole batch, where every process of a team has a share of it.

torch's `SyncBatchNorm` does the same on GPUs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nas_fusion.training.ranks import Team

_shared: list[Team] = []
"""The team whose training this process is in."""


class SharedBatchNorm1d(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` of features ``[batch, width]``, by mean and variance of all processes' rows."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise, ``[batch, width]``."""
        if not self.training or not _shared:  # a copy of a model that was in a team's training
            return super().forward(input)
        rows = input.to(torch.promote_types(input.dtype, torch.float32))
        count = _Sum.apply(rows.new_tensor([float(len(rows))]))  # type: ignore[no-untyped-call]
        mean = _Sum.apply(rows.sum(0)) / count  # type: ignore[no-untyped-call]
        centred = rows - mean
        variance = _Sum.apply(centred.square().sum(0)) / count  # type: ignore[no-untyped-call]
        self._remember(mean.detach(), variance.detach() * (count / (count - 1)))
        normalised = centred * (variance + self.eps).rsqrt()
        if self.affine:
            normalised = torch.addcmul(self.bias, normalised, self.weight)
        return normalised.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(variance.to(self.running_var), share)


class _Sum(torch.autograd.Function):
    """The sum over all processes. Every process's loss depends on it, so gradients are added up, too."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor) -> Tensor:
        total = numbers.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


@contextmanager
def sharing_norms(model: nn.Module, team: Team) -> Iterator[None]:
    """Let the batch norms of a model look at all processes' rows inside the block."""
    if team.count == 1:
        yield
        return
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm1d)]
    _shared.append(team)
    for norm in norms:  # the same weights, statistics and hooks, and no parent has to be told
        norm.__class__ = SharedBatchNorm1d
    try:
        yield
    finally:
        _shared.pop()
        for norm in norms:
            norm.__class__ = nn.BatchNorm1d
