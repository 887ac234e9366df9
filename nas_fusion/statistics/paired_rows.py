"""Two models on the same rows: the standard error of the difference of their AUCs, or of their mean losses.

A figure is taken apart into independent samples of which it is a function that is linear in their means: an AUC into
the placements of the positive and of the negative rows (DeLong, DeLong and Clarke-Pearson, *Comparing the Areas under
Two or More Correlated Receiver Operating Characteristic Curves*, Biometrics 44, 1988; Sun and Xu 2014 for the fast
form), a mean loss into the losses of the rows. What two models have in common on a row then cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


class Sample(NamedTuple):
    """A figure's values on rows that were drawn independently of each other.

    `values`: one for each row ``[row]``; `weights`: how much each counts ``[row]``, not all of them 0.
    """

    values: Values
    weights: Values

    @classmethod
    def of(cls, values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Sample:
        """Of values of any numeric type; without weights all count the same."""
        found = np.asarray(values, np.float64)
        return cls(found, np.ones(len(found)) if weights is None else np.asarray(weights, np.float64))

    @property
    def mean(self) -> float:
        """By the weights."""
        return float(np.average(self.values, weights=self.weights))

    @property
    def error(self) -> float:
        """Standard error of the mean, ``√(n / (n - 1) Σ w² (v - mean)²) / Σ w``; infinite of fewer than two rows."""
        rows = int(np.count_nonzero(self.weights))
        if rows < 2:
            return math.inf
        squares = float(np.sum((self.weights * (self.values - self.mean)) ** 2))
        return math.sqrt(rows / (rows - 1) * squares) / float(self.weights.sum())


def auc_samples(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> list[Sample]:
    """The placements of an AUC, of the positive rows and of the negative ones; the mean of either is the AUC.

    A positive row's is the share of negative rows below it, a negative row's the share of positive rows above it; ties
    count half.

    Args:
        labels: 0 or 1 ``[row]``, some of each with a weight above 0.
        scores: the higher, the likelier a positive ``[row]``.
        weights: how much each row counts ``[row]``.
    """
    is_positive, found = np.asarray(labels) > 0, np.asarray(scores, np.float64)
    counted = np.ones(len(found)) if weights is None else np.asarray(weights, np.float64)
    (up, up_weights), (down, down_weights) = (
        (found[rows], counted[rows]) for rows in (is_positive, np.logical_not(is_positive))
    )
    return [
        Sample(_share_below(up, down, down_weights), up_weights),
        Sample(1 - _share_below(down, up, up_weights), down_weights),
    ]


def _share_below(scores: Values, others: Values, weights: Values) -> Values:
    """By weight the share of `others` below each score ``[score]``, ties half."""
    order = np.argsort(others)
    ranked, sums = others[order], np.concatenate([np.zeros(1), np.cumsum(weights[order])])
    below = sums[np.searchsorted(ranked, scores, "left")]
    not_above = sums[np.searchsorted(ranked, scores, "right")]
    return np.asarray((below + not_above) / (2 * sums[-1]))


def rows_error(one: Sequence[Sample], other: Sequence[Sample]) -> float:
    """Standard error of the difference of two figures that were measured on the same rows.

    Args:
        one, other: the samples of either, row by row the same.
    """
    parts = [Sample(a.values - b.values, a.weights).error for a, b in zip(one, other, strict=True)]
    return math.sqrt(sum(error**2 for error in parts))
