"""Which models are blended, by what they say of the validation rows."""

from __future__ import annotations

import numpy as np
import pytest

from nas_fusion.statistics import difference_error
from nas_fusion.studies.picking.blending import best_blend, mean_of
from nas_fusion.studies.picking.contest import REACH
from nas_fusion.training import Predictions
from nas_fusion.training.quality import auc, logloss

ROWS = 4000


def models(*noises: float, seed: int = 0) -> list[Predictions]:
    """Models that know the truth, each with noise of its own."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=ROWS)
    labels = (draw.random(ROWS) < 1 / (1 + np.exp(-truth))).astype(float)
    return [Predictions.of(truth + noise * draw.normal(size=ROWS), labels) for noise in noises]


def test_the_mean_is_that_of_the_logits() -> None:
    one, two = models(0.0, 1.0)
    assert mean_of([one, two]).logits.tolist() == ((one.logits + two.logits) / 2).tolist()
    assert mean_of([one, two]).labels is one.labels


@pytest.mark.parametrize("select", ["auc", "logloss"])
def test_models_that_err_apart_are_all_taken(select: str) -> None:
    found = models(1.0, 1.1, 1.2)
    assert auc(mean_of(found)) > max(map(auc, found))
    assert logloss(mean_of(found)) < min(map(logloss, found))
    assert best_blend(found, select) == (0, 1, 2)


@pytest.mark.parametrize("select", ["auc", "logloss"])
def test_a_bad_one_stays_out(select: str) -> None:
    assert best_blend(models(0.5, 0.6, 30.0), select) == (0, 1)
    assert best_blend(models(0.5, 30.0), select) == (0,)


def test_a_blend_within_the_noise_is_taken_and_one_beyond_is_not() -> None:
    """The first model was chosen by these rows, a blend was not: a little behind is not worse."""
    one, good = models(0.0, 0.3)
    margin = REACH * difference_error(auc(one), one.labels.sum(), ROWS - one.labels.sum())
    assert 0 < auc(one) - auc(mean_of([one, good])) < margin
    assert best_blend([one, good], "auc") == (0, 1)
    one, bad = models(0.0, 1.0)
    assert auc(one) - auc(mean_of([one, bad])) > margin
    assert best_blend([one, bad], "auc") == (0,)
