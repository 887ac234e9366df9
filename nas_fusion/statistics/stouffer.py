"""Paired t-tests of several data sets combined into one (Stouffer et al. 1949)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri, stdtr

from nas_fusion.statistics.intervals import Interval
from nas_fusion.statistics.signed_rank import Located

_SMALLEST_P = 1e-300
"""Keeps the normal deviates finite, so that they can be added."""


def stouffer(differences: Sequence[np.ndarray], level: float) -> Located:
    """Combine the paired t-tests of data sets with at least two finite differences each.

    Returns:
        The common difference at which ``Z = Σ z / √k`` is 0, the interval of those at which it stays within the level,
        and the p-value of no difference.
    """
    means = np.array([np.mean(d) for d in differences])
    errors = np.array([np.std(d, ddof=1) / math.sqrt(len(d)) for d in differences])
    if not errors.any() and not means.any():
        return Located(0.0, Interval(0.0, 0.0), 1.0)
    # Differences that are all the same leave no noise: a tiny one keeps the deviate defined.
    errors = np.maximum(errors, 1e-12 * max(float(np.abs(means).max()), float(errors.max())))
    freedom = np.array([len(d) - 1 for d in differences])

    def deviate(shift: float) -> float:
        t = (means - shift) / errors
        sizes = -ndtri(np.maximum(stdtr(freedom, -np.abs(t)), _SMALLEST_P))
        return float(np.sum(np.sign(t) * sizes) / math.sqrt(len(t)))

    reach = float(ndtri(1 - level / 2))
    low, middle, high = (_solve(deviate, z, means, errors) for z in (reach, 0.0, -reach))
    return Located(middle, Interval(low, high), 2 * float(ndtr(-abs(deviate(0.0)))))


def _solve(deviate: Callable[[float], float], target: float, means: np.ndarray, errors: np.ndarray) -> float:
    """The shift at which the deviate, which falls with it, has the value asked for."""
    from scipy.optimize import brentq

    step = float(errors.max())
    low, high = float(means.min()) - step, float(means.max()) + step
    while deviate(low) < target:
        low, step = low - step, 2 * step
    while deviate(high) > target:
        high, step = high + step, 2 * step
    return float(brentq(lambda shift: deviate(shift) - target, low, high, xtol=1e-12))
