"""What a pruner hears of a tuning trial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from nas_fusion.architecture import Found
from nas_fusion.studies.queue.tuning_trials import AUC, TuningClaim
from nas_fusion.training import EpochRecord
from nas_fusion.training_log import StoppedEarly, Training, TrainingLog


class TuningLog:
    """Reports a trial's validations to Optuna, and stops it when the pruner says so.

    Steps 1 … `search_steps` belong to the search (epochs of a supernet, or candidates by their best so far), those
    after them to the re-training, so that trials are compared at like stages.

    Args:
        claim: the trial.
        search_steps: the most steps that the search takes.
        log: who is told as well.
        select: by what trials are compared, one of `nas_fusion.bounds.SELECTIONS`. Trainings tell of AUCs only, so by
            anything else the search counts for nothing, and `retrained` has to be told of the re-training.
    """

    def __init__(self, claim: TuningClaim, search_steps: int, log: TrainingLog, select: str = AUC) -> None:
        self._claim, self._search_steps, self._log, self._select = claim, search_steps, log, select
        self._candidates, self._best_candidate = 0, 0.0

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: object) -> Iterator[Training]:
        """See `nas_fusion.training_log.TrainingLog`."""
        with self._log.training(phase, design, **parameters) as inner:
            yield _TuningTraining(self, phase, inner)

    def validated(self, phase: str, epoch: int, valid_auc: float) -> None:
        """An epoch of a search or a re-training."""
        if phase != "candidate" and self._select == AUC:
            self._report(min(epoch, self._search_steps) if phase == "search" else self._search_steps + epoch, valid_auc)

    def retrained(self, record: EpochRecord) -> None:
        """An epoch of the re-training, where something else than the AUC decides.

        Raises:
            StoppedEarly: it is worse than half of the trials.
        """
        if self._select != AUC:
            self._report(self._search_steps + record.epoch, record.rank(self._select).score)

    def candidate_ended(self, valid_auc: float | None) -> None:
        """The end of a candidate."""
        self._candidates += 1
        self._best_candidate = max(self._best_candidate, valid_auc or 0.0)
        # Candidates that are trained on are told of once more: behind the last step of a search there is none for them.
        if self._select == AUC and self._candidates <= self._search_steps:
            self._report(self._candidates, self._best_candidate)

    def _report(self, step: int, score: float) -> None:
        if not np.isfinite(score):
            return
        self._claim.trial.report(score, step)
        if self._claim.trial.should_prune():
            raise StoppedEarly(f"worse than half of the trials in epoch {step - self._search_steps} of the re-training")


class _TuningTraining:
    def __init__(self, log: TuningLog, phase: str, inner: Training) -> None:
        self._log, self._phase, self._inner, self._epoch = log, phase, inner, 0

    def validated(self, valid_auc: float, **more: float) -> None:
        """Pass it on."""
        self._inner.validated(valid_auc, **more)
        self._epoch += 1
        self._log.validated(self._phase, self._epoch, valid_auc)

    def derived(self, design: Found) -> None:
        """Pass it on."""
        self._inner.derived(design)

    def result(self, valid_auc: float | None, **more: float) -> None:
        """Pass it on."""
        self._inner.result(valid_auc, **more)
        if self._phase == "candidate":
            self._log.candidate_ended(valid_auc)
