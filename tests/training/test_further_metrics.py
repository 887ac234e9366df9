"""A metric of somebody else's is measured on the test rows and told of; nothing is chosen by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas_fusion.data import EncodedSplit
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.registry import Registry
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import METRICS, Metric, TrainConfig, evaluate, predict_logits, seeded
from nas_fusion.training.metrics import FloatArray, further_metrics
from nas_fusion.training.quality import IntArray

ROWS, SIZES = 40, (5, 3)
CONFIG = TrainConfig(batch_size=16)


def split() -> EncodedSplit:
    rng = np.random.default_rng(0)
    ids = np.stack([rng.integers(0, size, ROWS) for size in SIZES], axis=1).astype(np.int32)
    labels = rng.integers(0, 2, ROWS).astype(np.float32)
    arrays: list[Any] = [ids, labels]  # in memory, where a data set has them in files
    return EncodedSplit(arrays[0], None, arrays[1], int(labels.sum()))


def model() -> FusionSpace:
    with seeded(0):
        return FusionSpace(SIZES, levels=1, emb_dim=2)


def bias(logits: FloatArray, labels: FloatArray) -> float:
    """How far the predicted share of clicks is from the true one."""
    return float((1 / (1 + np.exp(-logits))).mean() - labels.mean())


def use(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    mine: Registry[Metric] = Registry("metric", "nas_fusion.metrics", Metric)
    mine.register(metric.name, metric)
    monkeypatch.setattr("nas_fusion.training.metrics.METRICS", mine)


def test_without_anybodys_metrics_there_are_none() -> None:
    assert METRICS.names() == ()
    assert evaluate(model(), split(), CONFIG).further == {}


def test_a_metric_gets_logits_and_labels_of_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = evaluate(model(), split(), CONFIG)
    use(Metric("bias", bias), monkeypatch)
    measured = evaluate(model(), split(), CONFIG)
    logits = predict_logits(model(), split(), CONFIG).astype(np.float64)
    assert measured.further == {"bias": bias(logits, np.asarray(split().labels, np.float64))}
    assert (measured.auc, measured.logloss, measured.rows) == (plain.auc, plain.logloss, ROWS)


def test_a_weighted_metric_gets_weights_and_groups_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def share(logits: FloatArray, labels: FloatArray, weights: FloatArray | None, groups: IntArray | None) -> float:
        assert groups is not None, "given"
        return float(np.average(labels, weights=weights)) + 10 * len(set(groups.tolist()))

    use(Metric("share", share, weighted=True), monkeypatch)
    told = further_metrics([0.5, 0.5, -1.0], [1, 0, 1], [1.0, 2.0, 1.0], [7, 7, 9])
    assert told == {"share": 20.5}


def test_a_metric_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Metric("broken", lambda logits, labels: 1 / 0), monkeypatch)
    with pytest.raises(TrainingError, match=r"the metric broken failed: .*division by zero"):
        evaluate(model(), split(), CONFIG)


@pytest.mark.parametrize("name", ["auc", "logloss", "gauc", "calibration_error", "", "Two words", "test-me", "1st"])
def test_a_name_is_that_of_a_column(name: str) -> None:
    with pytest.raises(OptionError, match="name of a metric"):
        Metric(name, bias)
