"""Rows that count more than others: in batches, in the loss, in a whole training."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor, nn

from nas_fusion.data import Batch, BatchLoader, EncodedSplit, SearchData, prepare
from nas_fusion.measures.importance import spaced
from nas_fusion.nn import FieldEmbedding
from nas_fusion.optfusion.training_step import OptFusionModule
from nas_fusion.training import CTRModule, TrainConfig, fit
from nas_fusion.training.losses import mean_loss

CONFIG = TrainConfig(learning_rate=0.02, batch_size=256, max_epochs=1, patience=0, device="cpu", precision="64")


class Linear(nn.Module):
    """A logit per id, summed over the fields, in float64."""

    def __init__(self, data: SearchData) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embedding = FieldEmbedding([f.size for f in data.schema.fields], 1).double()

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        out: Tensor = self.embedding(ids, values).reshape(len(ids), -1).sum(1)
        return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache")).search_view()


def drawn(rows: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(3).exponential(5.0, rows).astype(np.float32)


def weighted(split: EncodedSplit, weights: Any) -> EncodedSplit:
    return dataclasses.replace(split, weights=weights)


def trained(data: SearchData, weights: Any) -> Tensor:
    model = Linear(data)
    fit(model, dataclasses.replace(data, train=weighted(data.train, weights)), CONFIG)
    return model.embedding.table.weight.detach()


@pytest.mark.parametrize("window", [None, 500, 70])
def test_weights_stay_with_their_rows_and_have_the_mean_1(window: int | None, data: SearchData) -> None:
    weights = np.arange(len(data.train), dtype=np.float32)
    split = weighted(data.train, weights)
    batches = list(BatchLoader(split, 64, shuffle=window is not None, window_rows=window))
    found = torch.cat([batch.weights for batch in batches if batch.weights is not None])
    assert found.dtype == torch.float32
    assert found.double().mean() == pytest.approx(1.0, abs=1e-6)
    rows = (found.double() * weights.mean(dtype=np.float64)).round().long().numpy()
    assert sorted(rows) == list(range(len(split)))
    np.testing.assert_array_equal(torch.cat([batch.ids for batch in batches]), split.ids[rows])


def test_no_weights_no_weights(data: SearchData) -> None:
    assert all(batch.weights is None for batch in BatchLoader(data.valid, 64))
    assert data.valid.mean_weight == 1.0


def test_the_loss_is_the_weighted_mean_of_scikit_learn() -> None:
    logits, labels = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([1.0, 0.0, 0.0])
    weights = torch.tensor([0.5, 2.0, 0.5])  # mean 1
    batch = Batch(torch.zeros(3, 1, dtype=torch.int32), None, labels, weights)
    expected = log_loss(labels.numpy(), torch.sigmoid(logits).numpy(), sample_weight=weights.numpy())
    assert mean_loss(logits, batch).item() == pytest.approx(expected, rel=1e-6)
    unweighted = nn.functional.binary_cross_entropy_with_logits(logits, labels)
    assert torch.equal(mean_loss(logits, batch._replace(weights=None)), unweighted)


def test_equal_weights_train_as_none_do(data: SearchData) -> None:
    same = np.full(len(data.train), 3.7, np.float32)
    assert torch.equal(trained(data, same), trained(data, None))


def test_training_equals_a_loop_written_by_hand(data: SearchData) -> None:
    weights = drawn(len(data.train))
    model = Linear(data)
    table = model.embedding.table.weight
    optimiser = torch.optim.Adam([table], lr=CONFIG.learning_rate)
    loader = BatchLoader(weighted(data.train, weights), CONFIG.batch_size, shuffle=True, seed=CONFIG.seed)
    loader.epoch = 1  # Lightning asks for an iterator once before it trains
    for batch in loader:
        assert batch.weights is not None
        p, y = torch.sigmoid(model(batch.ids)), batch.labels.double()
        loss = -(batch.weights.double() * (y * p.log() + (1 - y) * (1 - p).log())).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(trained(data, weights), table.detach(), rtol=1e-9, atol=1e-11)


def test_a_row_without_weight_teaches_nothing(data: SearchData) -> None:
    weights = (np.asarray(data.train.ids[:, 0]) != 2).astype(np.float32)
    assert 0 < weights.sum() < len(weights)
    before = Linear(data).embedding.table.weight.detach()
    torch.testing.assert_close(trained(data, weights)[2], before[2])  # id 2 of the first field
    assert not torch.equal(trained(data, None)[2], before[2])


def test_a_search_weighs_its_rows_too(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    module = CTRModule(CONFIG)
    module.set_model(Linear(data))
    batch = next(iter(BatchLoader(weighted(data.train, drawn(len(data.train))), 32)))
    searching = OptFusionModule(module, 0.01)
    monkeypatch.setattr(searching, "architecture_optimizers", lambda: torch.optim.Adam([nn.Parameter(torch.zeros(1))]))
    monkeypatch.setattr(searching, "advance_optimization", lambda *_: None)
    expected = module.training_step(batch, 0)
    assert searching.training_step(batch, 0) == expected
    assert expected != module.training_step(batch._replace(weights=None), 0)


def test_spaced_rows_keep_their_weights(data: SearchData) -> None:
    weights, groups = drawn(len(data.valid)), np.arange(len(data.valid), dtype=np.int32)
    some = spaced(dataclasses.replace(data.valid, weights=weights, groups=groups), 10)
    assert some.weights is not None
    assert some.groups is not None
    np.testing.assert_array_equal(some.weights, weights[some.groups])
