"""What a column tells of the label: by the order of its values, and by each value for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nas_fusion.data.encoding.bins import fit_bins
from nas_fusion.data.encoding.scan import auc
from nas_fusion.data.sources.cells import FloatArray, IntArray

FOLDS = 5
PRIOR_ROWS = (5.0, 20.0, 100.0)
"""How many rows the mean of all counts in a value's rate; the best is taken."""

KNOTS = (4, 8, 16, 32, 64)
"""How finely an order is looked at; the best is taken."""

LEAST_RATE = 1e-4
SURE = 2.5
"""Standard errors from nothing that are no accident."""


class Told(NamedTuple):
    """What rates of the label, out of fold, gain over the mean of all: in nats a row, and per row, ``[rows]``."""

    gains: FloatArray
    rates: FloatArray

    @property
    def gain(self) -> float:
        """The mean."""
        return float(self.gains.mean())

    @property
    def is_sure(self) -> bool:
        """Whether it is no accident."""
        return self.gain > SURE * _error(self.gains)

    def is_beaten(self, other: Told) -> bool:
        """Whether another way tells more, surely."""
        return (other.gains - self.gains).mean() > SURE * _error(other.gains - self.gains)


def told_by_values(codes: IntArray, labels: FloatArray, priors: Sequence[float] = PRIOR_ROWS) -> Told:
    """What each value tells for itself.

    Args:
        codes: a number per value from 0 on, int64 ``[rows]``.
        labels: 0 or 1, float64 ``[rows]``.
        priors: how many rows the mean of all may count.
    """
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    base = _losses(np.full(len(labels), labels.mean()), labels)
    found = [_rates(codes, labels, fold, prior) for prior in priors]
    best = min(found, key=lambda rates: _losses(rates, labels).sum())
    return Told(base - _losses(best, labels), best)


def told_by_order(x: FloatArray, labels: FloatArray) -> Told:
    """What the order of numbers tells: the same, of as many bins as tell the most.

    Args:
        x: numbers, float64 ``[rows]``.
        labels: 0 or 1, float64 ``[rows]``.
    """
    values, counts = np.unique(x, return_counts=True)
    found = []
    for knots in KNOTS:
        if knots == KNOTS[0] or knots * 2 <= len(values):  # else an order would be nothing but its values
            bins = fit_bins(values, counts, centred=False, most=knots)
            found.append(told_by_values(bins.locate(x).ids.astype(np.int64), labels))
    return max(found, key=lambda told: told.gain)


def alone(told: Told, labels: FloatArray) -> float:
    """The AUC that a column has by itself, 0.5 to 1."""
    found = auc(labels, told.rates)
    return max(found, 1 - found)


def _rates(codes: IntArray, labels: FloatArray, fold: IntArray, prior: float) -> FloatArray:
    """The rate of every row's value in the other folds, drawn towards the rate of all."""
    number = int(codes.max(initial=0)) + 1
    rows, positives = np.bincount(codes, minlength=number), np.bincount(codes, labels, number)
    found = np.empty(len(labels))
    for one in range(FOLDS):
        held = fold == one
        if not held.any():
            continue
        base = (labels.sum() - labels[held].sum() + 0.5) / ((~held).sum() + 1)
        others = rows - np.bincount(codes[held], minlength=number)
        clicked = positives - np.bincount(codes[held], labels[held], number)
        found[held] = ((clicked + prior * base) / (others + prior))[codes[held]]
    return found


def _losses(rates: FloatArray, labels: FloatArray) -> FloatArray:
    rates = rates.clip(LEAST_RATE, 1 - LEAST_RATE)
    return -np.log(np.where(labels == 1, rates, 1 - rates))


def _error(x: FloatArray) -> float:
    return float(x.std() / np.sqrt(len(x)))
