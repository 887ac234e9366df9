"""The published entries search as published, bit for bit: an obvious loop ends with the same supernet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.data import BatchLoader, SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.nni_bridge import RawFormatModelSpace, SequentialExecutionEngine
from nas_fusion.optfusion import GateLearning, OptFusion
from nas_fusion.search import build_context
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import TrainConfig, oneshot_evaluator, seeded
from nas_fusion.training.optimizers import weights_optimizer

PUBLISHED = ("optfusion-hard", "optfusion-soft")
EPOCHS = 2
RATE = 0.3
"""Criteo's, so that gates close in few steps."""


class _Gate(torch.autograd.Function):
    """1[α > 0], and the gradient as it comes."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor) -> Tensor:
        return (alpha > 0).to(alpha.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


def reference(make: Callable[[], FusionSpace], data: SearchData, config: TrainConfig) -> dict[str, Tensor]:
    """One batch, one backward, Adam on the weights, Adam on α and β (Zhang et al., WSDM 2025), by hand."""
    with seeded(config.seed):
        torch.manual_seed(config.seed)
        space = make()
        OptFusion(arch_learning_rate=RATE).mutate_model(space)
        architecture = [p for name, p in space.named_parameters() if name.endswith((".alpha", ".beta"))]
        for parameter in architecture:
            parameter.requires_grad_(False)
        weights = weights_optimizer(space, config)
        weights.param_groups[:] = [
            {**group, "params": [p for p in group["params"] if all(p is not a for a in architecture)]}
            for group in weights.param_groups
        ]
        for parameter in architecture:
            parameter.requires_grad_(True)
        gates = torch.optim.Adam(architecture, lr=RATE, fused=True)
        space.train()
        loader = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed)
        loader.set_epoch(1)  # Lightning takes the order of epoch 0 before it trains
        for _ in range(EPOCHS):
            for batch in loader:
                weights.zero_grad()
                gates.zero_grad()
                nn.functional.binary_cross_entropy_with_logits(space(batch.ids, batch.values), batch.labels).backward()
                weights.step()
                gates.step()
    return dict(space.state_dict())


@pytest.mark.slow
def test_the_search_is_the_published_one_bit_for_bit(tmp_path: Path) -> None:
    data = tiny_data(tmp_path)
    config = TrainConfig(
        batch_size=64, max_samples=EPOCHS * len(data.train), patience=0, device="cpu", learning_rate=0.01,
        network_l2=1e-4,
    )  # fmt: skip

    def make() -> FusionSpace:
        return FusionSpace.for_schema(data.schema, levels=2, emb_dim=2)

    with seeded(config.seed):
        run = oneshot_evaluator(data, config, keep_best=False)
        strategy = OptFusion(arch_learning_rate=RATE)
        strategy(RawFormatModelSpace(make(), run.evaluator), SequentialExecutionEngine())
    expected, found = reference(make, data, config), strategy.supernet.state_dict()
    assert set(found) == set(expected)
    different = [name for name in expected if not torch.equal(found[name], expected[name])]
    assert not different, {n: float((found[n] - expected[n]).abs().max()) for n in different}
    alphas = torch.cat([value for name, value in found.items() if name.endswith(".alpha")])
    assert 0 < int((alphas > 0).sum()) < len(alphas), "no gate closed: this search shows nothing"
    assert FusionDesign.from_sample(next(iter(strategy.list_models())).sample).is_legal


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_entries_have_no_option_of_ours(name: str, tmp_path: Path) -> None:
    entry = STRATEGIES.get(name)
    assert entry.parameters == {"arch_learning_rate": 0.03, "gate_start": 0.5, "measured_designs": 0}
    assert (entry.keep_best_epoch, entry.patience, entry.operations) == (True, 1, None)
    strategy = entry.build(build_context(tiny_task(tiny_data(tmp_path))), **entry.parameters)
    assert strategy.learning == GateLearning()
    assert not strategy.prefers_small
