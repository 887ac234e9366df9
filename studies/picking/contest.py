"""Which family may still win, which one is tuned next, which one is taken: by scores on folds, with an eye on noise.

A *family* is a strategy with all its hyperparameters. The best of many trials on few validation rows is the luckiest
one, so tuned values count only where they are better than the family's defaults by more than the noise, and then for
what they are better by less that noise.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GAIN, GAIN_TRIALS = 0.004, 6.0
"""What tuning may still bring to a family, at first, and the trials after which that is half of it. On small
public logs tuned trees gained .002 to .02 over their defaults, and networks less."""

LEAST_NOISE = 1e-4
"""Scores are never taken to be surer than this where time is shared."""

REACH = 2.0
"""Standard errors within which a family is as good as the best."""

LOGLOSS = "logloss"
"""What validation may choose by that is no AUC."""

NETWORKS_GAIN = {1: 0.0, 2: 0.002, 3: 0.0025, 4: 0.003}
"""What the mean of so many networks is better by than one of them, with care: .0026 for two and .0040 for four were the
means over seven public logs (docs/how-to/tuning.md)."""

PATIENCE, MOST = 40, 200
"""A family is tuned no further after so many trials without a better one, or so many in all."""

CONTENDERS, CHEAP = 5, 0.02
"""So many families get their defaults on all folds, the best first, and any other one that takes no more than this part
of the time that is left: folds for all would leave nothing for tuning, and the best on one fold is mostly near the
top."""

MOST_FOLDS = 5
"""More folds cost more time than they save: the error falls with their square root."""

ENOUGH = 0.0005
"""No further folds where the standard error of a difference is as small as this: figures are told with four digits."""

Scores = tuple[float, ...]
"""What validation chooses by, fold by fold, the larger the better; the log's own fold first."""


@dataclass(frozen=True)
class Trial:
    """A training of a family's models with some values, on one fold after the other.

    Args:
        slot: its place in the tuning; 0 is the defaults.
        values: that differ from the defaults.
        scores: of the folds that were done.
        ended: ``"complete"``, ``"behind"`` (given up, since it could not win) or ``"failed"``.
        seconds: wall-clock.
    """

    slot: int
    values: Mapping[str, Any]
    scores: Scores
    ended: str
    seconds: float = 0.0


