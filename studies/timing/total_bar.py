"""The bar over everything that a study does, with the time that is left; bars of single trainings lie below it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.progress_bar import ProgressBar
from rich.text import Text

from nas_fusion.report import duration


class TimeLeft:
    """How much of a study is over, by what is left of it; between two looks it counts down.

    Args:
        clock: seconds since some moment or other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._looked = clock()
        self._left = 0.0

    def foresee(self, seconds: float) -> None:
        """So many seconds are left."""
        self._left, self._looked = max(seconds, 0.0), self._clock()

    @property
    def seconds(self) -> float:
        """Seconds that are left now."""
        return max(self._left - (self._clock() - self._looked), 0.0)

    @property
    def share(self) -> float:
        """The part of everything that is over, from 0 to 1."""
        over = self._clock() - self._start
        return over / max(over + self.seconds, 1e-9)


class _Left(ProgressColumn):
    """The time left, in words."""

    def render(self, task: Task) -> Text:
        """As text."""
        left: TimeLeft = task.fields["left"]
        return Text(f"about {duration(left.seconds)} left" if left.seconds else "")


class _Done(BarColumn):
    """The bar."""

    def render(self, task: Task) -> ProgressBar:
        """As far as it is."""
        task.completed = task.fields["left"].share
        return super().render(task)


class TotalBar:
    """Draws how far everything is.

    Args:
        console: where; None draws nothing.
    """

    def __init__(self, console: Console | None) -> None:
        self.left = TimeLeft()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if console is not None:
            columns = (TextColumn("[bold]everything"), _Done(bar_width=24), TextColumn("{task.fields[done]}"), _Left())
            self._progress = Progress(*columns, console=console, transient=True)
            self._task = self._progress.add_task("everything", total=1.0, left=self.left, done="")

    @contextmanager
    def drawn(self) -> Iterator[TotalBar]:
        """Inside the block it is drawn."""
        if self._progress is None:
            yield self
            return
        with self._progress:
            yield self

    def update(self, seconds: float, done: str = "") -> None:
        """Say how much is left.

        Args:
            seconds: until the end.
            done: what is finished, in a few words.
        """
        self.left.foresee(seconds)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, done=done)
