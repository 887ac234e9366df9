"""A training that is interrupted and goes on, bit for bit against one that was not interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from nas_fusion.baselines import parallel
from nas_fusion.baselines.models import MODELS
from nas_fusion.data import SearchData, prepare
from nas_fusion.errors import DamagedFileError
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import FitResult, TrainConfig, fit

ROWS, BATCH, EPOCHS = 640, 64, 4
DOUBLE = TrainConfig(
    learning_rate=0.01, batch_size=BATCH, max_samples=EPOCHS * ROWS, patience=0, averaging=1.0, seed=4, device="cpu",
    precision="64",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache")).search_view()


def normed_tower(data: SearchData, first: int) -> nn.Module:
    torch.manual_seed(first)
    tower = {"hidden_width": 8, "hidden_layers": 2, "dropout": 0.3, "batch_norm": True}
    return MODELS["fnn"].for_schema(data.schema, 4, **tower).double()


def derived(data: SearchData, first: int) -> nn.Module:
    torch.manual_seed(first)
    space = FusionSpace.for_schema(data.schema, levels=1, emb_dim=4)
    return space.derive(parallel(space.designs), weights=False).double()


Make = Callable[[SearchData, int], nn.Module]


def interrupted(data: SearchData, config: TrainConfig, at: int, path: Path, make: Make) -> tuple[nn.Module, FitResult]:
    """The second part of a training that was interrupted; its model was made from other first weights."""
    fit(make(data, 1), data, replace(config, max_samples=at), leave=path)
    torch.manual_seed(99)  # whatever was trained in between
    model = make(data, 2)
    return model, fit(model, data, config, start=path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "at", "optimizer"),
    [
        (normed_tower, ROWS, "adam"),
        (normed_tower, 2 * ROWS + 3 * BATCH, "touched-rows-adam"),
        (derived, 2 * ROWS + 3 * BATCH, "adam"),
        (derived, 2 * ROWS, "touched-rows-adam"),
    ],
)
def test_it_goes_on_as_if_it_had_not_been_interrupted(
    make: Make, at: int, optimizer: str, data: SearchData, tmp_path: Path
) -> None:
    config = replace(DOUBLE, embedding_optimizer=optimizer)
    whole = make(data, 1)
    expected = fit(whole, data, config)
    model, found = interrupted(data, config, at, tmp_path / "t.pt", make)
    assert next(model.parameters()).dtype == torch.float64
    for name, weight in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert found.samples == expected.samples == EPOCHS * ROWS
    assert (found.best_valid_auc, found.best_epoch) == (expected.best_valid_auc, expected.best_epoch)
    rest = [record for record in expected.history if record.samples > at]
    assert [(r.epoch, r.samples, r.valid_auc) for r in found.history] == [
        (r.epoch, r.samples, r.valid_auc) for r in rest
    ]


@pytest.mark.slow
def test_what_is_best_may_lie_before_the_interruption(data: SearchData, tmp_path: Path) -> None:
    # It learns the few rows by heart, and is best before its end.
    config = replace(DOUBLE, max_samples=8 * ROWS, learning_rate=0.03, averaging=0.0, lr_drop=0.9)
    whole = derived(data, 1)
    expected = fit(whole, data, config)
    assert expected.best_epoch < 8
    model, found = interrupted(data, config, expected.best_epoch * ROWS, tmp_path / "t.pt", derived)
    assert (found.best_epoch, found.best_valid_auc) == (expected.best_epoch, expected.best_valid_auc)
    assert len(found.history) == 8 - expected.best_epoch
    for name, weight in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


def test_a_file_that_is_no_interrupted_training_is_named(data: SearchData, tmp_path: Path) -> None:
    path = tmp_path / "t.pt"
    with pytest.raises(DamagedFileError, match=r"t.pt.*a folder that all of its machines see"):
        fit(derived(data, 1), data, DOUBLE, start=path)
    torch.save({"model": {}}, path)
    with pytest.raises(DamagedFileError, match="it holds no interrupted training"):
        fit(derived(data, 1), data, DOUBLE, start=path)
