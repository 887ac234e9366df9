"""Training candidates by *rungs*: all of them a little, the best ones on from there (successive halving).

The rule of who goes on is that of asynchronous successive halving (ASHA; Li et al., MLSys 2020): of those that have
reached a rung the best ``1 / reduction_factor``, as soon as they are that. A candidate that does not go on waits, and
may go on when more have been tried. Optuna's `SuccessiveHalvingPruner` has no such wait: what it prunes is gone, and
the first candidate goes all the way up whatever it is worth; among a dozen candidates that costs most of the gain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nas_fusion.strategy.abilities import Halving
from nas_fusion.training import Rank

_ROUNDING = 1e-9


class Leg(NamedTuple):
    """A part of a candidate's training: to the next rung.

    Args:
        rung: which one, from 0.
        samples: of the candidate at its end; None where seconds end it.
        seen: of the candidate at its beginning.
        shares: its part of the budget, in trainings to the first rung.
        start: the file of the interrupted training; None: it begins.
        leave: where to leave it when it is interrupted again; None: no leg can follow.
    """

    rung: int = 0
    samples: int | None = None
    seen: int = 0
    shares: float = 1.0
    start: Path | None = None
    leave: Path | None = None


@dataclass(frozen=True)
class RungPlan:
    """How long candidates are trained.

    Args:
        steps: from each rung to the next, in trainings to the first one: ``steps[0]`` is 1.
        samples: of a candidate at each rung; None for a budget in seconds.
        shares: the budget, in trainings to the first rung.
        reduction_factor: of those that reach a rung one in so many goes on.
        batch: rows of one; trainings are whole batches.
    """

    steps: tuple[float, ...]
    samples: tuple[int, ...] | None
    shares: float
    reduction_factor: int = 1
    batch: int = 1


def equal_shares(candidates: int, samples: int | None) -> RungPlan:
    """Every candidate is trained once, for the same share.

    Args:
        candidates: how many.
        samples: of each of them; None for a budget in seconds.
    """
    return RungPlan((1.0,), None if samples is None else (samples,), candidates)


def plan_rungs(halving: Halving, candidates: int, samples: int | None, batch_size: int, most: int) -> RungPlan | None:
    """The rungs of a search: each is the reduction factor times as long as the one before.

    The first one is as long as the budget allows if the best of each rung go on: then `candidates` are tried, and the
    budget is that of as many equal shares.

    Args:
        halving: the strategy's.
        candidates: how many are tried at most.
        samples: the whole budget; None for one in seconds.
        batch_size: rungs are whole batches.
        most: samples that no rung is longer than: a re-training's.

    Returns:
        None where one rung is all that there can be.
    """
    factor, rungs = halving.reduction_factor, 1
    while rungs < halving.rungs and candidates >= factor**rungs:
        rungs += 1
    lengths = [factor**rung for rung in range(rungs)]
    wanted = sum(candidates // length * (length - length // factor) for length in lengths)
    if samples is None:
        steps = _differences([float(length) for length in lengths])
        return RungPlan(steps, None, wanted, factor) if rungs > 1 else None
    first = max(1, round(samples / wanted / batch_size)) * batch_size
    ends = [first]
    while len(ends) < rungs and ends[-1] < most:
        ends.append(min(ends[-1] * factor, most))
    if len(ends) == 1:
        return None
    steps = _differences([end / first for end in ends])
    return RungPlan(steps, tuple(ends), max(1.0, samples / first), factor, batch_size)


def _differences(ends: Sequence[float]) -> tuple[float, ...]:
    return tuple(end - before for before, end in zip([0.0, *ends], ends, strict=False))


@dataclass(eq=False)
class _Climber:
    """A candidate, and the leg that it is in or has done last."""

    model: Any
    leg: Leg
    rank: Rank | None = None


@dataclass
class Rungs:
    """Who is trained how far, and what that leaves of the budget.

    Lifecycle: while there is `room`, a candidate may `enter`; after its `leg` was trained it `reached` its rung, or
    `failed`. `going_on` says which candidates have another leg.

    Args:
        plan: how long.
        candidates: how many may enter.
        fits: whether the seconds allow so many shares more.
        folder: for the files of interrupted trainings; None: there are none (nothing is trained).
    """

    plan: RungPlan
    candidates: int
    fits: Callable[[float], bool]
    folder: Path | None = None
    spent: float = 0.0
    _all: dict[int, _Climber] = field(default_factory=dict)
    _waiting: list[list[_Climber]] = field(default_factory=list)
    _arrived: list[list[Rank]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting, self._arrived = [[] for _ in self.plan.steps], [[] for _ in self.plan.steps]

    def room(self) -> bool:
        """Whether another candidate may enter."""
        return len(self._all) < self.candidates and self._pays(0)

    def enter(self, model: Any) -> None:
        """A new candidate will be trained to the first rung."""
        self._all[id(model)] = _Climber(model, self._next_leg(len(self._all), None))
        self.spent += 1

    def leg(self, model: Any) -> Leg:
        """What is, or was last, to be trained of a candidate."""
        return self._all[id(model)].leg

    def reached(self, model: Any, rank: Rank) -> None:
        """A candidate's leg was trained; `rank` is its best validation so far."""
        climber = self._all[id(model)]
        rung, climber.rank = climber.leg.rung, rank
        self._arrived[rung].append(rank)
        if rung + 1 < len(self.plan.steps) and climber.leg.samples == self._end(rung):
            self._waiting[rung].append(climber)
            self._forget_hopeless(rung)

    def failed(self, model: Any) -> None:
        """A candidate's leg could not be trained."""
        self._forget(self._all[id(model)])

    def going_on(self, at_once: int, rest: bool = False) -> list[Any]:
        """At most so many candidates whose next leg is to be trained now; those of the highest rungs first.

        Args:
            at_once: how many.
            rest: nobody new will come: what is left of the budget goes to the best of those that wait, and the last
                leg may end before its rung.
        """
        found: list[Any] = []
        while len(found) < at_once and (climber := self._promoted(rest)):
            found.append(self._sent_on(climber, self._next_leg(0, climber.leg)))
        if rest and len(found) < at_once and (last := self._with_the_remainder()):
            found.append(self._sent_on(*last))
        return found

    def _sent_on(self, climber: _Climber, leg: Leg) -> Any:
        self._waiting[climber.leg.rung].remove(climber)
        self.spent += leg.shares
        climber.leg = leg
        return climber.model

    def _with_the_remainder(self) -> tuple[_Climber, Leg] | None:
        """The best of those that wait, and a leg that is as long as the budget allows, which is no whole step."""
        waiting = [climber for rung in reversed(self._waiting[:-1]) for climber in rung]
        if self.plan.samples is None or not waiting:
            return None
        best = max(waiting, key=_rank_of)
        first, batch = self.plan.samples[0], self.plan.batch
        batches = math.floor((self.plan.shares - self.spent) * first / batch + _ROUNDING)
        if batches < 1:
            return None
        leg = self._next_leg(0, best.leg)
        return best, leg._replace(samples=leg.seen + batches * batch, shares=batches * batch / first, leave=None)

    def _promoted(self, rest: bool) -> _Climber | None:
        for rung in range(len(self.plan.steps) - 2, -1, -1):
            if not self._waiting[rung] or not self._pays(rung + 1):
                continue
            best = max(self._waiting[rung], key=_rank_of)
            better = sum(rank > _rank_of(best) for rank in self._arrived[rung])
            if rest or better < len(self._arrived[rung]) // self.plan.reduction_factor:
                return best
        return None

    def _pays(self, rung: int) -> bool:
        step = self.plan.steps[rung]
        return self.spent + step <= self.plan.shares + _ROUNDING and self.fits(step)

    def _next_leg(self, number: int, before: Leg | None) -> Leg:
        rung = 0 if before is None else before.rung + 1
        file = None if self.folder is None else self.folder / f"candidate-{number}.pt"
        if before is not None:
            file = before.leave
        return Leg(
            rung=rung,
            samples=self._end(rung),
            seen=(self._end(rung - 1) or 0) if rung else 0,
            shares=self.plan.steps[rung],
            start=None if before is None else file,
            leave=file if rung + 1 < len(self.plan.steps) else None,
        )

    def _end(self, rung: int) -> int | None:
        """Samples of a candidate at a rung; None where seconds count."""
        return None if self.plan.samples is None else self.plan.samples[rung]

    def _forget_hopeless(self, rung: int) -> None:
        """Drop those whose turn cannot come, whoever is still tried: their files are as large as a training.

        One more is kept, for what is left of the budget in the end.
        """
        hopes = self.candidates // self.plan.reduction_factor + 1
        for climber in sorted(self._waiting[rung], key=_rank_of, reverse=True)[hopes:]:
            self._waiting[rung].remove(climber)
            self._forget(climber)

    @staticmethod
    def _forget(climber: _Climber) -> None:
        if climber.leg.leave is not None:
            climber.leg.leave.unlink(missing_ok=True)


def _rank_of(climber: _Climber) -> Rank:
    assert climber.rank is not None, "it has reached a rung"
    return climber.rank
