"""Interquartile mean and bootstrap, against scipy and cases worked out by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from nas_fusion.errors import OptionError
from nas_fusion.statistics import Interval, bootstrap_interval, interquartile_mean


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([1.0, 5.0], 3.0),
        # half of the mass of 3 values is 1.5: the middle one and a quarter of each neighbour
        ([8.0, 2.0, 1.0], (0.25 * 1 + 2 + 0.25 * 8) / 1.5),
        ([100.0, 2.0, 4.0, -100.0], 3.0),
        ([100.0, 1.0, 2.0, 4.0, -100.0], (0.75 * 1 + 2 + 0.75 * 4) / 2.5),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 60.0], (0.5 * 1 + 2 + 3 + 0.5 * 4) / 3),
    ],
)
def test_interquartile_mean_by_hand(values: list[float], expected: float) -> None:
    assert interquartile_mean(values) == pytest.approx(expected)


@pytest.mark.parametrize("n", [4, 8, 12, 100])
def test_interquartile_mean_is_scipys_trimmed_mean(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n).tolist()
    assert interquartile_mean(values) == pytest.approx(float(stats.trim_mean(values, 0.25)))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 9, 13])
def test_interquartile_mean_of_any_number_is_that_of_four_copies(n: int) -> None:
    """Four copies of every value have the same distribution, and whole values to cut."""
    values = np.random.default_rng(n).normal(size=n).tolist()
    assert interquartile_mean(values) == pytest.approx(float(stats.trim_mean(np.repeat(values, 4), 0.25)))


def test_interquartile_mean_refuses_nothing_and_shows_what_is_not_a_number() -> None:
    with pytest.raises(OptionError, match="at least one number"):
        interquartile_mean([])
    assert math.isnan(interquartile_mean([1.0, math.nan, 3.0, 4.0, 5.0]))


@pytest.mark.parametrize("statistic", [interquartile_mean, fmean])
def test_bootstrap_is_scipys_percentile_interval(statistic: object) -> None:
    values = [0.981, 0.9832, 0.9824, 0.979, 0.9841]
    expected = stats.bootstrap(
        (values,),
        lambda sample: statistic(list(sample)),  # type: ignore[operator]
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = bootstrap_interval(values, statistic, resamples=1000, seed=3)  # type: ignore[arg-type]
    assert found is not None
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_bootstrap_is_near_scipys_bca_for_many_values() -> None:
    values = np.random.default_rng(1).normal(5, 2, 200).tolist()
    bca = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(0)).confidence_interval
    found = bootstrap_interval(values, fmean)
    assert found is not None
    assert found == pytest.approx((bca.low, bca.high), abs=0.02 * (bca.high - bca.low))


def test_bootstrap_covers_the_mean_of_many_values_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        interval = bootstrap_interval(rng.normal(0, 1, 40).tolist(), level=0.8, resamples=400)
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    # .8 of 400 is 320 ± 8
    assert 295 <= covered <= 345


def test_bootstrap_without_enough_to_draw_from() -> None:
    assert bootstrap_interval([]) is None
    assert bootstrap_interval([0.1, 0.2]) is None
    assert bootstrap_interval([0.1, 0.2, math.nan]) is None
    assert bootstrap_interval([0.1, 0.1, 0.1]) == pytest.approx(Interval(0.1, 0.1))


def test_bootstrap_refuses_impossible_levels() -> None:
    with pytest.raises(OptionError, match="level must be between 0 and 1"):
        bootstrap_interval([1, 2, 3], level=1)
    with pytest.raises(OptionError, match="resamples must be"):
        bootstrap_interval([1, 2, 3], resamples=0)


def test_bootstrap_is_the_same_in_a_fresh_process() -> None:
    values = [0.1, 0.43, 0.21, 0.77, 0.35, 0.5, 0.62]
    code = f"from nas_fusion.statistics import bootstrap_interval as b; print(b({values}, seed=5, resamples=99))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(bootstrap_interval(values, seed=5, resamples=99))
    assert bootstrap_interval(values, seed=6, resamples=99) != bootstrap_interval(values, seed=5, resamples=99)
