"""One thread for small steps, all for large ones; the same for the same model, whatever the machine does."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nas_fusion.data import prepare
from nas_fusion.nn import FieldEmbedding
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TrainConfig, fit, predict_logits
from nas_fusion.training.threads import ThreadRule, current_rule, following, threads_of, weights_a_step

CONFIG = TrainConfig(batch_size=100, max_epochs=1, device="cpu")


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As if torch had four threads; what it is told to have is in the list."""
    asked = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: asked[-1])
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    return asked


def model() -> nn.Module:
    """With 30 weights outside of its tables."""
    embedding = FieldEmbedding([5, 3], 2, 6)
    return nn.Sequential(embedding, nn.Linear(6, 1, bias=False))


def test_work_is_the_weights_outside_of_tables_times_the_rows() -> None:
    assert weights_a_step(model(), 100) == 100 * (4 * 6 + 6)


def test_a_supernet_is_more_work_than_its_designs() -> None:
    space = FusionSpace(field_sizes=[5] * 4, levels=2, emb_dim=3)
    design = space.derive(space.designs.sample(np.random.default_rng(0)))
    assert weights_a_step(space, 8) > weights_a_step(design, 8) > 0


@pytest.mark.parametrize(("from_work", "expected"), [(0.0, 4), (3000.0, 4), (3001.0, 1), (math.inf, 1)])
def test_the_rule(four_threads: list[int], from_work: float, expected: int) -> None:
    with following(ThreadRule(from_work)), threads_of(model(), CONFIG):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 4


def test_without_a_rule_nothing_changes(four_threads: list[int]) -> None:
    with following(None), threads_of(model(), CONFIG):
        assert current_rule() is None
    assert four_threads == [4]


def test_one_thread_stays_one(four_threads: list[int]) -> None:
    four_threads.append(1)
    with following(ThreadRule()), threads_of(model(), CONFIG):
        assert four_threads == [4, 1]


def test_on_a_gpu_nothing_changes(four_threads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for device, expected in (("auto", 4), ("cuda:1", 4), ("cpu", 1)):
        with following(ThreadRule(math.inf)), threads_of(model(), replace(CONFIG, device=device)):
            assert torch.get_num_threads() == expected


def test_the_innermost_rule_holds_and_an_error_ends_it() -> None:
    outer, inner = ThreadRule(1.0), ThreadRule(2.0)

    @following(inner)
    def fails() -> None:
        assert current_rule() is inner
        raise KeyError

    with following(outer):
        with pytest.raises(KeyError):
            fails()
        assert current_rule() is outer
    assert current_rule() is None


@pytest.mark.parametrize("rule", [ThreadRule(), ThreadRule(2.5e8), ThreadRule(math.inf)])
def test_a_rule_can_be_written_down(rule: ThreadRule) -> None:
    assert ThreadRule.from_dict(json.loads(json.dumps(rule.to_dict(), allow_nan=False))) == rule


def test_a_training_and_its_predictions_follow_it(four_threads: list[int], tmp_path: object) -> None:
    data = prepare("synthetic:300")
    torch.manual_seed(0)
    embedding = FieldEmbedding(data.schema.field_sizes, 2)
    network = nn.Sequential(embedding, nn.Linear(embedding.width, 1), nn.Flatten(0))
    found: list[int] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: torch.Tensor, values: torch.Tensor | None = None) -> torch.Tensor:
            found.append(torch.get_num_threads())
            logits: torch.Tensor = self.network(ids)
            return logits

    watched = Watched()
    work = weights_a_step(watched, CONFIG.batch_size)
    for from_work, expected in ((work, 4), (work + 1, 1)):
        with following(ThreadRule(from_work)):
            fit(watched, data.search_view(), config=CONFIG)
            predict_logits(watched, data.valid, CONFIG)
        assert set(found) == {expected}
        found.clear()
