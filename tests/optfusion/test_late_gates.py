"""Gates that wait: open until the supernet has learnt, while weights and operations move from the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nas_fusion.optfusion import GateLearning, OptFusion
from nas_fusion.search import run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import CTRModule, TrainConfig

OFF = {"measured_designs": 0, "measured_closings": 0, "held_out": 0.0, "pressure": 0.0, "gate_noise": 0.0}


@pytest.mark.parametrize(
    ("aucs", "levelled_after"),
    [([0.60, 0.66, 0.70, 0.703, 0.75], 4), ([0.60, 0.59], 2), ([0.6, 0.7, 0.8], None), ([0.7], None)],
)
def test_gates_wait_for_an_epoch_that_brings_less_than_the_margin(
    aucs: list[float], levelled_after: int | None
) -> None:
    strategy = OptFusion(learning=GateLearning(waits=True))
    module = strategy.configure_oneshot_module(CTRModule(TrainConfig()))
    levelled = []
    for auc in aucs:
        strategy.heard_validation(auc, 0.005)
        levelled.append(module.has_levelled)
    expected = [levelled_after is not None and epoch >= levelled_after for epoch in range(1, len(aucs) + 1)]
    assert levelled == expected


def test_gates_of_others_never_wait() -> None:
    strategy = OptFusion()
    assert strategy.configure_oneshot_module(CTRModule(TrainConfig())).has_levelled


def gates_per_epoch(folder: Path, monkeypatch: pytest.MonkeyPatch, levels_off: bool, **options: Any) -> Any:
    """A search of three epochs whose supernet is said to gain much in each, or nothing after the second."""
    aucs = iter([0.5, 0.5 if levels_off else 0.7, 0.9, 0.99])
    plain = OptFusion.heard_validation
    monkeypatch.setattr(OptFusion, "heard_validation", lambda self, valid_auc, margin: plain(self, next(aucs), margin))
    task = tiny_task(tiny_data(folder), budget="3x")
    given = {**OFF, "waits": True, "late_start": 0.0, "arch_learning_rate": 0.1, **options}
    return run_search(STRATEGIES.get("optfusion"), task, given).details


@pytest.mark.slow
def test_alphas_stand_while_operations_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    details = gates_per_epoch(tmp_path, monkeypatch, levels_off=False)
    assert all(set(epoch.values()) == {0.5} for epoch in details["gates"])
    first, last = (torch.tensor(list(epoch["output"].values())) for epoch in details["operations"][::2])
    assert not torch.equal(first, last)


@pytest.mark.slow
def test_alphas_move_from_the_epoch_after_the_supernet_levelled_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = gates_per_epoch(tmp_path, monkeypatch, levels_off=True)
    first, second, third = details["gates"]
    assert set(first.values()) == set(second.values()) == {0.5}
    assert all(alpha != 0.5 for alpha in third.values())
