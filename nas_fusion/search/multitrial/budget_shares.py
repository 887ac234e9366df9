"""Equal shares of a search's samples and seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from nas_fusion.errors import TrainingError
from nas_fusion.system.stopwatch import Stopwatch

LEAST_SHARE = 0.5
"""A candidate that would get a smaller part than this of a full share is not started."""

_LEAST_LIMIT = 1e-3
"""A training's limit is this part of a share at least, which is a batch."""


def samples_per_candidate(budget: int, candidates: int, batch_size: int) -> int:
    """A candidate's share of the budget in whole batches, at least one."""
    return max(1, math.floor(budget / candidates / batch_size)) * batch_size


class OutOfTimeError(TrainingError):
    """The candidate was not trained: the seconds of the search are spent."""


class TimeShares:
    """Divides what is left of a search's seconds among rounds: a candidate's training, or a wave of them side by side.

    A training is stopped before its share ends: by as much as the slowest round so far went on after its stop (its
    last validation, mostly), so that whole rounds fit.

    Args:
        watch: of the search; without a limit everything fits.
        rounds: how many at most, of a share each.
    """

    def __init__(self, watch: Stopwatch, rounds: float) -> None:
        self._watch, self._begun, self._behind = watch, False, 0.0
        self._share = math.inf if watch.limit is None else watch.left / rounds

    def fits(self, shares: float = 1.0) -> bool:
        """Whether another round, of so many shares, may begin; the first always may."""
        return not self._begun or self._watch.limit is None or self._watch.left >= LEAST_SHARE * shares * self._share

    @contextmanager
    def round(self, shares: float = 1.0) -> Iterator[float | None]:
        """A round of so many shares; gives the seconds after which its trainings stop, None for no such limit.

        Raises:
            OutOfTimeError: it does not fit.
        """
        if self._watch.limit is None:
            yield None
            return
        if not self.fits(shares):
            raise OutOfTimeError("the seconds of the search are spent")
        self._begun = True
        start = self._watch.elapsed
        # What earlier rounds overran is taken off, so that whole rounds fit.
        limit = max(min(shares * self._share, self._watch.left) - self._behind, _LEAST_LIMIT * self._share)
        yield limit
        self._behind = max(self._behind, self._watch.elapsed - start - limit)
