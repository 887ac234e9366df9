"""Counting the samples that a training has seen."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


def rows_in(batch: Any) -> int:
    """Rows of a batch; of all parts, where a strategy trains on several (DARTS: ``{"train": …, "val": …}``)."""
    if isinstance(batch, dict):
        return sum(rows_in(part) for part in batch.values() if part is not None)
    return len(batch.labels)


class SampleMeter(pl.Callback):
    """Count training rows, and stop the trainer when a budget is spent.

    Lightning validates once more when it is told to stop in the middle of an epoch.

    Args:
        max_samples: stop at the first batch that reaches this many; None: only count.
    """

    def __init__(self, max_samples: int | None = None) -> None:
        self.max_samples = max_samples
        self.samples = 0

    @property
    def spent(self) -> bool:
        """Whether the budget is reached."""
        return self.max_samples is not None and self.samples >= self.max_samples

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count a batch."""
        self.samples += rows_in(batch)
        if self.spent:
            trainer.should_stop = True
