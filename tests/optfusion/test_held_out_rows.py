"""Rows on which gates alone are learnt: never in a batch of the weights, in no epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas_fusion.data import Batch, BatchLoader, EncodedSplit
from nas_fusion.optfusion.held_out_rows import TwoLevelLoader
from nas_fusion.search import run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import CTRModule

ROWS = 103


def numbered() -> EncodedSplit:
    """Rows whose only id is their own number."""
    numbers = np.arange(ROWS, dtype=np.int32)[:, None]
    labels = (numbers[:, 0] % 3 == 0).astype(np.float32)
    weights = numbers[:, 0].astype(np.float32) + 1
    return EncodedSplit(numbers, None, labels, int(labels.sum()), weights=weights)


def rows_of(batches: list[Batch]) -> list[int]:
    return [int(row) for batch in batches for row in batch.ids[:, 0]]


def test_rows_are_divided_once_and_for_all() -> None:
    loader = TwoLevelLoader.of(BatchLoader(numbered(), 16, shuffle=True, seed=3), 0.25)
    epochs = [list(loader) for _ in range(3)]
    weights = [rows_of([step["train"] for step in epoch]) for epoch in epochs]
    gates = [rows_of([step["held_out"] for step in epoch]) for epoch in epochs]
    assert all(sorted(w + g) == list(range(ROWS)) for w, g in zip(weights, gates, strict=True))
    assert len({tuple(sorted(rows)) for rows in gates}) == 1
    assert len({tuple(rows) for rows in gates}) == 3, "every epoch has an order of its own"
    assert len(gates[0]) == round(0.25 * ROWS)
    assert len(loader) == len(epochs[0]) == -(-ROWS // 16)
    again = list(TwoLevelLoader.of(BatchLoader(numbered(), 16, shuffle=True, seed=3), 0.25))
    assert rows_of([step["train"] for step in again]) == weights[0]
    other = list(TwoLevelLoader.of(BatchLoader(numbered(), 16, shuffle=True, seed=4), 0.25))
    assert set(rows_of([step["held_out"] for step in other])) != set(gates[0])


def test_labels_and_weights_stay_with_their_rows() -> None:
    step = next(iter(TwoLevelLoader.of(BatchLoader(numbered(), 16, seed=1), 0.5)))
    for batch in (step["train"], step["held_out"]):
        assert torch.equal(batch.labels, batch.ids[:, 0].remainder(3).eq(0).float())
        assert batch.weights is not None
        ratio = batch.weights / (batch.ids[:, 0] + 1)
        assert torch.allclose(ratio, ratio[0])


@pytest.mark.slow
def test_a_search_takes_both_kinds_of_rows_from_the_training_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights step after a batch of theirs and before any held-out one; α and β after a held-out batch alone."""
    seen: list[tuple[str, int, bool]] = []
    plain = CTRModule.training_step

    def watched(self: CTRModule, batch: Batch, batch_idx: int) -> Any:
        seen.append(("batch", len(batch.labels), torch.is_grad_enabled()))
        return plain(self, batch, batch_idx)

    monkeypatch.setattr(CTRModule, "training_step", watched)
    task = tiny_task(tiny_data(tmp_path), budget="2x")
    found = run_search(STRATEGIES.get("optfusion"), task, {"held_out": 0.25, "late_start": 0.0})
    sizes = [size for _, size, _ in seen]
    train, held_out = sum(sizes[::2]), sum(sizes[1::2])
    rows = len(task.data.train)
    assert train + held_out == 2 * rows == found.samples
    assert held_out == 2 * round(0.25 * rows)
