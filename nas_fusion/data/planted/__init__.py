"""Planted logs: clicks drawn from a design of the fusion space, so that the best design is known.

`PlantedLog` is the log and names its teacher, `planted_truth` says how good a model can be there and what each
connection and operation of the teacher is worth. Nothing here knows how a log is read or what a model is.
"""

from nas_fusion.data.planted.planted_log import (
    Change,
    PlantedLog,
    Truth,
    expected_auc,
    planted_auc,
    planted_form,
    planted_truth,
)
from nas_fusion.data.planted.teacher_network import TeacherNetwork
from nas_fusion.data.planted.teachers import TEACHERS, Teacher, at_levels

__all__ = [
    "TEACHERS",
    "Change",
    "PlantedLog",
    "Teacher",
    "TeacherNetwork",
    "Truth",
    "at_levels",
    "expected_auc",
    "planted_auc",
    "planted_form",
    "planted_truth",
]
