"""Trackers: MLflow, TensorBoard and Weights & Biases are told of every finished cell, each behind an extra of its own;
of searches, re-trainings and tuning trials by themselves, too.

They are told after a cell has ended, so that a slow one is in no clock, and of what its record says, so that it does
not matter which process computed it. Nothing that a tracker does changes a number, and one that fails is warned of and
left out.
"""

from nas_fusion.tracking.known_trackers import check_trackers
from nas_fusion.tracking.telling import Telling, tell_once
from nas_fusion.tracking.told_cells import ToldCells
from nas_fusion.tracking.tracked_cell import (
    RETRAIN,
    SEARCH,
    Tracked,
    TrackedCell,
    TrackedRun,
    TrackedStudy,
    Tracker,
    Validation,
    parameters_of,
    validations,
)

__all__ = [
    "RETRAIN",
    "SEARCH",
    "Telling",
    "ToldCells",
    "Tracked",
    "TrackedCell",
    "TrackedRun",
    "TrackedStudy",
    "Tracker",
    "Validation",
    "check_trackers",
    "parameters_of",
    "tell_once",
    "validations",
]
