"""No training step of batch norm on a single row, which has no variance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas_fusion.data import BatchLoader
from nas_fusion.errors import OptionError, TrainingError

FEWEST_ROWS = 2
"""Batch norm needs so many rows to train on."""


def spare_single_rows(module: nn.Module, train_dataloaders: Any) -> None:
    """Where a module has batch norm, let a last training batch of one row join the batch before it.

    Other modules take a batch of one row as it comes. Every row counts once, either way.

    Args:
        module: what is trained.
        train_dataloaders: what it is trained on: a loader, or several by name (DARTS trains on validation rows too).

    Raises:
        OptionError: the batch size is 1.
        TrainingError: there is but one row.
    """
    if not any(isinstance(part, _BatchNorm) for part in module.modules()):
        return
    for loader in _loaders_in(train_dataloaders):
        if loader.batch_size < FEWEST_ROWS:
            raise OptionError("batch_size", f"at least {FEWEST_ROWS} with batch norm", loader.batch_size)
        if len(loader.split) < FEWEST_ROWS:
            raise TrainingError(f"batch norm needs {FEWEST_ROWS} rows to train on, got {len(loader.split)}")
        loader.smallest = max(loader.smallest, FEWEST_ROWS)


def _loaders_in(loaders: Any) -> Iterator[BatchLoader]:
    if isinstance(loaders, BatchLoader):
        yield loaders
    elif isinstance(loaders, Mapping):
        for part in loaders.values():
            yield from _loaders_in(part)
