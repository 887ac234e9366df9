"""A progress bar with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from nas_fusion.training.watching.sample_meter import SampleMeter
from nas_fusion.training.watching.validation_monitor import ValidationMonitor
from nas_fusion.training.watching.watcher import RunningTraining, Watcher

REFRESH_SECONDS = 0.2


class ProgressBar(Watcher):
    """Show how far a training is: samples, samples per second, time left, last validation AUC.

    Args:
        console: where to draw.
        description: what is trained.
        rows: training rows until the end, at most, where the meter knows no budget.
        meter, monitor: where the numbers come from.
    """

    def __init__(
        self, console: Console, description: str, rows: int, meter: SampleMeter, monitor: ValidationMonitor
    ) -> None:
        self.meter, self.monitor = meter, monitor
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[auc]}"),
            console=console,
            transient=True,
        )
        self._rows = rows
        self._task = self._progress.add_task(description, total=1.0, rate="", auc="")
        self._start = self._last = 0.0
        self._seen = 0

    def begin(self, training: RunningTraining) -> None:
        """Start drawing."""
        self._start = time.perf_counter()
        self._progress.start()

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        """Redraw now and then."""
        now = time.perf_counter()
        if now - self._last < REFRESH_SECONDS:
            return
        self._last = now
        rate = (self.meter.samples - self._seen) / max(now - self._start, 1e-9)
        history = self.monitor.history
        auc = f"valid AUC {history[-1].valid_auc:.4f}" if history else ""
        done = self.meter.share or self.meter.samples / self._rows
        self._progress.update(self._task, completed=done, rate=f"{rate:,.0f} samples/s", auc=auc)

    def go_on(self, training: RunningTraining, state: Mapping[str, Any]) -> None:
        """Only what is trained from now on took time."""
        self._seen = self.meter.samples

    def close(self) -> None:
        """Remove the bar, so that the terminal is left as it was."""
        self._progress.stop()
