"""`Deadline`: the moment by which something has to be over, and the places that look whether it has come.

A time limit of a comparison is one. Trainings look after every batch (`check_deadline`), so whatever runs then is ended
by `TimeIsUp` in its middle, with all its claims given back, as Ctrl-C ends it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class TimeIsUp(BaseException):
    """Ends what runs when its time is over; not an `Exception`, so that no strategy swallows it by accident."""


class Deadline:
    """So many seconds from now.

    Args:
        seconds: until it has come; infinity: never.
        clock: seconds since some moment or other; tests bring one of their own.
    """

    def __init__(self, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock, self._start = seconds, clock, clock()

    @property
    def elapsed(self) -> float:
        """Seconds since it was set."""
        return self._clock() - self._start

    @property
    def left(self) -> float:
        """Seconds until it comes, below zero behind it; infinity if it never comes."""
        return self.seconds - self.elapsed

    @property
    def is_set(self) -> bool:
        """Whether it ever comes."""
        return math.isfinite(self.seconds)

    def sooner(self, seconds: float) -> Deadline:
        """One by the same clock, from the same start, that comes so many seconds earlier."""
        earlier = Deadline(self.seconds - seconds, self._clock)
        earlier._start = self._start
        return earlier


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """What looks at the deadline inside the block looks at this one; a sooner one around it still holds."""
    around = _CURRENT.get()
    sooner = deadline if around is None or deadline.left < around.left else around
    token = _CURRENT.set(sooner)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check_deadline() -> None:
    """Called now and then by what takes long.

    Raises:
        TimeIsUp: the deadline has come.
    """
    deadline = _CURRENT.get()
    if deadline is not None and deadline.left <= 0:
        raise TimeIsUp("the time is up")


_SOFT: ContextVar[Deadline | None] = ContextVar("soft_deadline", default=None)


@contextmanager
def ending_by(deadline: Deadline) -> Iterator[None]:
    """What can end with what it has (boosted trees) does so inside the block when this deadline comes.

    Its result then depends on the clock, so this is for whoever wants one good model in time, not a comparison.
    """
    token = _SOFT.set(deadline if deadline.is_set else None)
    try:
        yield
    finally:
        _SOFT.reset(token)


def has_to_end() -> bool:
    """Whether what can end with what it has has to do so."""
    deadline = _SOFT.get()
    return deadline is not None and deadline.left <= 0


def has_time_for(seconds: float) -> bool:
    """Whether what can end with what it has may begin something that takes so long."""
    deadline = _SOFT.get()
    return deadline is None or deadline.left >= seconds


def is_watched() -> bool:
    """Whether there is a deadline that will come."""
    return any(deadline is not None and deadline.is_set for deadline in (_CURRENT.get(), _SOFT.get()))
