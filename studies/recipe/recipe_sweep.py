"""A sweep in Optuna's storage: one training after the other, by whichever process comes first.

The *slot* of a trial, 0, 1, …, is its place in the sweep; it decides on what is tried and on its random numbers. Slot 0
is the usual recipe. One process trains, the others wait; a trial whose process died leaves its slot to
another, so that a sweep that was killed and goes on chooses what an undisturbed one would have chosen.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas_fusion.errors import StudyError
from nas_fusion.records import ChosenRecipe, TriedRecipe
from nas_fusion.statistics import difference_error, paired_error
from nas_fusion.studies.queue.tuning_trials import AUC, suggest
from nas_fusion.studies.recipe.swept_values import SweptValues
from nas_fusion.studies.storage.leases import DIED, Watch, declare_dead, give_back, held_or_given_back, storage_id
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.system.seals import digest

MOST_TRIALS = 40
"""Of a sweep, whatever its passes allow: the best of many trials is the luckiest one."""

SHARE_OF_ONE, FEWEST_EPOCHS = 0.25, 6
"""No training takes more than this share of the sweep's passes, but always so many epochs: a first one that learns
slowly would leave nothing for others."""

RUNG = 2
"""Epochs between two looks at whether a training can still reach the best one."""

_SLOT, _SEAL, _TRIED = "nas-fusion:slot", "nas-fusion:sha256", "tried"
_WIDTHS, _CHOSEN = "nas-fusion:widths", "nas-fusion:chosen"


def recipe_name(study: str) -> str:
    """What a comparison's sweep is called in the storage."""
    return f"{study} / recipe"


def is_behind(scores: Sequence[float], best: float, epochs: int) -> bool:
    """Whether a training cannot reach the best one any more, going on as it did between the last two rungs.

    Regularised models begin slowly and end high, so what counts is not where a training is but where it may end.

    Args:
        scores: what validation chooses by after every epoch, the larger the better.
        best: of the trainings that have ended.
        epochs: the most that there will be.
    """
    if len(scores) % RUNG or len(scores) < 2 * RUNG or len(scores) >= epochs:
        return False
    now, before = max(scores), max(scores[:-RUNG])
    return now + (now - before) / RUNG * (epochs - len(scores)) < best


@dataclass
class OutOfReach(BasePruner):
    """Stops trainings that are behind (`is_behind`).

    Args:
        epochs: the most of a training.
    """

    epochs: int

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """See `optuna.pruners.BasePruner`."""
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        best = max((t.value for t in ended if t.value is not None), default=None)
        scores = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
        return best is not None and is_behind(scores, best, self.epochs)


@dataclass(frozen=True)
class SweepClaim:
    """A training that this process has taken.

    Args:
        trial: Optuna's.
        trial_id: the storage's number of it.
        slot: its place in the sweep.
        values: what is tried.
        epochs: the most that it may take.
        select: what decides, one of `nas_fusion.bounds.SELECTIONS`.
    """

    trial: optuna.Trial
    trial_id: int
    slot: int
    values: Mapping[str, Any]
    epochs: int
    select: str = AUC


