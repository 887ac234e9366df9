"""The area under the ROC curve, without scikit-learn's slow import."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float:
    """The probability that a positive scores above a negative, ties counting half.

    Args:
        labels: 0 or 1, both present.
        scores: one number per label.
    """
    _, position, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[position]  # mean rank of equal scores
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))
