"""How fast trainings are on this machine, measured on a piece of the log; nothing of it changes a result."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from nas_fusion.search import Budget, model_to_train, run_search
from nas_fusion.studies.setup.jobs import Job
from nas_fusion.studies.timing.miniature import Miniature
from nas_fusion.training import FitResult, fit, seeded

EPOCHS = 3
"""Of a timed training; the first one warms up."""

PASSES = 2
"""Of a timed search through the piece of the log."""


@dataclass(frozen=True)
class Pace:
    """What a training takes.

    Args:
        start: seconds before its first batch and behind its last one.
        row: seconds per training row.
        valid_row: seconds per row of a validation.
    """

    start: float
    row: float
    valid_row: float

    def seconds(self, rows: float, valid_rows: float) -> float:
        """Of a training on so many rows, every pass counted, with validations of so many rows together."""
        return self.start + self.row * rows + self.valid_row * valid_rows


@dataclass(frozen=True)
class SearchPace:
    """What a search over a supernet takes.

    Args:
        row: seconds per sample of its budget, validations included.
    """

    row: float


def model_pace(job: Job, piece: Miniature) -> Pace:
    """Time a re-training of a reference's design on a piece of the log.

    Args:
        job: of the reference.
        piece: of the log.

    Raises:
        NasFusionError: it cannot be trained.
    """
    task = replace(job.task, data=piece.data, console=None)
    outcome = run_search(job.entry, task, job.parameters)
    config = replace(job.recipe, max_epochs=EPOCHS, patience=0)
    with seeded(config.seed):
        start = time.perf_counter()
        model = model_to_train(job.entry, outcome, task)
        result = fit(model, piece.data, config)
        seconds = time.perf_counter() - start
    return _pace_of(result, seconds, piece)


def _pace_of(result: FitResult, seconds: float, piece: Miniature) -> Pace:
    history = result.history
    ends = np.array([0.0, *(record.seconds for record in history)])
    validations = np.array([record.validation_seconds for record in history])
    trainings = np.diff(ends) - validations
    # The fastest of the epochs behind the first: what else the machine does only adds.
    row = max(0.0, float(trainings[1:].min())) / len(piece.data.train)
    valid_row = float(validations[1:].min()) / len(piece.data.valid)
    return Pace(max(0.0, seconds - float(ends[-1])), row, valid_row)


def search_pace(job: Job, piece: Miniature) -> SearchPace:
    """Time a search over a supernet.

    Args:
        job: of the strategy.
        piece: of the log.

    Raises:
        NasFusionError: nothing can be searched on a piece of the log.
    """
    rows = len(piece.data.train)
    task = replace(job.task, data=piece.data, console=None, budget=Budget(samples=PASSES * rows))
    start = time.perf_counter()
    outcome = run_search(replace(job.entry, patience=0), task, job.parameters)
    return SearchPace((time.perf_counter() - start) / max(outcome.samples, 1))


def whole_seconds(job: Job, piece: Miniature) -> float:
    """Time the fit of a reference that is fitted as a whole (boosted trees) on a piece of the log.

    Args:
        job: of the reference.
        piece: of the log.

    Raises:
        NasFusionError: it cannot be fitted.
    """
    task = replace(job.task, data=piece.data, console=None)
    start = time.perf_counter()
    job_on_piece = replace(job, task=task)
    job_on_piece.retrain(job_on_piece.search())
    return time.perf_counter() - start
