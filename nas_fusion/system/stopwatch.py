"""`Stopwatch`: the seconds that a search has taken and may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Wall-clock seconds since it was made, without its pauses.

    `run_search` starts one for every search; what only the report wants happens in its pauses.

    Args:
        limit: the seconds that may be taken; None: any number.
        clock: seconds since some moment or other; tests bring one of their own.
    """

    def __init__(self, limit: float | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self.limit, self._clock = limit, clock
        self._paused = 0.0
        self._start = clock()

    def restarted(self, limit: float | None) -> Stopwatch:
        """A new one by the same clock."""
        return Stopwatch(limit, self._clock)

    def now(self) -> float:
        """The clock without the pauses: what trainings of a search measure their seconds by."""
        return self._clock() - self._paused

    @property
    def elapsed(self) -> float:
        """Seconds taken."""
        return self.now() - self._start

    @property
    def left(self) -> float:
        """Seconds that are left of the limit, below zero behind it; infinity without a limit."""
        return math.inf if self.limit is None else self.limit - self.elapsed

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside the block takes no time."""
        start = self.now()
        try:
            yield
        finally:
            self._paused += self.now() - start
