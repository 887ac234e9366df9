"""Batch norm's running statistics after a few steps: those of the weights as they are, not of their start."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_fusion.data import Batch, BatchLoader, SearchData, prepare
from nas_fusion.nn import FieldEmbedding
from nas_fusion.nni_bridge import RawFormatModelSpace, SequentialExecutionEngine
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TrainConfig, fit, oneshot_evaluator, predict_logits
from nas_fusion.training.batch_norm import FreshStatistics, estimate_statistics, norms_of
from nas_fusion.training.quality import Predictions, base_rate_logloss

CONFIG = TrainConfig(learning_rate=3e-3, batch_size=64, max_epochs=1, patience=0, device="cpu")


class Normed(nn.Module):
    """Embeddings, two layers with batch norm and dropout, a head."""

    def __init__(self, data: SearchData, dropout: float = 0.5) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding = FieldEmbedding([f.size for f in data.schema.fields], 4)
        self.first = nn.Linear(self.embedding.width, 16)
        self.first_norm, self.second_norm = nn.BatchNorm1d(16), nn.BatchNorm1d(16)
        self.second, self.head, self.dropout = nn.Linear(16, 16), nn.Linear(16, 1), nn.Dropout(dropout)

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        hidden = self.dropout(torch.relu(self.first_norm(self.first(self.embedding(ids, values)))))
        hidden = self.dropout(torch.relu(self.second_norm(self.second(hidden))))
        out: Tensor = self.head(hidden).squeeze(-1)
        return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache")).search_view()


def test_probabilities_are_not_squashed_after_a_few_steps(data: SearchData) -> None:
    model = Normed(data)
    result = fit(model, data, CONFIG)
    assert result.samples / CONFIG.batch_size < 50
    logits, labels = predict_logits(model, data.valid, CONFIG), np.asarray(data.valid.labels)
    assert result.best_valid_auc > 0.6
    # With PyTorch's running statistics this is .665, and a constant's .661: all logits are nearly the same.
    assert result.best_valid_logloss < base_rate_logloss(Predictions.of(logits, labels))


def test_statistics_are_those_of_the_training_rows(data: SearchData) -> None:
    model = Normed(data)
    fit(model, data, CONFIG)
    ids = torch.from_numpy(np.array(data.train.ids))
    assert len(ids) < FreshStatistics().rows
    model.eval()
    with torch.no_grad():
        before = model.first(model.embedding(ids))
    torch.testing.assert_close(model.first_norm.running_mean, before.mean(0), rtol=1e-3, atol=1e-6)
    # Means differ from batch to batch, so that the mean of their variances is nearly that of all rows.
    torch.testing.assert_close(model.first_norm.running_var, before.var(0), rtol=0.1, atol=1e-9)


def test_every_row_counts_the_same_and_the_start_not_at_all(data: SearchData) -> None:
    model = Normed(data)
    model.train()
    ids = torch.from_numpy(np.array(data.train.ids[:30]))
    batches = [Batch(ids[:20], None, torch.zeros(20)), Batch(ids[20:], None, torch.zeros(10))]
    with torch.no_grad():
        hidden = model.first(model.embedding(ids))
        parts = [hidden[:20], hidden[20:]]
        norm = [torch.relu(nn.functional.batch_norm(h, None, None, training=True)) for h in parts]
        deeper = [model.second(h) for h in norm]
    estimate_statistics(model, batches)
    torch.testing.assert_close(model.first_norm.running_mean, hidden.mean(0))
    variance = (20 * parts[0].var(0) + 10 * parts[1].var(0)) / 30
    torch.testing.assert_close(model.first_norm.running_var, variance)
    # The second layer sees the first one's output, without dropout.
    torch.testing.assert_close(model.second_norm.running_mean, torch.cat(deeper).mean(0))
    assert all(part.training for part in model.modules())
    assert [norm.momentum for norm in norms_of(model)] == [0.1, 0.1]


def test_the_newest_rows_are_kept_and_no_more_than_needed(data: SearchData) -> None:
    fresh = FreshStatistics(rows=100)
    training: Any = SimpleNamespace(model=Normed(data))
    fresh.begin(training)
    for number, batch in enumerate(BatchLoader(data.train, 40)):
        fresh.after_step(training, batch, None)
        rows = [len(kept.labels) for kept in fresh._batches]
        assert sum(rows) == min(40 * (number + 1), 120)
        assert fresh._batches[-1] is batch
        if number == 5:
            break


def test_training_itself_is_not_changed(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    config, weights = replace(CONFIG, max_epochs=2), []
    for rows in (8192, 0):
        if not rows:
            monkeypatch.setattr(FreshStatistics, "before_validation", lambda *_: None)
        model = Normed(data)
        fit(model, data, config, keep_best=False)
        weights.append([p.detach() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_a_supernets_statistics_begin_with_the_first_batches(data: SearchData) -> None:
    torch.manual_seed(0)
    space = FusionSpace.for_schema(data.schema, levels=1, emb_dim=2, batch_norm=True)
    run = oneshot_evaluator(data, replace(CONFIG, max_samples=3 * 64), keep_best=False)
    strategy = OptFusion()
    strategy(RawFormatModelSpace(space, run.evaluator), SequentialExecutionEngine())
    (norm,) = norms_of(strategy.supernet)
    assert norm.running_var is not None
    # Three steps with a tenth each would leave .73 of the variance 1 that it started with.
    assert float(norm.running_var.max()) < 0.01
    assert norm.momentum == 0.1
