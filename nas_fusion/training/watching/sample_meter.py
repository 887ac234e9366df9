"""Counting the samples that a training has seen, and the seconds that it has taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from nas_fusion.system.allowance import current_allowance
from nas_fusion.system.deadline import check_deadline
from nas_fusion.system.interrupts import raise_if_asked
from nas_fusion.training.watching.watcher import RunningTraining, Watcher


def rows_in(batch: Any) -> int:
    """Rows of a whole batch; of all parts, where a strategy trains on several (DARTS: ``{"train": …, "val": …}``)."""
    if isinstance(batch, dict):
        return sum(rows_in(part) for part in batch.values() if part is not None)
    return int(batch.rows)


class SampleMeter(Watcher):
    """Count training rows and seconds, and stop the training when a budget is spent.

    A training that is told to stop in the middle of an epoch is validated once more.

    Args:
        max_samples: stop at the first batch that reaches this many; None: only count.
        max_seconds: stop at the first batch that ends so many seconds after the meter was made; None: no such bound.
        clock: seconds since some moment or other.
        reserve: seconds that something after the training will take, asked after every batch: it stops so much
            earlier.
    """

    def __init__(
        self,
        max_samples: int | None = None,
        max_seconds: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        reserve: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.max_samples, self.max_seconds = max_samples, max_seconds
        self.samples = 0
        self._clock, self._reserve = clock, reserve
        self._start = clock()
        self._told_to_stop = False

    @property
    def share(self) -> float:
        """The part of the budget that is spent, from 0; of the tighter one, if there are two; 0 without a budget."""
        samples = 0.0 if self.max_samples is None else self.samples / self.max_samples
        if self.max_seconds is None:
            return samples
        return max(samples, (self._clock() - self._start + self._reserve()) / self.max_seconds)

    @property
    def is_bounded(self) -> bool:
        """Whether there is a budget."""
        return self.max_samples is not None or self.max_seconds is not None

    @property
    def spent(self) -> bool:
        """Whether the budget is reached."""
        return self.share >= 1

    def before_step(self, training: RunningTraining, batch: Any) -> None:
        """End a strategy that trains on though it was told to stop.

        Raises:
            SearchStopped: it does.
        """
        current_allowance().check(self._told_to_stop)

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        """Count a batch.

        Raises:
            TimeIsUp: the deadline has come.
        """
        raise_if_asked()
        check_deadline()
        rows = rows_in(batch)
        self.samples += rows
        current_allowance().count(rows)
        if self.spent:
            self._told_to_stop = True
            training.stop()

    def state(self) -> dict[str, Any]:
        """The samples; seconds are counted anew."""
        return {"samples": self.samples}

    def go_on(self, training: RunningTraining, state: Mapping[str, Any]) -> None:
        """Count on."""
        self.samples = state["samples"]

    def after_validation_batch(self, training: RunningTraining, logits: Tensor, labels: Tensor) -> None:
        """Validating is no silence.

        Raises:
            TimeIsUp: the deadline has come.
        """
        check_deadline()
        current_allowance().sign_of_life()
