"""Searches whose candidates are trained by rungs: asynchronous successive halving of what other strategies propose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution

from nas_fusion.baselines.strategies.nni_candidates import EVOLUTION_ENTRY, evolution_of
from nas_fusion.baselines.strategies.tpe import TPE_ENTRY, FusionTPE, startup_for
from nas_fusion.bounds import REDUCTION_FACTOR, RUNGS, Rule
from nas_fusion.nni_bridge import MendedEvolution, Random
from nas_fusion.strategy import BuildContext, StrategyEntry
from nas_fusion.strategy.abilities import Halving


class HalvedRandom(Random):
    """Random candidates by rungs: ASHA (Li et al., MLSys 2020), in NNI's random order.

    Args:
        halving: the rungs.
        seed: of the proposals.
    """

    def __init__(self, halving: Halving, seed: int) -> None:
        super().__init__(seed=seed)
        self.halving = halving


class HalvedEvolution(MendedEvolution):
    """Regularised evolution whose candidates are trained by rungs; one that goes on is worth what it has become.

    Args:
        halving: the rungs.
        options: of NNI's `RegularizedEvolution`.
    """

    def __init__(self, halving: Halving, **options: Any) -> None:
        super().__init__(**options)
        self.halving = halving

    def _training_end_callback(self, event: Any) -> None:
        if event.model in self._running_models:
            super()._training_end_callback(event)
            return
        # It went on. Its age stays what it was; it may have left the population.
        for individual in self._population:
            if individual.x is event.model.sample and event.model.metric is not None:
                individual.y = event.model.metric


class HalvedTPE(FusionTPE):
    """TPE whose candidates are trained by rungs; the estimator knows each by the best of its training so far.

    Args:
        halving: the rungs.
        seed, startup: as of `FusionTPE`.
    """

    def __init__(self, halving: Halving, seed: int, startup: int = 4) -> None:
        super().__init__(seed=seed, startup=startup)
        self.halving = halving
        self._told: dict[int, Any] = {}

    def _tell(self, study: optuna.Study, trial: optuna.Trial, model: Any) -> None:
        super()._tell(study, trial, model)
        self._told[trial.number] = model

    def _up_to_date(self, study: optuna.Study) -> optuna.Study:
        """The study itself, or another one where a candidate has gone on: Optuna changes no finished trial."""
        trials = study.get_trials(deepcopy=False)
        values = {trial.number: self._value_of(trial) for trial in trials}
        if all(values[trial.number] == trial.value for trial in trials):
            return study
        again = self._new_study(study.sampler)
        again.add_trials([
            trial if values[trial.number] == trial.value else optuna.trial.create_trial(
                params=trial.params, distributions=trial.distributions, value=values[trial.number]
            )
            for trial in trials
        ])  # fmt: skip
        return again

    def _value_of(self, trial: optuna.trial.FrozenTrial) -> float | None:
        """What a trial's candidate is worth now."""
        model = self._told.get(trial.number)
        metric = None if model is None else model.metric
        if trial.value is None or metric is None or not math.isfinite(metric):
            return trial.value
        return float(metric)


def _asha(context: BuildContext, reduction_factor: int, rungs: int) -> HalvedRandom:
    return HalvedRandom(Halving(reduction_factor, rungs), seed=context.seed)


def _evolution_asha(context: BuildContext, reduction_factor: int, rungs: int, **options: Any) -> HalvedEvolution:
    return HalvedEvolution(Halving(reduction_factor, rungs), **evolution_of(context, **options))


def _tpe_asha(context: BuildContext, reduction_factor: int, rungs: int, startup_share: float) -> HalvedTPE:
    return HalvedTPE(Halving(reduction_factor, rungs), context.seed, startup_for(context, startup_share))


_PARAMETERS = {"reduction_factor": Halving.reduction_factor, "rungs": Halving.rungs}
_BOUNDS: Mapping[str, Rule] = {"reduction_factor": REDUCTION_FACTOR, "rungs": RUNGS}


def _distributions() -> dict[str, BaseDistribution]:
    return {"reduction_factor": IntDistribution(2, 4), "rungs": IntDistribution(1, 4)}


def _halved(entry: StrategyEntry, name: str, summary: str, build: Any) -> StrategyEntry:
    """The entry of a strategy that proposes as another one does."""
    return StrategyEntry(
        name,
        "multi-trial",
        summary,
        build,
        parameters={**entry.parameters, **_PARAMETERS},
        bounds={**entry.bounds, **_BOUNDS},
        distributions=lambda: {**entry.distributions(), **_distributions()},
    )


ASHA_ENTRY = StrategyEntry(
    "asha",
    "multi-trial",
    "random candidates, the best of which are trained on (asynchronous successive halving)",
    _asha,
    parameters=_PARAMETERS,
    bounds=_BOUNDS,
    distributions=_distributions,
)

EVOLUTION_ASHA_ENTRY = _halved(
    EVOLUTION_ENTRY,
    "evolution-asha",
    "regularised evolution, the best candidates of which are trained on",
    _evolution_asha,
)

TPE_ASHA_ENTRY = _halved(
    TPE_ENTRY, "tpe-asha", "tree-structured Parzen estimator, the best candidates of which are trained on", _tpe_asha
)
