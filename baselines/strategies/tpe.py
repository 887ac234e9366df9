"""TPE: Optuna's sampler over the fusion space, as an NNI strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import FloatDistribution

from nas_fusion.bounds import SHARE
from nas_fusion.nni_bridge import DrawsSamples, ModelStatus, Strategy, nni
from nas_fusion.strategy import BuildContext, StrategyEntry

CONSTANT_AUC = 0.5
"""AUC of a model that ignores its features: what an illegal design would reach."""

_MAX_REFUSED = 10_000

REFUSED_IN_A_ROW = 50


@nni.trace
class FusionTPE(Strategy):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) by Optuna, one candidate at a time.

    An illegal proposal costs nothing: it is a constant model, whose AUC is known to be .5, and is told so. One above
    the limits of the space is told .5 too; after `REFUSED_IN_A_ROW` of them the next proposal is an affordable design
    drawn at random, so that the estimator has something to learn from where limits leave few designs.

    Args:
        seed: of the sampler.
        startup: candidates drawn at random before the estimator takes over.
    """

    def __init__(self, seed: int, startup: int = 4) -> None:
        super().__init__()
        self.seed, self.startup = seed, startup
        self._given: list[dict[str, Any]] = []

    def take_up(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Try these first; they count among those that are drawn at random."""
        self._given += [dict(sample) for sample in samples]

    def _run(self) -> None:
        study = self._new_study()
        choices: dict[str, optuna.distributions.BaseDistribution] = {
            label: optuna.distributions.CategoricalDistribution(mutable.values)
            for label, mutable in self.model_space.simplify().items()
        }
        draws = self.model_space if isinstance(self.model_space, DrawsSamples) else None
        random_state = np.random.RandomState(self.seed)
        for sample in self._given:
            study.enqueue_trial(sample)
        refused = in_a_row = 0
        while refused < _MAX_REFUSED and self.wait_for_resource():
            affordable = draws.draw(random_state) if draws is not None and in_a_row >= REFUSED_IN_A_ROW else None
            if affordable is not None:
                study.enqueue_trial(affordable)
            trial = study.ask(choices)
            if not self.model_space.contains(trial.params):
                refused, in_a_row = refused + 1, in_a_row + 1
                # Told, not only drawn again: the estimator learns where nothing is to be found.
                study.tell(trial, CONSTANT_AUC)
                continue
            in_a_row = 0
            self._try(study, trial)
            study = self._up_to_date(study)

    def _new_study(self, sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
        sampler = sampler or optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=self.startup)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would print that a study was created
        try:
            return optuna.create_study(direction="maximize", sampler=sampler)
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _up_to_date(self, study: optuna.Study) -> optuna.Study:
        """The study from which the next candidate is proposed."""
        return study

    def _try(self, study: optuna.Study, trial: optuna.Trial) -> None:
        model: Any = self.model_space.freeze(dict(trial.params))
        self.engine.submit_models(model)
        self.engine.wait_models(model)
        self._tell(study, trial, model)

    def _tell(self, study: optuna.Study, trial: optuna.Trial, model: Any) -> None:
        if model.status == ModelStatus.Trained and model.metric is not None and math.isfinite(model.metric):
            study.tell(trial, float(model.metric))
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)


def startup_for(context: BuildContext, startup_share: float) -> int:
    """Candidates that are drawn at random, under a budget."""
    return max(2, round(startup_share * context.candidates))


def _tpe(context: BuildContext, startup_share: float) -> FusionTPE:
    return FusionTPE(seed=context.seed, startup=startup_for(context, startup_share))


TPE_ENTRY = StrategyEntry(
    "tpe",
    "multi-trial",
    "tree-structured Parzen estimator (Optuna's TPESampler)",
    _tpe,
    parameters={"startup_share": 0.4},
    bounds={"startup_share": SHARE},
    distributions=lambda: {"startup_share": FloatDistribution(0.1, 0.8)},
)
