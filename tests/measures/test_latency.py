"""Measured latency: what is called, and in which state the model is left."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.measures import latency_ms, measure
from nas_fusion.nn import Fields
from nas_fusion.training import FitResult, TrainConfig

FIELDS = Fields.of([5, FieldShape(4, FieldForm.SCALED)], emb_dim=2)
CPU = TrainConfig(device="cpu")


class Watched(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.seen: list[tuple[Any, ...]] = []

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        self.seen.append((tuple(ids.shape), tuple(values.shape), self.training, torch.is_inference_mode_enabled()))
        return self.linear(ids.float()).squeeze(-1) * values[:, 0]


def test_a_model_predicts_batches_and_is_left_as_it_was() -> None:
    model = Watched()
    assert latency_ms(model, FIELDS, 7, CPU) > 0
    assert set(model.seen) == {((7, 2), (7, 1), False, True)}
    assert len(model.seen) > 5 * 3
    assert model.training


def test_the_median_of_the_fastest_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which the third round is quiet: its calls take 2, 2 and 9 s, all others 5 s."""
    durations = [5.0] + [5.0] * 6 + [2.0, 9.0, 2.0] + [5.0] * 6
    ticks = iter([t for i, d in enumerate(durations) for t in (float(i * 100), i * 100 + d)])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    monkeypatch.setattr("nas_fusion.measures.latency.ROUNDS", 5)
    assert latency_ms(Watched(), FIELDS, 1, CPU) == 2000.0


def test_a_cells_cost_has_its_four_figures() -> None:
    trained = FitResult(0.7, 0.5, 1, (), samples=1000, seconds=4.0, stopped="epochs")
    cost = measure(Watched(), FIELDS, CPU, trained)
    assert set(cost) == {"multiply_adds", "latency_ms_1", "latency_ms_4096", "training_rows_per_second"}
    assert cost["multiply_adds"] == 2 + 1
    assert cost["training_rows_per_second"] == 250
