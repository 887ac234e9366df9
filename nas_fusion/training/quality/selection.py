"""What "better" means: by which number validation chooses, and what decides between equals."""

from __future__ import annotations

from typing import NamedTuple

from nas_fusion.errors import TrainingError
from nas_fusion.statistics import Sample, auc_samples
from nas_fusion.training.quality.calibration import row_losses
from nas_fusion.training.quality.predictions import Predictions
from nas_fusion.training.quality.ranking import group_aucs


class Rank(NamedTuple):
    """How good a model is; the larger, the better. `tie` decides between models of equal `score`."""

    score: float
    tie: float


def rank_of(select: str, auc: float, logloss: float, gauc: float | None) -> Rank:
    """Rank a model by what validation found.

    Args:
        select: one of `nas_fusion.bounds.SELECTIONS`.
        auc, logloss, gauc: of the model; `gauc` is None without groups.

    Raises:
        TrainingError: by ``gauc``, where there is none.
    """
    if select == "logloss":
        return Rank(-logloss, auc)
    if select == "auc":
        return Rank(auc, -logloss)
    if gauc is None:
        raise _without_groups()
    return Rank(gauc, -logloss)


def samples_of(select: str, found: Predictions) -> list[Sample]:
    """What validation chooses by, as samples of rows, or of groups: for the error of a difference (`rows_error`).

    Args:
        select: one of `nas_fusion.bounds.SELECTIONS`.
        found: of a model on the validation rows.

    Raises:
        TrainingError: by ``gauc``, where there is none.
    """
    if select == "logloss":
        return [Sample.of(-row_losses(found), found.row_weights)]
    if select == "auc":
        return auc_samples(found.labels, found.logits, found.weights)
    groups = group_aucs(found)
    if groups is None:
        raise _without_groups()
    return [groups]


def _without_groups() -> TrainingError:
    return TrainingError(
        "choosing by gauc needs groups (--group COLUMN), and one of them with both classes in the validation rows"
    )
