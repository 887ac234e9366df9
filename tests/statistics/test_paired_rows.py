"""The error of a difference on the same rows: against DeLong's by hand, and against what is drawn again and again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas_fusion.statistics import Sample, auc_samples, rows_error

LABELS = [1, 1, 1, 0, 0, 0, 0]
ONE = [0.9, 0.6, 0.3, 0.7, 0.5, 0.2, 0.3]
OTHER = [0.8, 0.4, 0.5, 0.6, 0.1, 0.2, 0.4]


def placements(labels: list[int], scores: list[float]) -> tuple[list[float], list[float]]:
    """Pair by pair, as the definition has it."""

    def won(up: float, down: float) -> float:
        return 1.0 if up > down else 0.5 if up == down else 0.0

    positive = [s for s, y in zip(scores, labels, strict=True) if y]
    negative = [s for s, y in zip(scores, labels, strict=True) if not y]
    of_positive = [sum(won(p, n) for n in negative) / len(negative) for p in positive]
    return of_positive, [sum(won(p, n) for p in positive) / len(positive) for n in negative]


def test_placements_by_hand() -> None:
    up, down = auc_samples(LABELS, ONE)
    # .9 is above all four; .6 above .5, .2 and .3; .3 above .2 and level with .3.
    np.testing.assert_allclose(up.values, [1, 0.75, 0.375])
    # Above .7 is .9; above .5 are .9 and .6; above .2 all three; above .3 two, and one is level.
    np.testing.assert_allclose(down.values, [1 / 3, 2 / 3, 1, 2.5 / 3])
    assert up.mean == pytest.approx(down.mean) == pytest.approx(8.5 / 12)


def test_the_error_is_delongs() -> None:
    """Of two AUCs: S10 / m + S01 / n of the placements' differences (DeLong et al. 1988, equations 5 to 7)."""
    (up_1, down_1), (up_2, down_2) = placements(LABELS, ONE), placements(LABELS, OTHER)
    covariance_10, covariance_01 = np.cov([up_1, up_2]), np.cov([down_1, down_2])
    covariance = covariance_10 / len(up_1) + covariance_01 / len(down_1)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert rows_error(auc_samples(LABELS, ONE), auc_samples(LABELS, OTHER)) == pytest.approx(math.sqrt(variance))


def test_a_model_is_no_different_from_itself_however_its_scores_are_scaled() -> None:
    scaled = [10 * score - 3 for score in ONE]
    assert rows_error(auc_samples(LABELS, ONE), auc_samples(LABELS, scaled)) == 0


def test_a_weight_of_two_is_a_row_twice_in_the_mean() -> None:
    twice = [0, 0, 1, 2, 3, 4, 4, 5, 6]
    weights = [2, 1, 1, 1, 2, 1, 1]
    weighted = auc_samples(LABELS, ONE, weights)
    repeated = auc_samples([LABELS[i] for i in twice], [ONE[i] for i in twice])
    for a, b in zip(weighted, repeated, strict=True):
        assert a.mean == pytest.approx(b.mean)
    # A row that counts nothing is as good as gone.
    without = rows_error(auc_samples(LABELS[1:], ONE[1:]), auc_samples(LABELS[1:], OTHER[1:]))
    zero = [0, 1, 1, 1, 1, 1, 1]
    assert rows_error(auc_samples(LABELS, ONE, zero), auc_samples(LABELS, OTHER, zero)) == pytest.approx(without)


def test_one_row_of_a_class_tells_nothing() -> None:
    labels = [1, 0, 0]
    assert rows_error(auc_samples(labels, [3, 2, 1]), auc_samples(labels, [2, 3, 1])) == math.inf


def test_the_error_is_that_of_drawing_rows_again() -> None:
    rng = np.random.default_rng(0)

    def drawn() -> tuple[float, float]:
        labels = rng.random(400) < 0.3
        signal = labels + rng.normal(size=400)
        one, other = (auc_samples(labels, signal + 0.3 * rng.normal(size=400)) for _ in range(2))
        return one[0].mean - other[0].mean, rows_error(one, other)

    differences, errors = np.array([drawn() for _ in range(400)]).T
    assert np.mean(errors) == pytest.approx(differences.std(), rel=0.12)


def test_a_mean_has_its_usual_error() -> None:
    a, b = np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.5, 1.0, 3.5, 2.0])
    usual = (a - b).std(ddof=1) / 2
    assert rows_error([Sample.of(a)], [Sample.of(b)]) == pytest.approx(usual)
