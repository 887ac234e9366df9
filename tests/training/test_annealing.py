"""Learning rates that fall to zero with the budget of a training."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from nas_fusion.data import SearchData
from nas_fusion.errors import OptionError
from nas_fusion.testing import tiny_data, tiny_space
from nas_fusion.training import TrainConfig, _fit, fit
from nas_fusion.training._annealing import AnnealedRate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("data"))


def model(data: SearchData) -> nn.Module:
    space = tiny_space(data)
    return space.derive(space.designs.sample(1), weights=False)


@pytest.mark.parametrize(
    ("start", "expected"),
    [(0.0, [1.0, 0.75, 0.5, 0.25]), (0.5, [1.0, 1.0, 1.0, 0.5])],
)
def test_rates_fall_linearly(
    start: float, expected: list[float], data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[list[float]] = []

    class Noted(AnnealedRate):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
            rates.append([g["lr"] for o in trainer.optimizers for g in o.param_groups])

    monkeypatch.setattr(_fit, "AnnealedRate", Noted)
    config = TrainConfig(learning_rate=0.01, batch_size=256, max_samples=4 * 256, anneal_from=start, device="cpu")
    fit(model(data), data, config)
    assert [row[0] for row in rates] == pytest.approx([0.01 * share for share in expected])
    assert all(len(set(row)) == 1 for row in rates)


def test_without_a_bound_nothing_falls(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> None:
        raise AssertionError("not asked for")

    monkeypatch.setattr(_fit, "AnnealedRate", refused)
    fit(model(data), data, TrainConfig(batch_size=256, max_epochs=1, device="cpu"))
    with pytest.raises(OptionError, match="anneal_from"):
        TrainConfig(anneal_from=1.5)
