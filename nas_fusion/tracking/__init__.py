"""Trackers: MLflow, TensorBoard and Weights & Biases are told of every finished cell, each behind an extra of its own.

They are told after a cell has ended, so that a slow one is in no clock, and of what its record says, so that it does
not matter which process computed it. Nothing that a tracker does changes a number, and one that fails is warned of and
left out.
"""

from nas_fusion.tracking.known_trackers import check_trackers
from nas_fusion.tracking.telling import Telling
from nas_fusion.tracking.told_cells import ToldCells
from nas_fusion.tracking.tracked_cell import TrackedCell, TrackedStudy, Tracker

__all__ = ["Telling", "ToldCells", "TrackedCell", "TrackedStudy", "Tracker", "check_trackers"]
