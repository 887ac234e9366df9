"""Wilcoxon's signed-rank test, exact, and the interval that belongs to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nas_fusion.statistics.intervals import Interval


class Located(NamedTuple):
    """A typical difference, its interval (None where the level cannot be reached) and the two-sided p-value."""

    estimate: float
    interval: Interval | None
    p_value: float


def signed_rank(differences: np.ndarray, level: float) -> Located:
    """Wilcoxon's test of finite differences, with Hodges' and Lehmann's estimate and interval.

    Zeros are dropped, equal sizes share the mean of their ranks, and the distribution is that of all signs given these
    ranks, so that it is exact with ties too. The interval counts the pairwise means between the ranks that the test
    would accept without ties.
    """
    from scipy.stats import rankdata

    nonzero = differences[differences != 0]
    # Mean ranks are multiples of one half: doubled, they are the integers that the counting needs.
    doubled = np.rint(2 * rankdata(np.abs(nonzero))).astype(int) if len(nonzero) else np.zeros(0, int)
    positive = int(doubled[nonzero > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    p_value = min(1.0, 2 * float(_distribution(doubled)[: smaller + 1].sum()))
    n = len(differences)
    means = np.sort([(differences[i] + differences[j]) / 2 for i in range(n) for j in range(i, n)])
    below = np.cumsum(_distribution(np.arange(1, n + 1)))
    cut = int(np.searchsorted(below, level / 2, side="right"))
    interval = Interval(float(means[cut - 1]), float(means[-cut])) if cut else None
    return Located(float(np.median(means)), interval, p_value)


def _distribution(ranks: np.ndarray) -> np.ndarray:
    """Probabilities of the sums 0, 1, … of the positive ranks, where every sign is a fair coin."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[: len(chances) - rank]
        chances = (chances + shifted) / 2
    return chances
