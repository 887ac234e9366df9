"""The paired t-test, its power, and Holm's correction.

`scipy.special` has all distributions that are needed and, other than `scipy.stats`, is imported in no time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtr, ndtri, stdtr, stdtrit

from nas_fusion.errors import OptionError
from nas_fusion.statistics.intervals import Interval

_EXACT_UP_TO = 100_000
"""Pairs from which on the t distribution is the normal one for every purpose here."""


class PairedTest(NamedTuple):
    """Mean and standard deviation of the differences, the two-sided p-value and the interval of the mean."""

    mean: float
    sd: float
    p_value: float
    interval: Interval


def standard_deviation(values: np.ndarray) -> float:
    """Return the sample's standard deviation, of at least two values: `numpy.std` without what it does beside."""
    return math.sqrt(float(values.var(ddof=1)))


def paired_t(differences: np.ndarray, level: float) -> PairedTest:
    """Student's paired t-test of at least two finite differences; the interval covers ``1 - level``.

    Differences that are all the same leave no noise: their p-value is 0, or 1 where they are all zero.
    """
    n = len(differences)
    mean, sd = float(differences.mean()), standard_deviation(differences)
    error = sd / math.sqrt(n)
    if error == 0:
        return PairedTest(mean, sd, 1.0 if mean == 0 else 0.0, Interval(mean, mean))
    p_value = 2 * float(stdtr(n - 1, -abs(mean) / error))
    half = float(stdtrit(n - 1, 1 - level / 2)) * error
    return PairedTest(mean, sd, p_value, Interval(mean - half, mean + half))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values in the order given (Scandinavian Journal of Statistics 6, 1979).

    Comparing them with a level keeps the probability of any false call among all comparisons below it, whatever the
    dependence between them.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


class Spread(NamedTuple):
    """Standard deviation of a difference of two runs, and its degrees of freedom."""

    sd: float
    freedom: float


def spread_of_runs(a: np.ndarray, b: np.ndarray) -> Spread:
    """Return what two runs differ by, from the spread of both strategies' runs: ``√(sa² + sb² - 2 r sa sb)``.

    Few differences easily look steadier than they are. Here r is only as large as the runs provably rise and fall
    together: the lower 99 % limit of their correlation over the pairs (Fisher's z), at least 0. (The correlation itself
    would give the standard deviation of the differences.) Degrees of freedom by Welch and Satterthwaite.
    """
    sa, sb = standard_deviation(a), standard_deviation(b)
    if sa == 0 and sb == 0:
        return Spread(0.0, 2.0 * (len(a) - 1))
    variance = sa**2 + sb**2 - 2 * _sure_correlation(a, b, sa, sb) * sa * sb
    return Spread(math.sqrt(max(variance, 0.0)), (len(a) - 1) * (sa**2 + sb**2) ** 2 / (sa**4 + sb**4))


def unpaired_p(a: np.ndarray, b: np.ndarray) -> float:
    """Return the two-sided p-value of the difference of the means against `spread_of_runs`.

    Welch's t-test, unless the runs provably belong together.
    """
    mean, (sd, freedom) = float((a - b).mean()), spread_of_runs(a, b)
    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    return 2 * float(stdtr(freedom, -abs(mean) / sd * math.sqrt(len(a))))


def _sure_correlation(a: np.ndarray, b: np.ndarray, sa: float, sb: float) -> float:
    n = len(a)
    if n < 4 or sa == 0 or sb == 0:
        return 0.0
    r = float((a - a.mean()) @ (b - b.mean())) / ((n - 1) * sa * sb)
    if r >= 1:
        return 1.0
    return max(0.0, math.tanh(math.atanh(max(r, 0.0)) - float(ndtri(0.99)) / math.sqrt(n - 3)))


def pairs_needed(difference: float, sd_of_differences: float, *, level: float = 0.05, power: float = 0.8) -> int:
    """Return the fewest pairs with which the paired t-test finds a true difference with probability `power`.

    Significant on the right side, by the noncentral t distribution; above 100,000 pairs by the normal one.

    Args:
        difference: the true mean difference, not zero.
        sd_of_differences: standard deviation of the pairs' differences, not negative.
        level: of the two-sided test.
        power: between `level` and 1.

    Raises:
        OptionError: an argument out of range.
    """
    _check(difference, sd_of_differences, level, power)
    if sd_of_differences == 0:
        return 2
    effect = abs(difference) / sd_of_differences
    normal = ((float(ndtri(1 - level / 2)) + float(ndtri(power))) / effect) ** 2
    if normal > _EXACT_UP_TO:
        return math.ceil(normal)
    low, high = 1, 2
    while _power(effect, high, level) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, level) >= power else (middle, high)
    return high


def _power(effect: float, pairs: int, level: float) -> float:
    """Probability that `pairs` pairs reach the level on the right side; the mean is `effect` deviations from zero."""
    df = pairs - 1
    return 1 - float(nctdtr(df, effect * math.sqrt(pairs), float(stdtrit(df, 1 - level / 2))))


def _check(difference: float, sd: float, level: float, power: float) -> None:
    if not math.isfinite(difference) or difference == 0:
        raise OptionError("difference", "a finite number other than 0", difference)
    if not math.isfinite(sd) or sd < 0:
        raise OptionError("sd_of_differences", "a finite number, at least 0", sd)
    if not 0 < level < 1:
        raise OptionError("level", "between 0 and 1", level)
    if not level < power < 1:
        raise OptionError("power", f"between the level {level} and 1", power)