@dataclass
class Family:
    """A strategy with all its hyperparameters, and what is known of it.

    Args:
        name: of the strategy.
        first: score of its defaults on the log's own fold.
        pace: seconds of one training.
        trials: that have ended, in their order.
        is_tunable: whether anything of it can be tuned.
        bonus: what its final model is better by than a single training: several networks are averaged.
    """

    name: str
    first: float
    pace: float
    trials: Sequence[Trial] = ()
    is_tunable: bool = True
    bonus: float = 0.0

    @property
    def defaults(self) -> Scores:
        """Of the trial of the defaults; before that, of the log's own fold alone."""
        return next((t.scores for t in self.trials if t.slot == 0 and t.scores), (self.first,))

    @property
    def best(self) -> Trial | None:
        """The best of the trials that came to their end, the defaults aside."""
        ended = [trial for trial in self.trials if trial.ended == "complete" and trial.slot]
        return max(ended, key=lambda trial: (len(trial.scores), mean(trial.scores)), default=None)

    @property
    def seconds(self) -> float:
        """Of all trials."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def is_exhausted(self) -> bool:
        """Whether further trials promise nothing: there were many, or none was the best for long."""
        if not self.is_tunable:
            return any(trial.slot == 0 for trial in self.trials)
        at = 0 if self.best is None else self.best.slot
        return len(self.trials) >= MOST or len(self.trials) - at > PATIENCE


@dataclass(frozen=True)
class Standing:
    """What a family is worth.

    Args:
        family: whose.
        scores: of its defaults, or of the best values where these are clearly better.
        worth: what counts, on as many folds as there are scores, with the family's bonus.
        trial: with the values; None for the defaults.
    """

    family: Family
    scores: Scores
    worth: float
    trial: Trial | None


@dataclass
class Contest:
    """The families of one `fit`.

    Args:
        families: by name.
        error: the standard error of a difference of two scores on the validation rows of one fold.
        count: how many folds a trial goes through.
    """

    families: dict[str, Family]
    error: float
    count: int = 1
    _given_up: set[str] = field(default_factory=set)

    def noise(self, folds: int) -> float:
        """The standard error of a difference of two means over so many folds."""
        return self.error / math.sqrt(folds)

    def standing(self, family: Family) -> Standing:
        """What a family is worth."""
        defaults, best = family.defaults, family.best
        if best is not None:
            folds = min(len(defaults), len(best.scores))
            gain = mean(best.scores[:folds]) - mean(defaults[:folds])
            if gain > self.noise(folds):
                worth = mean(best.scores) - self.noise(folds) + family.bonus
                return Standing(family, best.scores, worth, best)
        return Standing(family, defaults, mean(defaults) + family.bonus, None)

    def standings(self) -> list[Standing]:
        """All families, the best first.

        Scores on more folds are surer: one on fewer folds stands before the best of those only if it is better on the
        folds that both have, by more than the noise. Where nothing was given up, all have the same number of folds.
        """
        all_ = [self.standing(family) for family in self.families.values()]
        most = max(len(one.scores) for one in all_)
        full = [one for one in all_ if len(one.scores) == most]
        leader = max(full, key=lambda one: one.worth)
        for one in sorted((o for o in all_ if len(o.scores) < most), key=lambda o: -o.worth):
            common = len(one.scores)
            if self._compared(one, leader) > self.noise(common):
                leader = one
        rest = sorted((one for one in all_ if one is not leader), key=lambda one: -self._compared(one, leader))
        return [leader, *rest]

    def _compared(self, one: Standing, leader: Standing) -> float:
        """How far a family is ahead of the leader, on the folds that both have."""
        common = min(len(one.scores), len(leader.scores))
        gain = mean(one.scores[:common]) - mean(leader.scores[:common])
        return gain + one.family.bonus - leader.family.bonus

    def next(self, left: float) -> Family | None:
        """The family that gets the next trial; None if none can win any more, or there is no time.

        Those that are in reach get their defaults on all folds first, the best first. Then the time is shared: one that
        is a standard error behind gets half of what the best gets.

        Args:
            left: seconds.
        """
        ahead = self.standings()[0]
        behind = {name: -self._compared(self.standing(f), ahead) for name, f in self.families.items()}
        able = [
            family
            for name, family in self.families.items()
            if not family.is_exhausted
            and family.pace * (self.count - (not family.trials)) <= left
            and behind[name] <= self._reach(family, ahead)
        ]
        untried = [one for one in able if not one.trials and one.pace * (self.count - 1) <= self._most_for_one(left)]
        if untried:
            return max(untried, key=lambda one: one.first + one.bonus)
        tried = [one for one in able if one.trials]
        noise = max(self.noise(self.count), LEAST_NOISE)
        return min(tried, key=lambda one: one.seconds * 2 ** (behind[one.name] / noise), default=None)

    def _most_for_one(self, left: float) -> float:
        """Seconds that the folds of a further family may take."""
        begun = sum(bool(family.trials) for family in self.families.values())
        return left / 2 if begun < CONTENDERS else CHEAP * left

    def is_behind(self, family: Family, scores: Scores) -> bool:
        """Whether a trial that has these scores so far will not win: it is behind the best by more than the noise.

        Args:
            family: the trial's.
            scores: of the first folds.
        """
        return self.missing(family, scores) > self.noise(len(scores))

    def missing(self, family: Family, scores: Scores) -> float:
        """How far a trial is behind the best on the same folds; below 0 if it is ahead."""
        return -self._compared(Standing(family, scores, 0.0, None), self.standings()[0])

    def to_beat(self, family: Family, fold: int) -> float:
        """A training of a family whose score on a fold stays below this will not win."""
        ahead = self.standings()[0]
        if fold >= len(ahead.scores):
            return -math.inf
        return ahead.scores[fold] + ahead.family.bonus - family.bonus - self.noise(1)

    def _reach(self, family: Family, ahead: Standing) -> float:
        folds = min(len(family.defaults), len(ahead.scores))
        hoped = GAIN / (1 + len(family.trials) / GAIN_TRIALS) if family.is_tunable else 0.0
        return REACH * self.noise(folds) + hoped


def folds_for(error: float, paces: Sequence[float], seconds: float, most: int) -> int:
    """How many folds are worth while, and fit.

    Args:
        error: standard error of a difference on one fold.
        paces: seconds of a training of those that may win.
        seconds: that the defaults of all of them may take.
        most: folds that there are.
    """
    needed = math.ceil((error / ENOUGH) ** 2)
    fit = 1 + int(min(seconds / max(sum(paces), 1e-9), MOST_FOLDS))
    return max(1, min(needed, fit, most, MOST_FOLDS))


def bonus_of(networks: int) -> float:
    """What averaging so many networks is worth."""
    return NETWORKS_GAIN[min(networks, max(NETWORKS_GAIN))]


def is_exchangeable(scores: Scores, error_of: Callable[[float], float]) -> bool:
    """Whether the log's own validation rows look like any others.

    Where a log is split by time, rows of the same days as the training rows are easier: then other folds would choose
    what learns days by heart, and the log's own fold alone says what tomorrow needs.

    Args:
        scores: of one candidate on all folds.
        error_of: score → its standard error on the rows of one fold.
    """
    if len(scores) < 2:
        return True
    others = scores[1:]
    error = error_of(mean(scores)) * math.sqrt(1 + 1 / len(others))
    return abs(mean(others) - scores[0]) <= REACH * error


def mean(values: Sequence[float]) -> float:
    """The mean."""
    return statistics.fmean(values)
