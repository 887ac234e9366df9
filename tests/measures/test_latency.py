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


def test_a_model_predicts_batches_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a machine with much else to do, even a few calls take a second.
    monkeypatch.setattr("nas_fusion.measures.latency.MOST_SECONDS", 1000.0)
    model = Watched()
    assert latency_ms(model, FIELDS, 7, CPU) > 0
    assert set(model.seen) == {((7, 2), (7, 1), False, True)}
    assert len(model.seen) > 5 * 3
    assert model.training


def test_the_median_of_the_fastest_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which the third round is quiet: its calls take 16, 16 and 72 ms (exactly 2^-6 s …), all others 63."""
    slow, quick = 2**-4, 2**-6
    set_clock(monkeypatch, [slow] + [slow] * 6 + [quick, 4.5 * quick, quick] + [slow] * 6)
    monkeypatch.setattr("nas_fusion.measures.latency.ROUNDS", 5)
    assert latency_ms(Watched(), FIELDS, 1, CPU) == 1000 * quick


def test_a_slow_model_is_not_measured_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three calls after the first: they take more than a second, so no other round follows."""
    set_clock(monkeypatch, [4.0, 0.5, 0.5, 0.25])
    monkeypatch.setattr("nas_fusion.measures.latency.ROUNDS", 5)
    assert latency_ms(Watched(), FIELDS, 1, CPU) == 500.0


def set_clock(monkeypatch: pytest.MonkeyPatch, durations: list[float]) -> None:
    """A clock by which calls take so long, in seconds; there is no further call."""
    ticks = iter([t for i, d in enumerate(durations) for t in (float(i * 128), i * 128 + d)])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))


def test_a_cells_cost_has_its_four_figures() -> None:
    trained = FitResult(0.7, 0.5, 1, (), samples=1000, seconds=4.0, stopped="epochs")
    cost = measure(Watched(), FIELDS, CPU, trained)
    assert set(cost) == {"multiply_adds", "latency_ms_1", "latency_ms_4096", "training_rows_per_second"}
    assert cost["multiply_adds"] == 2 + 1
    assert cost["training_rows_per_second"] == 250