@dataclass
class RecipeSweep:
    """The trainings of one sweep in Optuna's storage.

    Args:
        storage: Optuna's storage.
        study_name: the comparison's name.
        reference: on what recipes are tried.
        swept: what may be changed.
        allowed: passes over the training rows.
        valid: positive and negative validation rows.
        note: why nothing is to be tried; empty if something is.
        watch: notices dead processes.
    """

    storage: BaseStorage
    study_name: str
    reference: str
    swept: SweptValues
    allowed: float
    valid: tuple[float, float]
    note: str = ""
    watch: Watch = field(default_factory=Watch)

    @cached_property
    def study(self) -> optuna.Study:
        """Optuna's; it is made where there is something to try."""
        study = open_study(self.storage, recipe_name(self.study_name))
        study.pruner = OutOfReach(self.longest)
        return study

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be tried at all."""
        return bool(self.note) or not self.swept.names

    @property
    def longest(self) -> int:
        """The most epochs of a training."""
        share = max(math.ceil(SHARE_OF_ONE * self.allowed), FEWEST_EPOCHS)
        return min(share, self.swept.settings.recipe.retrain_epochs)

    def publish(self, known: ChosenRecipe | None) -> None:
        """Say what every process has to know: which widths fit the coordinator, and what was chosen before, if it was.

        Args:
            known: what an earlier sweep of this comparison has chosen.
        """
        if self.is_idle:
            return
        attributes = self.study.user_attrs
        if _WIDTHS not in attributes:
            self.study.set_user_attr(_WIDTHS, self.swept.widths())
        if known is not None and _CHOSEN not in attributes:
            self.study.set_user_attr(_CHOSEN, asdict(known))

    def finished(self) -> bool:
        """Whether there is nothing left to try."""
        if self.is_idle or _CHOSEN in self.study.user_attrs:
            return True
        ended = self._ended()
        return len(ended) >= MOST_TRIALS or self._epochs_left(ended) < 1

    def claim(self) -> SweepClaim | None:
        """Start the next training; None if there is none, or another process trains."""
        if self.is_idle:
            return None
        for dead in self.watch.dead(self.study):
            declare_dead(self.storage, storage_id(self.storage, self.study, dead.number))
        if self._running() or self.finished():
            return None
        trial = self.study.ask()
        trial_id = storage_id(self.storage, self.study, trial.number)
        # Of two processes that come at the same moment the first has the lower number.
        if any(other.number < trial.number for other in self._running()) or self.finished():
            give_back(self.storage, trial_id)
            return None
        ended = self._ended()
        slot = len(ended)
        self.storage.set_trial_system_attr(trial_id, _SLOT, slot)
        self.study.sampler = self._sampler(slot)
        where = self.swept.distributions(self.study.user_attrs.get(_WIDTHS, self.swept.widths()))
        values = {name: suggest(trial, name, distribution) for name, distribution in where.items()}
        return SweepClaim(trial, trial_id, slot, values, self._epochs_left(ended), self._select(ended))

    def holding(self, claim: SweepClaim) -> AbstractContextManager[None]:
        """A context in which others see that this process trains; what it does not finish is given back."""
        return held_or_given_back(self.storage, claim.trial_id)

    def finish(self, claim: SweepClaim, tried: TriedRecipe, error: str = "") -> None:
        """The training has ended, one way or another.

        Args:
            claim: which one.
            tried: how.
            error: why it could not be trained, if it could not.
        """
        state = {"behind": TrialState.PRUNED, "failed": TrialState.FAIL}.get(tried.ended, TrialState.COMPLETE)
        try:
            claim.trial.set_user_attr(_TRIED, asdict(tried))
            claim.trial.set_user_attr(_SEAL, _seal(claim.slot, asdict(tried)))
            if error:
                claim.trial.set_user_attr("error", error)
            self.study.tell(claim.trial, _score(tried) if state == TrialState.COMPLETE else None, state=state)
        except UpdateFinishedTrialError:
            return  # taken for dead meanwhile: another process has the slot now

    def passes(self) -> float:
        """Passes over the training rows so far."""
        return sum(self._tried(t).samples for t in self._ended()) / self.swept.train_rows

    def chosen(self) -> ChosenRecipe:
        """What has been found best so far.

        The usual recipe is taken unless another one is better by more than the standard error of such a difference:
        with few validation rows the best of many is the luckiest.

        Raises:
            StudyError: a trial was changed in the storage since it ended.
        """
        known = None if self.is_idle else self.study.user_attrs.get(_CHOSEN)
        if known is not None:
            return ChosenRecipe.from_dict(known)
        tried = () if self.is_idle else tuple(self._tried(trial) for trial in self._ended())
        compared = [one for one in tried if one.valid_auc is not None and one.ended != "behind"]
        best = max(compared, key=_score, default=None)  # the first of equal ones
        margin = 0.0 if not tried or tried[0] not in compared else self._margin(tried[0])
        is_better = best is not None and (not margin or _score(best) > _score(tried[0]) + margin)
        return ChosenRecipe(
            reference=self.reference,
            values=best.values if best is not None and is_better else self.swept.usual(),
            tried=tried,
            allowed=self.allowed,
            train_rows=self.swept.train_rows,
            margin=margin,
            note=self.note or self._why_own(tried, compared),
            select=_by(tried, self.swept.settings.recipe.select),
        )

    def _why_own(self, tried: Sequence[TriedRecipe], compared: Sequence[TriedRecipe]) -> str:
        if not self.swept.names:
            return "everything that a sweep chooses is given"
        if tried and not compared:
            return "nothing that was tried could be trained, so the usual recipe is taken"
        return ""

    def _margin(self, own: TriedRecipe) -> float:
        """How far another recipe may be better by chance.

        An AUC within groups is taken for one of all rows, which is the surer of both: the margin is then a small one.
        """
        if own.score_error is not None:
            return paired_error(own.score_error)
        return difference_error(_score(own), *self.valid)

    def _select(self, ended: Sequence[FrozenTrial]) -> str:
        """What decides: as the comparison says, but a sweep goes on by what it began with."""
        return _by([self._tried(trial) for trial in ended], self.swept.settings.recipe.select)

    def _running(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _ended(self) -> list[FrozenTrial]:
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        trials = self.study.get_trials(deepcopy=False, states=states)
        return [t for t in trials if not t.system_attrs.get(DIED) and _TRIED in t.user_attrs]

    def _epochs_left(self, ended: Sequence[FrozenTrial]) -> int:
        spent = sum(self._tried(trial).samples for trial in ended) / self.swept.train_rows
        return min(int(self.allowed - spent), self.longest)

    def _tried(self, trial: FrozenTrial) -> TriedRecipe:
        content = trial.user_attrs[_TRIED]
        if trial.user_attrs.get(_SEAL) != _seal(trial.system_attrs.get(_SLOT), content):
            raise StudyError(
                f"the storage is damaged: trial {trial.number} of {self.study.study_name!r} was changed since it ended"
            )
        return TriedRecipe(**content)

    def _sampler(self, slot: int) -> BaseSampler:
        starts = self.swept.starts()
        seed = int(np.random.SeedSequence([self.swept.settings.seeds[0], slot]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            if slot < len(starts):
                return PartialFixedSampler(starts[slot], RandomSampler(seed=seed))
            return TPESampler(seed=seed, n_startup_trials=1)


def _by(tried: Sequence[TriedRecipe], select: str) -> str:
    """By what trainings are compared, some of which may have been compared by the AUC, before that could be chosen."""
    return AUC if any(one.valid_auc is not None and one.score is None for one in tried) else select


def _score(tried: TriedRecipe) -> float:
    return (tried.valid_auc or 0.0) if tried.score is None else tried.score


def _seal(slot: Any, tried: Mapping[str, Any]) -> str:
    return digest({"slot": slot, "tried": dict(tried)})
