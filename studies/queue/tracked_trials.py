"""The trials of a tuning, each as a run of a tracker."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from nas_fusion.studies.queue.tuning_trials import EndedTrial, Tuning
from nas_fusion.studies.queue.workplace import Workplace
from nas_fusion.tracking import Telling, ToldCells, TrackedRun, TrackedStudy, Validation

TUNING = "tuning"


class TrackedTuning:
    """Tells the trackers of a tuning's settings of its trials: of each once, whichever process has run it.

    Args:
        place: of the tuning.
        tuning: its trials.
    """

    def __init__(self, place: Workplace, tuning: Tuning) -> None:
        self._place, self._tuning = place, tuning

    def tell(self) -> None:
        """Tell of the trials that have ended since the last time.

        Raises:
            WriteError: who was told cannot be written down.
        """
        if self._place.assembly.settings.track:
            for trial in self._tuning.ended():
                self._telling.tell_run(tracked_trial(self._tuning.strategy, trial))

    @cached_property
    def _telling(self) -> Telling:
        study, assembly = self._place.folder, self._place.assembly
        told = ToldCells(study.tracked)
        tags = {"log": assembly.settings.source, "fingerprint": assembly.dataset.fingerprint}
        tracked = TrackedStudy(study.name, told.identifier, study.path, tags)
        return Telling(assembly.settings.track, tracked, told, study.cell)


def tracked_trial(strategy: str, trial: EndedTrial) -> TrackedRun:
    """A trial that has ended: its hyperparameters, how it went, and, if it was trained to the end, its AUC."""
    parameters: Mapping[str, Any] = {"strategy": strategy, "trial": trial.slot, **trial.values}
    figures = {} if trial.valid_auc is None else {"valid_auc": trial.valid_auc}
    points = tuple(Validation(step, 0.0, value) for step, value in sorted(trial.reported.items()))
    return TrackedRun(
        name=f"{strategy}-trial-{trial.slot}",
        parameters=parameters,
        figures={**figures, "seconds": trial.seconds},
        curves={TUNING: points} if points else {},
        ended=trial.ended,
        seconds=trial.seconds,
        tags={"kind": TUNING, "state": trial.state.name.lower()},
    )
