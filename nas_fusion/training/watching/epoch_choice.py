"""Which epoch of a training is kept: the best one, or the smallest that is as good but for the noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from nas_fusion.training.quality import Rank


class Ranked(Protocol):
    """A validation."""

    def rank(self, select: str) -> Rank:
        """How good it is by one of `nas_fusion.bounds.SELECTIONS`."""


Record = TypeVar("Record", bound=Ranked)
State = TypeVar("State")


@dataclass(frozen=True)
class SizeRule(Generic[Record]):
    """When a smaller model is taken in place of the best.

    Args:
        size: of the model as it is now.
        noise: by so much two scores may differ by chance, given the better one's validation.
    """

    size: Callable[[], float]
    noise: Callable[[Record], float]


class _Offered(NamedTuple, Generic[Record, State]):
    record: Record
    size: float
    state: State | None


class EpochChoice(Generic[Record, State]):
    """Epochs are offered one after the other; `kept` is the one to end with.

    Args:
        select: by what epochs are ranked.
        rule: None: the best epoch is kept, of equals the first. Else, of all epochs whose score is not below the best
            by more than the noise, the one of the smallest size; of equal sizes the better.
    """

    def __init__(self, select: str, rule: SizeRule[Record] | None = None) -> None:
        self._select, self._rule = select, rule
        self._offered: list[_Offered[Record, State]] = []

    @property
    def kept(self) -> State | None:
        """The state of the epoch that is kept; None before the first, and once the states were dropped."""
        return None if self._first is None else self._first.state

    @property
    def record(self) -> Record | None:
        """The validation of that epoch; None before the first."""
        return None if self._first is None else self._first.record

    @property
    def held(self) -> int:
        """How many epochs may still be kept; each one's state is in memory."""
        return len(self._offered)

    @property
    def offered(self) -> list[tuple[Record, float, State | None]]:
        """Each one's validation, size and state, for another choice to go on with."""
        return [(one.record, one.size, one.state) for one in self._offered]

    def take_up(self, offered: Iterable[tuple[Record, float, State | None]]) -> None:
        """Begin with what was offered to another choice."""
        self._offered = [_Offered(*one) for one in offered]

    def drop_states(self) -> None:
        """Give up the memory of all states."""
        self._offered = [one._replace(state=None) for one in self._offered]

    @property
    def _first(self) -> _Offered[Record, State] | None:
        return min(self._offered, key=self._order, default=None)

    def offer(self, record: Record, state: Callable[[], State]) -> None:
        """Hold an epoch against those before it; its state is asked for only where it may be kept."""
        size = 0.0 if self._rule is None else self._rule.size()
        rank = record.rank(self._select)
        # Nothing is kept in whose place an earlier epoch, no larger and no worse, would be.
        if any(one.size <= size and one.record.rank(self._select) >= rank for one in self._offered):
            return
        self._offered.append(_Offered(record, size, state()))
        best = max((one.record for one in self._offered), key=lambda one: one.rank(self._select))
        least = best.rank(self._select).score - (0.0 if self._rule is None else self._rule.noise(best))
        self._offered = [one for one in self._offered if one.record.rank(self._select).score >= least]

    def _order(self, offered: _Offered[Record, State]) -> tuple[float, float, float]:
        rank = offered.record.rank(self._select)
        return offered.size, -rank.score, -rank.tie
