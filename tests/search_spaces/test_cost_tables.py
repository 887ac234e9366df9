"""A design's cost added up from its parts is that of the model that is built."""

from __future__ import annotations

from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from nas_fusion.design import OPERATIONS, FusionDesign, candidate_connections, fused_blocks
from nas_fusion.measures import CostTable, LatencyTable, multiply_adds, parameters
from nas_fusion.nn.blocks import Features
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import (
    DCNv2LowRankSpace,
    DCNv2Space,
    FusionSpace,
    measure_latency_table,
    multiply_add_table,
    parameter_table,
    timing_designs,
)
from tests.field_oracle import MIXED

pytestmark = pytest.mark.slow

SIZES = [4, 3, 5]


class WideDeep(nn.Module):
    """A user's block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def forward(self, fused: Features, embedding: Features) -> Features:
        return self.down(torch.relu(self.up(fused))) * embedding


class LookingBlock(WideDeep):
    """One that cannot run without numbers."""

    def forward(self, fused: Tensor, embedding: Tensor) -> Tensor:
        return super().forward(fused, embedding) * float(fused.sum().item() == 0)


class UsersSpace(FusionSpace):
    def make_deep(self, width: int) -> nn.Module:
        return WideDeep(width)


class LookingSpace(FusionSpace):
    def make_deep(self, width: int) -> nn.Module:
        return LookingBlock(width)


KINDS: dict[str, tuple[type[FusionSpace], dict[str, Any]]] = {
    "dcn": (FusionSpace, {}),
    "dcn with every form of field and batch norm": (FusionSpace, {"field_sizes": MIXED, "batch_norm": True}),
    "product of open inputs": (FusionSpace, {"product": "open"}),
    "without a product": (FusionSpace, {"operations": ("add", "concat", "attention")}),
    "dcnv2": (DCNv2Space, {}),
    "dcnv2-low-rank": (DCNv2LowRankSpace, {}),
    "a user's": (UsersSpace, {}),
    "one that looks": (LookingSpace, {}),
}


@cache
def a_space(kind: str, levels: int) -> tuple[FusionSpace, CostTable, CostTable]:
    make, options = KINDS[kind]
    space = make(**{"field_sizes": SIZES, "emb_dim": 2, "levels": levels, **options})
    return space, parameter_table(space), multiply_add_table(space)


def any_design(space: FusionSpace, seed: int, share: float) -> FusionDesign:
    rng = np.random.default_rng(seed)
    while True:
        is_open = [c for c in candidate_connections(space.levels) if rng.random() < share]
        names = space.designs.operations
        chosen = {b: names[int(rng.integers(len(names)))] for b in fused_blocks(space.levels)}
        design = FusionDesign.build(space.levels, is_open, chosen)
        if design.is_legal:
            return design


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=15, derandomize=True)
@given(levels=st.integers(1, 2), seed=st.integers(0, 10**6), share=st.floats(0.2, 1.0))
def test_hard_designs_cost_what_their_models_cost(kind: str, levels: int, seed: int, share: float) -> None:
    space, weights, work = a_space(kind, levels)
    design = any_design(space, seed, share)
    model = space.derive(design, weights=False)
    assert weights.of(design) == parameters(model)
    assert work.of(design) == multiply_adds(model, space.fields)


@pytest.mark.parametrize("kind", ["dcn", "product of open inputs", "without a product"])
@settings(deadline=None, max_examples=12, derandomize=True)
@given(seed=st.integers(0, 10**6), share=st.floats(0.2, 1.0))
def test_soft_designs_cost_what_their_models_cost(kind: str, seed: int, share: float) -> None:
    space, weights, work = a_space(kind, 2)
    design = any_design(space, seed, share)
    mixture = {b: dict.fromkeys(space.designs.operations, 0.25) for b in fused_blocks(2)}
    model = space.derive(design, mode="soft", mixture=mixture)
    assert weights.of(design, "soft") == parameters(model)
    assert work.of(design, "soft") == multiply_adds(model, space.fields)


def test_counting_leaves_the_random_state_alone() -> None:
    space, _, _ = a_space("one that looks", 1)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    parameter_table(space)
    multiply_add_table(space)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_design_is_cheaper_than_the_cheapest() -> None:
    space, weights, work = a_space("dcn", 1)
    for table in (weights, work):
        least = min(table.of(design) for design in space.designs)
        assert table.of(table.cheapest(1)) == least


def test_tables_survive_json() -> None:
    _, weights, _ = a_space("dcn", 2)
    assert CostTable.from_dict(weights.to_dict()) == weights


def latencies_of(space: FusionSpace, true: CostTable, noise: float = 0.0) -> LatencyTable:
    """A table fitted to a clock that knows what designs take."""
    rng = np.random.default_rng(1)
    waiting = timing_designs(space.designs)
    asked = iter([*waiting, *waiting])

    def time(model: nn.Module) -> float:
        return true.of(*next(asked)) * float(1 + noise * rng.random())

    return measure_latency_table(space, time)


MADE_UP = CostTable(
    "ms",
    1.0,
    0.5,
    2.0,
    {name: (0.0, *(own + slope * k for k in range(1, 9))) for name, own, slope in
     (("add", 0.1, 0.05), ("product", 0.2, 0.1), ("concat", 0.3, 1.0), ("attention", 0.5, 3.0))},
    *((0.0, *(0.9 + 3.5 * k for k in range(1, 9))),) * 2,
)  # fmt: skip


def test_a_latency_table_finds_what_every_part_takes() -> None:
    space, _, _ = a_space("dcn", 2)
    found = latencies_of(space, MADE_UP)
    for seed in range(20):
        design = any_design(space, seed, 0.6)
        if all(design.sources(b) for b in design.live_blocks()[1:]):
            for mode in ("hard", "soft"):
                assert found.table.of(design, mode) == pytest.approx(MADE_UP.of(design, mode), rel=1e-6)
    assert found.margin == pytest.approx(0.1)


def test_a_noisy_clock_gives_no_negative_numbers_and_a_larger_margin() -> None:
    space, _, _ = a_space("dcn", 2)
    found = latencies_of(space, MADE_UP, noise=5.0)
    parts = [found.table.fixed, found.table.shallow, found.table.deep, *sum(found.table.operations.values(), ())]
    assert min(parts) >= 0
    assert found.margin > 0.1
    assert LatencyTable.from_dict(found.to_dict()) == found


def test_a_supernet_is_no_obstacle() -> None:
    """A table can be made of a space that is a supernet already."""
    space = FusionSpace(field_sizes=SIZES, emb_dim=2, levels=1)
    OptFusion().mutate_model(space)
    assert multiply_add_table(space) == a_space("dcn", 1)[2]
    assert set(a_space("dcn", 1)[2].operations) == set(OPERATIONS)
