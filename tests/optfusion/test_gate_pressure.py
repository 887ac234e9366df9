"""What an open connection costs: gates' gradients with pressure, against formulas in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nas_fusion.errors import OptionError
from nas_fusion.measures import CostTable
from nas_fusion.optfusion import GateLearning, OptFusion, OptFusionNode
from nas_fusion.optfusion.gate_pressure import GatePressure
from nas_fusion.search_spaces import FusionSpace

FIELDS = [4, 3]
ROWS = 12
BLOCKS = ("embedding", "cross0", "cross1", "deep1")


def supernet(**options: Any) -> tuple[FusionSpace, dict[str, OptFusionNode]]:
    """One level, two fields of width two, in float64, with weights that are no longer zero."""
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=FIELDS, levels=1, emb_dim=2)
    OptFusion(**options).mutate_model(space)
    space.double()
    for parameter in space.network.parameters():
        if parameter.dim() > 0 and parameter.requires_grad and parameter.shape not in [(1,), (2,), (4,)]:
            torch.nn.init.normal_(parameter, std=0.5)
    return space, {m.block: m for m in space.modules() if isinstance(m, OptFusionNode)}


def ids() -> Tensor:
    return torch.stack([torch.arange(ROWS) % n for n in FIELDS], dim=1)


LABELS = torch.arange(ROWS).remainder(3).eq(0).double()


def outputs_of(space: FusionSpace, nodes: dict[str, OptFusionNode]) -> list[Tensor]:
    """What the output's node takes, block by block."""
    taken: list[Tensor] = []
    handle = nodes["output"].register_forward_pre_hook(lambda module, args: taken.extend(args[0]))
    space(ids())
    handle.remove()
    return taken


def test_pressure_is_added_to_the_gradient_of_the_clicks_loss() -> None:
    """Of the output's gates, with sums alone: ``∂L/∂α_j = mean((σ(logit) - y) · w·x_j) + λ r^(s - 1)``."""
    space, nodes = supernet(search="connections", operation="add")
    nodes["output"].alpha.data[1] = -0.3  # a closed one is priced, too
    with torch.no_grad():
        inputs = [x.numpy() for x in outputs_of(space, nodes)]
        head = space.network.head
        weight, bias = (p.detach().numpy() for p in head.parameters())
    gates = np.array([1.0, 0.0, 1.0, 1.0])
    products = np.stack([x @ weight.reshape(-1) for x in inputs], axis=1)
    chance = 1 / (1 + np.exp(-(products @ gates + bias)))
    clicks = ((chance - LABELS.numpy())[:, None] * products).mean(axis=0)
    torch.nn.functional.binary_cross_entropy_with_logits(space(ids()), LABELS).backward()
    learning = GateLearning(pressure=0.01, pressure_rise=100.0)
    pressure = GatePressure.of(space, learning, None)
    assert pressure is not None
    pressure.add(0.5)
    assert nodes["output"].alpha.grad is not None
    np.testing.assert_allclose(nodes["output"].alpha.grad.numpy(), clicks + 0.01 / 10, rtol=1e-12)


def test_pressure_rises_evenly_in_its_logarithm_to_what_is_asked_for() -> None:
    learning = GateLearning(pressure=0.008, pressure_rise=64.0)
    found = [learning.pressure_at(share) for share in (0.0, 0.5, 1.0, 1.2)]
    np.testing.assert_allclose(found, [0.008 / 64, 0.008 / 8, 0.008, 0.008], rtol=1e-12)
    assert GateLearning(pressure=0.3).pressure_at(0.1) == pytest.approx(0.3)


COSTS = CostTable(
    "made up", 1.0, shallow=2.0, deep=5.0, operations={"add": (0.0, 0.0, 1.0, 2.0, 3.0)},
    mixture=(0.0, 0.0, 1.0, 2.0, 3.0), partial_mixture=(0.0, 0.0, 1.0, 2.0, 3.0),
)  # fmt: skip


def test_prices_by_cost_are_what_a_connection_adds() -> None:
    """One level, sums, all open: blocks cost 2, 2 and 5, merging k inputs k - 1; embedding and head do not change.

    An input of cross1 or deep1, which have two, adds (1 - 0) / 2 towards one and the same from nought to one: the mean
    slope around two is that to the next lower number, 1. The output has four: 1. No block lives by one consumer alone
    but cross1 and deep1, which only the output takes: closing that saves the block too, 2 + 1 and 5 + 1.
    """
    space = FusionSpace(field_sizes=FIELDS, levels=1, emb_dim=2, operations=("add",))
    OptFusion().mutate_model(space)
    pressure = GatePressure.of(space, GateLearning(pressure=1.0, priced_by="cost"), COSTS)
    assert pressure is not None
    found = dict(zip(pressure.nodes, (prices.tolist() for prices in pressure.prices()), strict=True))
    raw = {"cross0": [2.0 * 0], "cross1": [1.0, 1.0], "deep1": [1.0, 1.0], "output": [1.0, 1.0, 4.0, 7.0]}
    mean = np.mean([price for prices in raw.values() for price in prices])
    for block, prices in raw.items():
        np.testing.assert_allclose(found[block], np.array(prices) / mean, rtol=1e-6)


def test_no_pressure_is_none_at_all() -> None:
    space, _ = supernet()
    assert GatePressure.of(space, GateLearning(), None) is None
    fixed, _ = supernet(search="operations")
    assert GatePressure.of(fixed, GateLearning(pressure=1.0), None) is None


def test_noise_is_drawn_while_training_alone() -> None:
    space, nodes = supernet(learning=GateLearning(gate_noise=100.0))
    closed = []
    handle = nodes["output"].register_forward_hook(lambda module, args, result: closed.append(result.detach().clone()))
    space.train()
    for _ in range(8):
        space(ids())
    space.eval()
    for _ in range(3):
        space(ids())
    handle.remove()
    assert len({tuple(x.flatten().tolist()) for x in closed[:8]}) > 1
    assert len({tuple(x.flatten().tolist()) for x in closed[8:]}) == 1
    plain, _ = supernet()
    plain.eval()
    torch.testing.assert_close(plain(ids()), space(ids()))


def test_bad_options_are_named() -> None:
    with pytest.raises(OptionError, match="pressure must be"):
        GateLearning(pressure=-1.0)
    with pytest.raises(OptionError, match="priced_by must be"):
        GateLearning(priced_by="weight")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="held_out must be"):
        GateLearning(held_out=1.0)
    with pytest.raises(OptionError, match="sparsest_epoch must be"):
        GateLearning(sparsest_epoch=1)  # type: ignore[arg-type]
