"""By what validation chooses epochs and candidates, and what decides between equals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas_fusion.data import SearchData, prepare
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.training import FitResult, Predictions, Rank, TrainConfig, fit
from nas_fusion.training.quality import logloss_error, rank_of
from tests.training.test_fit import SmallModel

CONFIG = TrainConfig(learning_rate=0.1, batch_size=256, max_epochs=6, patience=0, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache")).search_view()


def with_groups(data: SearchData) -> SearchData:
    groups: Any = np.random.default_rng(0).integers(0, 40, len(data.valid)).astype(np.int32)
    return replace(data, valid=replace(data.valid, groups=groups))


def trained(data: SearchData, **changes: Any) -> FitResult:
    return fit(SmallModel(data), data, replace(CONFIG, **changes))


def test_the_larger_rank_is_the_better_model() -> None:
    assert rank_of("auc", 0.8, 0.3, None) == Rank(0.8, -0.3)
    assert rank_of("auc", 0.8, 0.3, None) > rank_of("auc", 0.8, 0.4, None) > rank_of("auc", 0.79, 0.1, None)
    assert rank_of("logloss", 0.7, 0.3, None) > rank_of("logloss", 0.9, 0.31, None)
    assert rank_of("gauc", 0.7, 0.9, 0.66) > rank_of("gauc", 0.9, 0.3, 0.65)
    with pytest.raises(TrainingError, match="choosing by gauc needs groups"):
        rank_of("gauc", 0.8, 0.3, None)
    with pytest.raises(OptionError, match="select must be one of auc, logloss, gauc"):
        TrainConfig(select="f1")


@pytest.mark.parametrize(
    ("select", "best"),
    [
        ("auc", lambda r: r.valid_auc),
        ("logloss", lambda r: -r.valid_logloss),
        ("gauc", lambda r: r.valid_gauc),
    ],
)
def test_the_best_epoch_is_by_what_was_asked_for(select: str, best: Callable[[Any], float], data: SearchData) -> None:
    found = trained(with_groups(data), select=select)
    chosen = max(found.history, key=best)
    assert found.best_epoch == chosen.epoch
    assert found.best_rank.score == best(chosen)
    assert (found.best_valid_auc, found.best_valid_logloss) == (chosen.valid_auc, chosen.valid_logloss)
    assert found.best_valid_gauc == chosen.valid_gauc


def test_the_three_do_not_agree_here(data: SearchData) -> None:
    found = [trained(with_groups(data), select=select).best_epoch for select in ("auc", "logloss", "gauc")]
    assert len(set(found)) > 1


def test_of_epochs_with_the_same_auc_the_better_logloss_is_taken(
    data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_fusion.training.watching.validation_monitor.auc", lambda found: 0.75)
    found = trained(data, learning_rate=0.02)
    losses = [r.valid_logloss for r in found.history]
    assert found.best_valid_logloss == min(losses) < losses[0]


def test_patience_counts_epochs_without_a_better_logloss(data: SearchData) -> None:
    found = trained(data, select="logloss", patience=2, max_epochs=20)
    assert found.stopped == "patience"
    losses = [r.valid_logloss for r in found.history]
    assert all(loss > min(losses) - CONFIG.min_improvement for loss in losses[-2:])


def test_validation_counts_rows_by_their_weights(data: SearchData) -> None:
    weights: Any = np.random.default_rng(1).exponential(1, len(data.valid)).astype(np.float32)
    plain, weighted = trained(data), trained(replace(data, valid=replace(data.valid, weights=weights)))
    assert weighted.history[0].valid_auc != plain.history[0].valid_auc
    ones: Any = np.ones(len(data.valid), np.float32)
    same = trained(replace(data, valid=replace(data.valid, weights=ones)))
    assert [r.valid_auc for r in same.history] == pytest.approx([r.valid_auc for r in plain.history], abs=1e-12)


def test_the_error_of_a_logloss_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=500), rng.integers(0, 2, 500)
    losses = np.log1p(np.exp(-np.where(labels == 1, logits, -logits)))
    assert logloss_error(Predictions.of(logits, labels)) == pytest.approx(losses.std() / 500**0.5)
    weights = rng.integers(1, 3, 500)  # the same as the weighted mean's
    mean = np.average(losses, weights=weights)
    expected = np.sqrt(((weights * (losses - mean)) ** 2).sum()) / weights.sum()
    assert logloss_error(Predictions.of(logits, labels, weights)) == pytest.approx(expected)
