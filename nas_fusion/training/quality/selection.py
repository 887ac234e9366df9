"""What "better" means: by which number validation chooses, and what decides between equals."""

from __future__ import annotations

from typing import NamedTuple

from nas_fusion.errors import TrainingError


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
        raise TrainingError(
            "choosing by gauc needs groups (--group COLUMN), and one of them with both classes in the validation rows"
        )
    return Rank(gauc, -logloss)
