"""What is measured of predictions, against scikit-learn and against cases that were worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from nas_fusion.errors import TrainingError
from nas_fusion.records import TEST_METRICS, ReliabilityBin
from nas_fusion.training import auc_and_logloss, quality_of
from nas_fusion.training.metrics import Quality
from nas_fusion.training.quality import (
    Predictions,
    base_rate_logloss,
    calibration_error,
    grouped_auc,
    probabilities,
    reliability,
)

Floats = npt.NDArray[np.float64]


def logit(p: Any) -> Floats:
    values = np.asarray(p, np.float64)
    return np.asarray(np.log(values) - np.log1p(-values))


def drawn(rows: int = 600, seed: int = 0, digits: int = 1) -> dict[str, Any]:
    """Rows with ties, weights (some of them zero) and groups (some of one class, some of one row)."""
    rng = np.random.default_rng(seed)
    logits = np.round(rng.normal(-1, 1.5, rows), digits)
    return {
        "logits": logits,
        "labels": (rng.random(rows) < probabilities(logits * 0.7)).astype(np.float32),
        "weights": np.round(rng.exponential(2, rows) * (rng.random(rows) < 0.9), 2),
        "groups": rng.integers(0, rows // 8, rows).astype(np.int32) * 3 - 7,
    }


def by_hand() -> dict[str, Any]:
    """Five rows of which everything can be worked out on paper."""
    return {
        "logits": logit([0.2, 0.4, 0.4, 0.5, 0.8]),
        "labels": [0, 1, 0, 0, 1],
        "weights": [1.0, 2.0, 3.0, 1.0, 1.0],
        "groups": [0, 0, 0, 1, 1],
    }


def test_a_case_by_hand_without_weights() -> None:
    rows = by_hand()
    found = quality_of(rows["logits"], rows["labels"])
    # Of the six pairs the click at .8 wins all three; that at .4 wins one, ties one, loses one.
    assert found.auc == pytest.approx(4.5 / 6)
    loss = -(math.log(0.8) + math.log(0.4) + math.log(0.6) + math.log(0.5) + math.log(0.8)) / 5
    assert found.logloss == pytest.approx(loss)
    assert found.normalised_entropy == pytest.approx(loss / -(0.4 * math.log(0.4) + 0.6 * math.log(0.6)))
    assert found.calibration_ratio == pytest.approx((0.2 + 0.4 + 0.4 + 0.5 + 0.8) / 2)
    # From above: at .8 one of one, at .5 still one, at .4 two of four.
    assert found.pr_auc == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)
    assert found.gauc is None


def test_a_case_by_hand_with_weights_and_groups() -> None:
    found = quality_of(**by_hand())
    # Pairs by the product of weights: the click at .4 (2) wins 1, ties 3, loses 1; that at .8 (1) wins 5.
    assert found.auc == pytest.approx((2 * (1 + 1.5) + 5) / (3 * 5))
    terms = [1 * math.log(0.8), 2 * math.log(0.4), 3 * math.log(0.6), 1 * math.log(0.5), 1 * math.log(0.8)]
    assert found.logloss == pytest.approx(-sum(terms) / 8)
    assert found.normalised_entropy == pytest.approx(
        -sum(terms) / 8 / -(3 / 8 * math.log(3 / 8) + 5 / 8 * math.log(5 / 8))
    )
    assert found.calibration_ratio == pytest.approx((0.2 + 2 * 0.4 + 3 * 0.4 + 0.5 + 0.8) / 3)
    assert found.pr_auc == pytest.approx(1 / 3 * 1 + 2 / 3 * 3 / 7)
    # The first group has weight 6 and the AUC (2 · (1 + 1.5)) / (2 · 4), the second weight 2 and the AUC 1.
    assert found.gauc == pytest.approx((6 * 5 / 8 + 2 * 1) / 8)


def test_the_calibration_error_by_hand() -> None:
    found = Predictions.of(logit([0.1, 0.3, 0.6, 0.8]), [0, 1, 1, 1])
    expected = [(0.2, 0.5, 2), (0.7, 1, 2)]
    assert [(b.predicted, b.observed, b.weight) for b in reliability(found, 2)] == [
        pytest.approx(values) for values in expected
    ]
    assert calibration_error(found, 2) == pytest.approx((2 * 0.3 + 2 * 0.3) / 4)
    weighted = Predictions.of(logit([0.1, 0.3, 0.6, 0.8]), [0, 1, 1, 1], [1, 3, 1, 1])
    # Halves of weight 3: the middle of .3 is 2.5 of 6, so it is in the first one.
    first, second = reliability(weighted, 2)
    assert (first.predicted, first.observed, first.weight) == pytest.approx((1 / 4, 3 / 4, 4))
    assert (second.predicted, second.observed, second.weight) == pytest.approx((0.7, 1, 2))
    assert calibration_error(weighted, 2) == pytest.approx((4 * 0.5 + 2 * 0.3) / 6)


@pytest.mark.parametrize("weighted", [False, True])
def test_as_scikit_learn_has_it(weighted: bool) -> None:
    rows = drawn()
    weights = rows["weights"] if weighted else None
    found = quality_of(rows["logits"], rows["labels"], weights)
    p, y = probabilities(rows["logits"]), rows["labels"]
    assert found.auc == pytest.approx(roc_auc_score(y, p, sample_weight=weights), abs=1e-12)
    assert found.logloss == pytest.approx(log_loss(y, p, sample_weight=weights), abs=1e-12)
    assert found.pr_auc == pytest.approx(average_precision_score(y, p, sample_weight=weights), abs=1e-12)
    rate = np.average(y.astype(np.float64), weights=weights)
    constant = log_loss(y.astype(np.float64), np.full(len(y), float(rate)), sample_weight=weights)
    assert found.normalised_entropy == pytest.approx(found.logloss / constant, abs=1e-12)
    assert base_rate_logloss(Predictions.of(rows["logits"], y, weights)) == pytest.approx(constant, abs=1e-12)
    assert found.calibration_ratio == pytest.approx(np.average(p, weights=weights) / rate, abs=1e-12)
    pair = auc_and_logloss(rows["logits"], y, weights)
    assert pair == (found.auc, found.logloss)


def test_the_bins_are_those_of_scikit_learn_where_nothing_is_tied() -> None:
    rows = drawn(rows=900, digits=12)
    found = Predictions.of(rows["logits"], rows["labels"])
    observed, predicted = calibration_curve(found.labels, probabilities(found.logits), n_bins=10, strategy="quantile")
    curve = reliability(found, 10)
    assert [b.weight for b in curve] == [90] * 10
    np.testing.assert_allclose([b.predicted for b in curve], predicted, atol=1e-12)
    np.testing.assert_allclose([b.observed for b in curve], observed, atol=1e-12)
    assert calibration_error(found, 10) == pytest.approx(np.abs(observed - predicted).mean(), abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_grouped_auc_is_the_mean_over_groups_that_have_one(weighted: bool) -> None:
    rows = drawn()
    weights = rows["weights"] if weighted else np.ones(len(rows["labels"]))
    aucs, sizes = [], []
    for group in np.unique(rows["groups"]):
        here = (rows["groups"] == group) & (weights > 0)
        if len(set(rows["labels"][here])) == 2:
            aucs.append(roc_auc_score(rows["labels"][here], rows["logits"][here], sample_weight=weights[here]))
            sizes.append(weights[here].sum())
    assert 20 < len(aucs) < len(np.unique(rows["groups"]))  # some have one class only
    found = quality_of(rows["logits"], rows["labels"], rows["weights"] if weighted else None, rows["groups"])
    assert found.gauc == pytest.approx(np.average(aucs, weights=sizes), abs=1e-12)


def test_one_group_of_all_has_the_auc_of_all() -> None:
    rows = drawn()
    found = quality_of(rows["logits"], rows["labels"], rows["weights"], np.zeros(600, np.int32))
    assert found.gauc == pytest.approx(found.auc, abs=1e-12)


def test_without_a_group_of_both_classes_there_is_no_grouped_auc() -> None:
    rows = by_hand()
    assert quality_of(rows["logits"], rows["labels"], groups=[0, 1, 0, 2, 1]).gauc is None
    assert "gauc" not in quality_of(rows["logits"], rows["labels"], groups=[0, 1, 0, 2, 1]).told()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 30))
def test_a_weight_is_that_many_rows(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    logits, groups, weights = rng.integers(-3, 4, rows) / 2, rng.integers(0, 3, rows), rng.integers(0, 4, rows)
    labels = rng.integers(0, 2, rows)
    labels[:2], weights[:2] = (0, 1), 1
    found = quality_of(logits, labels, weights, groups)
    again = [np.repeat(values, weights) for values in (logits, labels, groups)]
    repeated = quality_of(again[0], again[1], groups=again[2])
    for name in ("auc", "logloss", *TEST_METRICS):
        assert getattr(found, name) == pytest.approx(getattr(repeated, name), abs=1e-9), name
    # Which rows of weight zero there are changes nothing.
    kept = weights > 0
    assert quality_of(logits[kept], labels[kept], weights[kept], groups[kept]).told() == pytest.approx(found.told())


def test_every_row_is_in_one_bin_and_equal_predictions_are_in_the_same() -> None:
    rows = drawn(digits=0)
    curve = reliability(Predictions.of(rows["logits"], rows["labels"], rows["weights"]), 15)
    assert len(curve) < 15  # hardly as many different predictions
    assert sum(b.weight for b in curve) == pytest.approx(rows["weights"].sum())
    assert [b.predicted for b in curve] == sorted(b.predicted for b in curve)
    constant = Predictions.of([0.0] * 4, [0, 0, 0, 1])
    assert reliability(constant) == (ReliabilityBin(0.5, 0.25, 4.0),)
    assert calibration_error(constant) == 0.25


def test_a_constant_that_knows_the_share_of_clicks_has_entropy_one() -> None:
    found = quality_of(np.full(8, logit(0.25)), [1, 0, 0, 0, 1, 0, 0, 0])
    assert (found.auc, found.normalised_entropy, found.calibration_ratio) == pytest.approx((0.5, 1, 1))
    assert found.calibration_error == pytest.approx(0, abs=1e-12)


def test_huge_logits_are_measured_exactly() -> None:
    assert auc_and_logloss([1000.0, -1000.0], [0, 1]) == (0.0, 1000.0)
    assert quality_of([1000.0, -1000.0], [1, 0]).calibration_ratio == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"logits": [0.0, math.nan, math.inf, 0.0, 0.0]}, "2 of 5 predictions are not finite"),
        ({"weights": [1.0, -1.0, math.nan, 1.0, 1.0]}, "2 of 5 sample weights are negative or not finite"),
        ({"weights": [1.0, 1.0]}, r"weights must be of the shape of the logits \(5,\), got \(2,\)"),
        ({"groups": [0]}, r"groups must be of the shape"),
        ({"labels": [0] * 5, "weights": None}, "AUC needs both classes, got 0 positives in 5 rows"),
        ({"weights": [1.0, 0.0, 1.0, 1.0, 0.0]}, "got 0 positives in 3 rows with a weight above 0"),
    ],
)
def test_what_cannot_be_measured_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        quality_of(**{**by_hand(), **changes})


def test_what_is_told_has_the_names_of_a_record() -> None:
    found = quality_of(**by_hand())
    assert isinstance(found, Quality)
    assert tuple(found.told()) == TEST_METRICS
    assert grouped_auc(Predictions.of(**by_hand())) == found.told()["gauc"]
