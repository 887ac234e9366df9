"""Who is told of the models that were the best so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from torch import nn

from nas_fusion.records import TracePoint


class Incumbents(Protocol):
    """Keeps models while a search runs, so that they can be measured behind it. It changes nothing of the search."""

    def keep(self, model: nn.Module, point: TracePoint, place: int) -> None:
        """A model was validated: a candidate or a supernet, in the state in which it was, or a design in a supernet.

        Args:
            model: is left as it is.
            point: of the search's trace.
            place: of the point in the trace, from 0; by it, and not by its figures, it is found again.
        """

    def attempt(self) -> AbstractContextManager[None]:
        """What was kept inside the block is given up if a `TrainingError` leaves it: the candidate does not count."""


class NoIncumbents:
    """Keeps nothing."""

    def keep(self, model: nn.Module, point: TracePoint, place: int) -> None:
        """Do nothing."""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Do nothing."""
        yield
