"""How well clicks are ranked above the rest: AUC, AUC within groups, area under precision and recall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.statistics import Sample
from nas_fusion.training.quality.predictions import Predictions


def auc(found: Predictions) -> float:
    """Area under the ROC curve: how often a click is above a row without one, ties counting half; each pair by the
    product of its rows' weights."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(found.labels, found.logits, sample_weight=found.weights))


def pr_auc(found: Predictions) -> float:
    """Average precision: ``Σ (R_n - R_{n-1}) P_n`` over the thresholds, without interpolation (scikit-learn's)."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(found.labels, found.logits, sample_weight=found.weights))


def grouped_auc(found: Predictions) -> float | None:
    """The mean of the groups' AUCs, each by the weight of its rows (Zhu et al., KDD 2017: GAUC, by impressions).

    Groups in which every row that counts is of one class have no AUC and do not count. None: there are no groups, or
    none has an AUC.
    """
    groups = group_aucs(found)
    return None if groups is None else groups.mean


def group_aucs(found: Predictions) -> Sample | None:
    """The AUCs of the groups that have one, with the weights of their rows ``[group]``, in the order of their codes.

    None: there are no groups, or none has an AUC.
    """
    if found.groups is None:
        return None
    groups = np.unique(found.groups, return_inverse=True)[1]
    order = np.lexsort((found.logits, groups))
    groups, logits = groups[order], found.logits[order]
    weights, labels = found.row_weights[order], found.labels[order]
    positive, negative = weights * labels, weights * (1 - labels)
    # Rows of one group with the same logit are one block: they are tied.
    block = _starts(np.flatnonzero((np.diff(groups) != 0) | (np.diff(logits) != 0)))
    group = _starts(np.flatnonzero(np.diff(groups)))
    won = _pairs_won(np.add.reduceat(positive, block), np.add.reduceat(negative, block), np.searchsorted(block, group))
    clicks, rest = np.add.reduceat(positive, group), np.add.reduceat(negative, group)
    both = (clicks > 0) & (rest > 0)
    if not both.any():
        return None
    return Sample(won[both] / (clicks * rest)[both], (clicks + rest)[both])


def _starts(ends: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Where runs start, from where all but the last one end."""
    return np.concatenate([np.zeros(1, np.intp), ends + 1])


def _pairs_won(
    positive: npt.NDArray[np.float64], negative: npt.NDArray[np.float64], first: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Per group the weight of its pairs whose click is ahead, ties half.

    Args:
        positive, negative: weight of the clicks and of the other rows of every block of ties, ascending ``[block]``.
        first: the first block of every group ``[group]``.
    """
    total = np.cumsum(negative) - negative
    sizes = np.diff(np.append(first, len(negative)))
    below = total - np.repeat(total[first], sizes)  # of the same group
    return np.asarray(np.add.reduceat(positive * (below + 0.5 * negative), first))
