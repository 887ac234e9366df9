"""Ending a strategy that does not end by itself.

Most strategies stop when their budget is spent, since they ask for it, or since their trainer is told to. One that goes
on is ended by `SearchStopped`:

- it submits a candidate, or trains on another batch, though its budget is spent: the exception is raised there;
- it gives no *sign of life* (a batch, a candidate) for much longer than it has worked so far: a signal raises the
  exception wherever the strategy is, and again and again until the strategy has left.

Signals reach the main thread alone: a search in another thread is only ended in the first two ways. No exception
reaches code that never comes back to Python's interpreter (an endless loop in C), or that catches every `BaseException`
in every line of its loop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from nas_fusion.system.stopwatch import Stopwatch

TICK_SECONDS = 1.0
"""Silence is counted in ticks, not by a clock, so that a process that was halted for an hour has not been silent."""

LEAST_SILENCE_SECONDS = 300.0
SILENCE_FACTOR = 3.0
"""A strategy may be silent for five minutes and three times as long as it has worked: ranking designs, which nobody
sees, takes as long as training a supernet, at most."""

GRACE_BATCHES = 2
"""A step that reaches the budget may go over it; DARTS' has two batches."""

GRACE_SECONDS = 60.0
"""Beside as much again as a budget in seconds has: a step, or a validation, can be slow."""

SIGNAL = signal.SIGVTALRM
"""The alarm that neither Lightning, nor Slurm, nor test runners use."""


class SearchStopped(BaseException):
    """Ends a strategy; not an `Exception`, so that no strategy swallows it by accident.

    Args:
        reason: what the strategy did.
    """


class Allowance:
    """What one search may still do.

    It is on guard while the strategy's own code runs (`run`), and not while ours does on its behalf (`we_run`).

    Args:
        samples: of the budget; None for a budget in seconds.
        batch_size: of the trainings.
        candidates: each of which may have a batch, however small the budget is.
        watch: of the search; a strategy's trainings may take twice its seconds.
    """

    def __init__(
        self, samples: int | None = None, batch_size: int = 1, candidates: int = 0, watch: Stopwatch | None = None
    ) -> None:
        self._allowed, self._watch = None, watch or Stopwatch()
        if samples is not None:
            self._allowed = max(samples, candidates * batch_size) + GRACE_BATCHES * batch_size
        self._seen, self._on_guard = 0, False
        self._ticks = self._silence = self._worked = 0

    @property
    def on_guard(self) -> bool:
        """Whether the strategy's own code runs."""
        return self._on_guard

    def count(self, rows: int) -> None:
        """A training has seen so many rows."""
        self._seen += rows
        self.sign_of_life()

    def sign_of_life(self) -> None:
        """Something happened that has an end."""
        self._silence, self._worked = 0, self._ticks

    def check(self, told_to_stop: bool = False) -> None:
        """Called before a training step.

        Args:
            told_to_stop: whether the training was told that its budget is spent.

        Raises:
            SearchStopped: the strategy's own code trains on, and has spent its budget.
        """
        spent = self._allowed is not None and self._seen >= self._allowed
        if self._on_guard and (spent or told_to_stop or self._watch.left < -GRACE_SECONDS - (self._watch.limit or 0)):
            raise SearchStopped("it trained on though its budget was spent")

    def run(self, strategy: Callable[[], object]) -> str | None:
        """Let a strategy's own code run, on guard; says why it was ended, None if it ended by itself."""
        try:
            with self._guarding(True):
                strategy()
        except SearchStopped as stop:
            self._on_guard = False  # a signal may come at the very end of the block above
            return str(stop)
        return None

    @contextmanager
    def we_run(self) -> Iterator[None]:
        """Not on guard inside the block."""
        with self._guarding(False):
            yield

    @contextmanager
    def _guarding(self, on_guard: bool) -> Iterator[None]:
        before, self._on_guard = self._on_guard, on_guard
        self.sign_of_life()
        try:
            yield
        finally:
            self._on_guard = before
            self.sign_of_life()

    def tick(self) -> bool:
        """Another tick has gone by; whether the strategy has been silent for too long."""
        self._ticks += 1
        self._silence += self._on_guard
        return self.is_overdue

    @property
    def is_overdue(self) -> bool:
        """Whether the strategy has been silent for too long."""
        allowed = LEAST_SILENCE_SECONDS / TICK_SECONDS + SILENCE_FACTOR * self._worked
        return self._on_guard and self._silence > allowed

    def seconds_silent(self) -> float:
        """How long the strategy has been silent."""
        return self._silence * TICK_SECONDS


_CURRENT: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


_ANY = Allowance()


def current_allowance() -> Allowance:
    """That of the search that runs here; one without any limits if there is none."""
    return _CURRENT.get() or _ANY


@contextmanager
def allowing(allowance: Allowance) -> Iterator[Allowance]:
    """A search runs inside the block; in the main thread its silence is watched."""
    token = _CURRENT.set(allowance)
    try:
        with _watched(allowance):
            yield allowance
    finally:
        _CURRENT.reset(token)


@contextmanager
def _watched(allowance: Allowance) -> Iterator[None]:
    main = threading.main_thread()
    if threading.current_thread() is not main or main.ident is None:
        yield
        return
    ended, number = threading.Event(), main.ident

    def watch() -> None:
        while not ended.wait(TICK_SECONDS):
            if allowance.tick():
                signal.pthread_kill(number, SIGNAL)

    def stop(signum: int, frame: FrameType | None) -> None:
        if allowance.is_overdue:  # it may have given a sign of life meanwhile
            raise SearchStopped(f"it did nothing for {allowance.seconds_silent():.0f} s")

    before = signal.signal(SIGNAL, stop)
    thread = threading.Thread(target=watch, name="nas-fusion watch over a strategy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        signal.signal(SIGNAL, before if before is not None else signal.SIG_DFL)
