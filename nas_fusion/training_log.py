"""Telling someone who watches what is being trained: trainings with validations, a result and an end.

Searches, candidates and re-trainings tell a `TrainingLog` what they do; where it shows them (NNI's web UI, a tuning's
pruner, or nowhere) is not their business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, runtime_checkable

from nas_fusion.architecture import Found

PHASES = ("search", "candidate", "re-train")
"""A one-shot search; the short training of one candidate of a multi-trial search; the training of a found design."""


class StoppedEarly(Exception):
    """Raised out of a `TrainingLog` to end a training that is not worth going on (a tuning's pruner)."""


@runtime_checkable
class Training(Protocol):
    """One training that is going on."""

    def validated(self, valid_auc: float, **more: float) -> None:
        """Tell of an epoch's validation AUC, and of further figures by name."""

    def derived(self, design: Found) -> None:
        """Tell which design it is, where it was not known at the beginning (a one-shot search)."""

    def result(self, valid_auc: float | None, **more: float) -> None:
        """Tell the final validation AUC, and further figures by name; without a finite one the training has failed."""


@runtime_checkable
class TrainingLog(Protocol):
    """Somebody who wants to be told."""

    def training(
        self, phase: str, design: Found | None = None, **parameters: object
    ) -> AbstractContextManager[Training]:
        """A training begins now and ends with the block; an exception out of the block is its failure.

        Args:
            phase: one of `PHASES`.
            design: what is trained, if known.
            parameters: whatever else describes it.
        """


class SilentTraining:
    """Nobody is told."""

    def validated(self, valid_auc: float, **more: float) -> None:
        """Do nothing."""

    def derived(self, design: Found) -> None:
        """Do nothing."""

    def result(self, valid_auc: float | None, **more: float) -> None:
        """Do nothing."""


class SilentLog:
    """Nobody is told."""

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: object) -> Iterator[Training]:
        """Do nothing."""
        yield SilentTraining()


class LabelledLog:
    """A log for one cell: every training gets its parameters.

    Args:
        log: who is told.
        parameters: strategy, seed, …
    """

    def __init__(self, log: TrainingLog, parameters: Mapping[str, Any]) -> None:
        self._log, self._parameters = log, dict(parameters)

    def training(
        self, phase: str, design: Found | None = None, **parameters: object
    ) -> AbstractContextManager[Training]:
        """A training with the cell's parameters."""
        return self._log.training(phase, design, **self._parameters, **parameters)
