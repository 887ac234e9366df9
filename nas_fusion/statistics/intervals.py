"""Interquartile mean and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nas_fusion.errors import OptionError

Statistic = Callable[[Sequence[float]], float]


class Interval(NamedTuple):
    """Both ends of an interval."""

    low: float
    high: float


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half of the values; NaN if one of them is not a number.

    Exact for every n: a quarter of the *mass* is cut at each end, so that a value at a quartile counts in part. Where 4
    divides n it is ``scipy.stats.trim_mean(values, 0.25)``, which rliable uses (Agarwal et al., *Deep Reinforcement
    Learning at the Edge of the Statistical Precipice*, NeurIPS 2021); for other n that function cuts ``int(n / 4)``
    whole values and so keeps more than half. Five values weigh 0, .3, .4, .3, 0; one or two give their mean.

    Raises:
        OptionError: no value.
    """
    if len(values) == 0:
        raise OptionError("values", "at least one number", list(values))
    return float(_interquartile_means(np.asarray(values, dtype=float)))


def _interquartile_means(rows: np.ndarray) -> np.ndarray:
    """Over the last axis: sorted value i covers [i, i + 1] of [0, n]; it weighs what of that lies in [n/4, 3n/4]."""
    n = rows.shape[-1]
    starts = np.arange(n)
    weights = np.clip(np.minimum(starts + 1, 0.75 * n) - np.maximum(starts, 0.25 * n), 0.0, None)
    means: np.ndarray = np.sort(rows, axis=-1) @ (weights / weights.sum())
    return np.where(np.isnan(rows).any(axis=-1), np.nan, means)


def bootstrap_interval(
    values: Sequence[float],
    statistic: Statistic = interquartile_mean,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval | None:
    """Return the percentile bootstrap interval of a statistic (Efron 1979).

    Percentile and not BCa, because a comparison has three to ten seeds: BCa takes its acceleration from leaving one
    value out, which for so few says nothing (and is undefined where all leave-one-out values are equal), and rliable
    reports percentile intervals too. With fewer than about ten values any bootstrap interval is too narrow; it shows
    the spread, and no verdict is drawn from it.

    Args:
        values: one number per run.
        statistic: takes a list of numbers; called once per resample, except for the interquartile mean.
        level: coverage, between 0 and 1.
        resamples: how many samples are drawn with replacement.
        seed: of the resampling; the same arguments give the same interval.

    Returns:
        None with fewer than three values, or where one is not finite.

    Raises:
        OptionError: `level` or `resamples` out of range.
    """
    if not 0 < level < 1:
        raise OptionError("level", "between 0 and 1", level)
    if resamples < 1:
        raise OptionError("resamples", "a positive integer", resamples)
    sample = np.asarray(values, dtype=float)
    if len(sample) < 3 or not np.isfinite(sample).all():
        return None
    drawn = sample[np.random.default_rng(seed).integers(0, len(sample), (resamples, len(sample)))]
    if statistic is interquartile_mean:
        estimates = _interquartile_means(drawn)
    else:
        estimates = np.array([statistic(row.tolist()) for row in drawn])
    low, high = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
