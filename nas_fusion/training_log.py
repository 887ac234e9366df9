"""Telling someone who watches what is being trained: trials with validations, a result and an end.

Searches, candidates and re-trainings tell a `TrialLog` what they do; where it shows them (NNI's web UI, or nowhere) is
not their business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from nas_fusion.architecture import Found

PHASES = ("search", "candidate", "re-train")
"""A one-shot search; the short training of one candidate of a multi-trial search; the training of a found design."""


class StoppedEarly(Exception):
    """Raised out of a `TrialLog` to end a training that is not worth going on (a tuning's pruner)."""


class Trial(Protocol):
    """One training that is going on."""

    def validated(self, valid_auc: float) -> None:
        """Tell of an epoch's validation AUC."""

    def found(self, design: Found) -> None:
        """Tell which design it is, where it was not known at the beginning (a one-shot search)."""

    def result(self, valid_auc: float | None, **more: float) -> None:
        """Tell the final validation AUC, and further figures by name; without a finite one the trial has failed."""


class TrialLog(Protocol):
    """Somebody who wants to be told."""

    def trial(self, phase: str, design: Found | None = None, **parameters: Any) -> AbstractContextManager[Trial]:
        """A training begins now and ends with the block; an exception out of the block is its failure.

        Args:
            phase: one of `PHASES`.
            design: what is trained, if known.
            parameters: whatever else describes it.
        """


class SilentTrial:
    """Nobody is told."""

    def validated(self, valid_auc: float) -> None:
        """Do nothing."""

    def found(self, design: Found) -> None:
        """Do nothing."""

    def result(self, valid_auc: float | None, **more: float) -> None:
        """Do nothing."""


class SilentLog:
    """Nobody is told."""

    @contextmanager
    def trial(self, phase: str, design: Found | None = None, **parameters: Any) -> Iterator[Trial]:
        """Do nothing."""
        yield SilentTrial()


class LabelledLog:
    """A log for one cell: every trial gets its parameters.

    Args:
        log: who is told.
        parameters: strategy, seed, …
    """

    def __init__(self, log: TrialLog, parameters: Mapping[str, Any]) -> None:
        self._log, self._parameters = log, dict(parameters)

    def trial(self, phase: str, design: Found | None = None, **parameters: Any) -> AbstractContextManager[Trial]:
        """A trial with the cell's parameters."""
        return self._log.trial(phase, design, **self._parameters, **parameters)
