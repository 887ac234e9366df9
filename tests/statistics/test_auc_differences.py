"""Standard errors of AUCs and of their differences, against simulation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from nas_fusion.statistics import auc_error, auc_standard_error, difference_error, paired_error

POSITIVES, NEGATIVES = 60, 240
LABELS = np.repeat([1, 0], [POSITIVES, NEGATIVES])


def test_at_chance_it_is_that_of_the_mann_whitney_statistic() -> None:
    # Hanley's and McNeil's approximation is that of exponential scores: a little more than the exact one.
    assert auc_standard_error(0.5, 50, 80) == pytest.approx(auc_error(50, 80), rel=0.01)


def is_careful(error: float, spread: float) -> bool:
    """Whether an error is at least the spread that was seen, and not much more."""
    return 0.97 * spread <= error <= 1.2 * spread


def aucs_of(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """AUC of every row of scores, ``[draws, rows]``."""
    ranks = scores.argsort(axis=1).argsort(axis=1)[:, :POSITIVES]
    return (ranks.sum(axis=1) - POSITIVES * (POSITIVES - 1) / 2) / (POSITIVES * NEGATIVES)


def test_it_is_about_the_spread_over_drawn_rows() -> None:
    aucs = aucs_of(LABELS * 1.2 + np.random.default_rng(0).normal(size=(2000, LABELS.size)))
    assert is_careful(auc_standard_error(float(aucs.mean()), POSITIVES, NEGATIVES), float(aucs.std()))


def test_a_difference_is_surer_than_either_auc() -> None:
    rng = np.random.default_rng(0)
    shared = LABELS * 1.2 + rng.normal(size=(2000, LABELS.size))
    first, second = (aucs_of(shared + 0.2 * rng.normal(size=shared.shape)) for _ in range(2))
    error = difference_error(float(first.mean()), POSITIVES, NEGATIVES, float(np.corrcoef(first, second)[0, 1]))
    assert is_careful(error, float((first - second).std()))
    assert error < 0.5 * auc_standard_error(float(first.mean()), POSITIVES, NEGATIVES)


def test_a_perfect_model_has_none() -> None:
    assert auc_standard_error(1.0, 5, 5) == 0


def test_what_is_measured_on_the_same_rows_differs_less() -> None:
    rng = np.random.default_rng(5)
    shared, own = rng.normal(size=(40_000, 1)), rng.normal(size=(40_000, 2))
    measured = 0.6**0.5 * shared + 0.4**0.5 * own  # of error 1 each, correlated by .6
    assert paired_error(1.0, 0.6) == pytest.approx((measured[:, 0] - measured[:, 1]).std(), rel=0.01)
