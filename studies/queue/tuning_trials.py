"""Tuning one strategy's hyperparameters: an Optuna study, shared by any number of processes.

The *slot* of a trial, 0, 1, …, is its place in the tuning; it decides on its random numbers. Slot 0 is the defaults. A
trial whose process died leaves its slot free for another, so that a tuning that was killed and goes on proposes what an
undisturbed one would have proposed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.pruners import MedianPruner
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas_fusion.errors import StudyError
from nas_fusion.studies.setup.announcements import tuning_name
from nas_fusion.studies.setup.hyperparameters import TuningResult
from nas_fusion.studies.storage.leases import DIED, Watch, declare_dead, give_back, held_or_given_back, storage_id
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.system.seals import digest

STARTUP_TRIALS = 6
"""Trials at random (the first: the defaults) before the estimator and the pruner take over."""

AUC = "auc"
"""By what trials are compared, unless the recipe says otherwise."""

_SLOT, _SEAL = "nas-fusion:slot", "nas-fusion:sha256"
_SELECT = "nas-fusion:select"
"""Of the study: by what its trials are compared, where that is not the AUC."""

_VALID_AUC = "valid_auc"
"""Of a trial: its AUC, where that is not its value."""

_REOPENED = "nas-fusion:reopened"
"""Of the study: the number of the trial with which it began again."""


@dataclass(frozen=True)
class TuningClaim:
    """A trial that this process has taken.

    Args:
        trial: Optuna's.
        trial_id: the storage's number of it.
        slot: its place in the tuning.
        values: its hyperparameters.
    """

    trial: optuna.Trial
    trial_id: int
    slot: int
    values: Mapping[str, Any]


class EndedTrial(NamedTuple):
    """A trial with an outcome: its slot and hyperparameters, how it ended, seconds, and what was kept of it.

    `valid_auc`: of its re-training, None if it did not come to its end; `reported`: step → what the pruner was told;
    `ended`: when, in seconds since 1970.
    """

    slot: int
    values: Mapping[str, Any]
    state: TrialState
    seconds: float
    attributes: Mapping[str, Any]
    valid_auc: float | None = None
    reported: Mapping[int, float] = MappingProxyType({})
    ended: float = 0.0


@dataclass
class Tuning:
    """The trials of one tuning in Optuna's storage.

    Args:
        storage: Optuna's storage.
        study_name: the comparison's or tuning's name.
        strategy: what is tuned.
        distributions: where each hyperparameter may lie.
        defaults: what the first trial tries.
        trials: how many, failed ones included.
        seed: of the proposals.
        search_steps: the most steps that a search takes: epochs of a supernet, or candidates.
        select: by what trials are compared, one of `nas_fusion.bounds.SELECTIONS`; one that has begun by the AUC goes
            on by it.
        watch: notices dead processes.
        starts: what is tried behind the defaults, in this order, in place of trials at random.
    """

    storage: BaseStorage
    study_name: str
    strategy: str
    distributions: Mapping[str, BaseDistribution]
    defaults: Mapping[str, Any]
    trials: int
    seed: int
    search_steps: int
    watch: Watch = field(default_factory=Watch)
    select: str = AUC
    starts: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        self.study = open_study(self.storage, tuning_name(self.study_name, self.strategy))
        self._keep_ranges()
        self._keep_selection()
        # A search, and a re-training's first epoch, say little about how the re-training ends.
        warmup = self.search_steps + 2
        self.study.pruner = MedianPruner(n_startup_trials=STARTUP_TRIALS - 1, n_warmup_steps=warmup, n_min_trials=3)

    def _keep_ranges(self) -> None:
        """A tuning goes on over the ranges with which it began, whatever later versions offer."""
        begun = [t.distributions for t in self._used(running=False) if t.system_attrs.get(_SLOT) == 0]
        if begun and begun[0]:
            self.distributions = begun[0]
            self.defaults = {name: value for name, value in self.defaults.items() if name in begun[0]}

    def _keep_selection(self) -> None:
        """Values of one tuning have to be of one kind; before this was chosen, they were AUCs."""
        kept = self.study.user_attrs.get(_SELECT, AUC if self._used() else self.select)
        if kept != self.select:
            self.select = kept
        elif kept != AUC and _SELECT not in self.study.user_attrs:
            self.study.set_user_attr(_SELECT, kept)

    def finished(self) -> bool:
        """Whether every slot has an outcome."""
        return len(self._used(running=False)) >= self.trials

    def claim(self) -> TuningClaim | None:
        """Start the next trial; None if none is left to start."""
        for dead in self.watch.dead(self.study):
            declare_dead(self.storage, storage_id(self.storage, self.study, dead.number))
        if len(self._used()) >= self.trials:
            return None
        trial = self.study.ask()
        trial_id = storage_id(self.storage, self.study, trial.number)
        slot = self._free_slot(trial.number)
        self.storage.set_trial_system_attr(trial_id, _SLOT, slot)
        if slot >= self.trials:  # another process took the last one at the same moment
            give_back(self.storage, trial_id)
            return None
        self.study.sampler = self._sampler(slot)
        values = {name: suggest(trial, name, where) for name, where in self.distributions.items()}
        return TuningClaim(trial, trial_id, slot, values)

    def holding(self, claim: TuningClaim) -> AbstractContextManager[None]:
        """A context in which others see that this process runs the trial; what it does not finish is given back."""
        return held_or_given_back(self.storage, claim.trial_id)

    def finish(
        self, claim: TuningClaim, valid_auc: float, attributes: Mapping[str, Any], score: float | None = None
    ) -> None:
        """The trial is done.

        Args:
            claim: which one.
            valid_auc: of its re-training.
            attributes: what else is kept of it.
            score: what decides instead of the AUC, the larger the better; None by the AUC.
        """
        value, told = (valid_auc, {}) if score is None else (score, {_VALID_AUC: valid_auc})
        seal = _seal(claim.slot, claim.trial.params, value, *told.values())
        self._end(claim, TrialState.COMPLETE, {**attributes, **told, _SEAL: seal}, value)

    def prune(self, claim: TuningClaim, attributes: Mapping[str, Any]) -> None:
        """The trial was stopped early; Optuna takes its last report as its value."""
        self._end(claim, TrialState.PRUNED, attributes)

    def fail(self, claim: TuningClaim, reason: str) -> None:
        """The trial cannot be trained; it keeps its slot."""
        self._end(claim, TrialState.FAIL, {"error": reason})

    def ended(self) -> list[EndedTrial]:
        """The trials with an outcome, in the order of their slots.

        Raises:
            StudyError: one was changed in the storage since it ended.
        """
        trials = sorted(self._used(running=False), key=_slot)
        for trial in trials:
            self._check(trial)
        return [_ended(trial) for trial in trials]

    def counts(self) -> tuple[int, int, int]:
        """Trials with an outcome; those of them that were pruned; that failed."""
        ended = self._used(running=False)
        states = [t.state for t in ended]
        return len(ended), states.count(TrialState.PRUNED), states.count(TrialState.FAIL)

    def result(self) -> TuningResult | None:
        """The outcome so far; None without a completed trial.

        Raises:
            StudyError: a trial was changed in the storage since it ended.
        """
        ended = self._used(running=False)
        complete = [t for t in ended if t.state == TrialState.COMPLETE and t.value is not None]
        for trial in complete:
            self._check(trial)
        if not complete:
            return None
        best = max(complete, key=lambda t: (t.value, -t.number))
        defaults = [_valid_auc(t) for t in complete if t.system_attrs.get(_SLOT) == 0]
        number, pruned, failed = self.counts()
        return TuningResult(
            values=best.params,
            valid_auc=_valid_auc(best),
            default_valid_auc=defaults[0] if defaults else None,
            trials=number,
            pruned=pruned,
            failed=failed,
            seconds=sum(_seconds(t) for t in ended),
            samples=sum(int(t.user_attrs.get("samples", 0)) for t in ended),
        )

    def _check(self, trial: FrozenTrial) -> None:
        seal, told = trial.user_attrs.get(_SEAL), [trial.user_attrs[n] for n in (_VALID_AUC,) if n in trial.user_attrs]
        if seal is not None and seal != _seal(trial.system_attrs.get(_SLOT), trial.params, trial.value, *told):
            raise StudyError(
                f"the storage is damaged: trial {trial.number} of {self.study.study_name!r} was changed since it ended"
            )

    def problem(self) -> str:
        """Why the last trial that failed did so; empty if none has failed."""
        reasons = [str(t.user_attrs.get("error", "")) for t in self._used(running=False) if t.state == TrialState.FAIL]
        return reasons[-1] if reasons else ""

    def reopen(self) -> None:
        """Let a tuning begin again of which every trial has failed: its strategy may have been mended."""
        if self.finished() and self.result() is None:
            self.study.set_user_attr(_REOPENED, len(self.study.get_trials(deepcopy=False)))

    def _end(
        self, claim: TuningClaim, state: TrialState, attributes: Mapping[str, Any], value: float | None = None
    ) -> None:
        try:
            for name, attribute in attributes.items():
                claim.trial.set_user_attr(name, attribute)
            self.study.tell(claim.trial, value, state=state)
        except UpdateFinishedTrialError:
            return  # taken for dead meanwhile: another process has the slot now

    def _used(self, *, running: bool = True) -> list[FrozenTrial]:
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        trials = self.study.get_trials(deepcopy=False, states=(*states, TrialState.RUNNING) if running else states)
        first = self.study.user_attrs.get(_REOPENED, 0)
        return [t for t in trials if t.number >= first and not t.system_attrs.get(DIED)]

    def _free_slot(self, number: int) -> int:
        taken = {t.system_attrs.get(_SLOT) for t in self._used() if t.number != number}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def _sampler(self, slot: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self.seed, slot]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            first = (self.defaults, *self.starts)
            if slot < len(first):
                return PartialFixedSampler(dict(first[slot]), RandomSampler(seed=seed))
            # Trials that others still run count as bad ones, so that two processes do not try the same.
            startup = len(first) if self.starts else STARTUP_TRIALS
            return TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)


def _seal(slot: Any, params: Mapping[str, Any], value: float | None, valid_auc: float | None = None) -> str:
    """Of a trial that something else than its AUC decided on, the AUC as well."""
    told = {} if valid_auc is None else {_VALID_AUC: valid_auc}
    return digest({"slot": slot, "params": dict(params), "value": value, **told})


def _ended(trial: FrozenTrial) -> EndedTrial:
    valid_auc = _valid_auc(trial) if trial.state == TrialState.COMPLETE else None
    over = trial.datetime_complete.timestamp() if trial.datetime_complete else 0.0
    kept = dict(trial.user_attrs)
    told = dict(trial.intermediate_values)
    return EndedTrial(_slot(trial), dict(trial.params), trial.state, _seconds(trial), kept, valid_auc, told, over)


def _slot(trial: FrozenTrial) -> int:
    return int(trial.system_attrs[_SLOT])


def _seconds(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def _valid_auc(trial: FrozenTrial) -> float:
    return float(trial.user_attrs.get(_VALID_AUC, trial.value or 0.0))


def suggest(trial: optuna.Trial, name: str, where: BaseDistribution) -> Any:
    """A trial's value for a hyperparameter."""
    if isinstance(where, FloatDistribution):
        return trial.suggest_float(name, where.low, where.high, step=where.step, log=where.log)
    if isinstance(where, IntDistribution):
        return trial.suggest_int(name, where.low, where.high, step=where.step, log=where.log)
    assert isinstance(where, CategoricalDistribution), where
    return trial.suggest_categorical(name, where.choices)
