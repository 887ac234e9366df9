"""Hand-made models are points of the wide space: the same weights give the same logits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.baselines.models import MODELS
from nas_fusion.baselines.models.model_parts import Tower
from nas_fusion.baselines.wide_points import POINTS, point_of
from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, candidate_connections
from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.nn import Fields, FusionNetwork
from nas_fusion.nn.operations import heads_of
from nas_fusion.search_spaces import DesignSet, WideSpace
from nas_fusion.strategy import STRATEGIES

LEVELS, ROWS = 3, 12
FIELDS = Fields.of((4, FieldShape(3, FieldForm.SCALED), 5), emb_dim=2)
D = FIELDS.width

SIZES: dict[str, dict[str, Any]] = {
    "fnn": {},
    "dcnv2-stacked": {"cross_layers": LEVELS},
    "dcnv2-parallel": {"cross_layers": LEVELS + 1},
    "edcn": {"layers": LEVELS},
    "finalmlp": {"hidden_width": D, "second_width": D, "gate_width": D, "heads": heads_of(D)},
}
"""What has to be said of each model; everything else is its default."""


def wide(levels: int = LEVELS, **options: Any) -> WideSpace:
    return WideSpace(field_sizes=FIELDS.shapes, levels=levels, emb_dim=FIELDS.emb_dim, **options)


def load(target: Any, source: Any) -> None:
    target.load_state_dict(source.state_dict())


def assign(target: Any, value: Tensor) -> None:
    assert target.shape == value.shape
    target.copy_(value)


def load_tower(block: Any, tower: Tower, head: Tensor) -> None:
    """A tower, and the head behind it in the first row of its map, where the head of `read_first` reads it."""
    for kind, targets in ((nn.Linear, block.layers), (nn.BatchNorm1d, block.norms or [])):
        sources = [layer for layer in tower if isinstance(layer, kind)]
        for target, source in zip(targets, sources, strict=True):
            load(target, source)
    nn.init.zeros_(block.back.weight)
    assign(block.back.weight[0], head)


def read_first(point: FusionNetwork, bias: Tensor) -> None:
    nn.init.zeros_(point.head.weight)
    point.head.weight[0, 0] = 1.0
    assign(point.head.bias, bias)


def read_all(point: FusionNetwork, bias: Tensor) -> None:
    nn.init.ones_(point.head.weight)
    assign(point.head.bias, bias)


def from_fnn(point: FusionNetwork, model: Any) -> None:
    load_tower(point.blocks["deep1"], model.deep.tower, model.deep.head.weight[0])
    read_first(point, model.deep.head.bias)


def from_dcnv2_stacked(point: FusionNetwork, model: Any) -> None:
    for place, layer in enumerate(model.crosses.layers):
        load(point.blocks[f"cross{place}"], layer)
    load_tower(point.blocks[f"deep{LEVELS}"], model.deep.tower, model.deep.head.weight[0])
    read_first(point, model.deep.head.bias)


def from_dcnv2_parallel(point: FusionNetwork, model: Any) -> None:
    for place, layer in enumerate(model.crosses.layers):
        load(point.blocks[f"cross{place}"], layer)
    crosses, tower = model.head.weight[0].split([D, model.tower.width])
    load_tower(point.blocks["deep1"], model.tower, tower)
    assert point.sources[OUTPUT] == ("deep1", f"cross{LEVELS}")
    concat = cast(Any, point.nodes[OUTPUT]).operation.linear
    for weight in concat.parameters():
        nn.init.zeros_(weight)
    concat.weight[0, 0] = 1.0
    assign(concat.weight[0, D:], crosses)
    read_first(point, model.head.bias)


def from_edcn(point: FusionNetwork, model: Any) -> None:
    def regulate(target: Any, layer: int, tower: int) -> None:
        assign(target.gates, model.regulations[layer].gates[tower])
        if target.norm is not None:
            load(target.norm, model.regulations[layer].norms[tower])

    for layer in range(LEVELS):
        crossing, dense = cast(Any, point.blocks[f"cross{layer + 1}"]), cast(Any, point.blocks[f"deep{layer + 1}"])
        regulate(crossing.regulation, layer, 0)
        regulate(crossing.start, 0, 0)
        regulate(dense.regulation, layer, 1)
        load(crossing.cross, model.crosses[layer])
        load(dense.dense, model.denses[layer])
    cross, deep, bridge = model.head.weight[0].split(D)
    load_bilinear(point, torch.stack([cross, deep]), torch.block_diag(*torch.diag(bridge)[None]))
    read_all(point, model.head.bias)


def load_bilinear(point: FusionNetwork, scale: Tensor, matrix: Tensor) -> None:
    operation = cast(Any, point.nodes[OUTPUT]).operation
    assign(operation.scale, scale)
    part = D // operation.heads
    assign(operation.weight[0], torch.stack([matrix[i : i + part, i : i + part] for i in range(0, D, part)]))


def from_finalmlp(point: FusionNetwork, model: Any) -> None:
    for block, gate, tower in (("deep1", model.first_gate, model.first), ("deep2", model.second_gate, model.second)):
        gated = cast(Any, point.blocks[block])
        assign(gated.context, gate.context.vector[0])
        load(gated.hidden, gate.hidden)
        load(gated.scores, gate.scores)
        load(gated.dense.linear, tower[0])
        if gated.dense.norm is not None:
            load(gated.dense.norm, tower[1])
    load_bilinear(point, model.fusion.linear.weight.unflatten(1, (2, D))[0], torch.block_diag(*model.fusion.weight))
    read_all(point, model.fusion.linear.bias)


COPIES: dict[str, Callable[[FusionNetwork, Any], None]] = {
    "fnn": from_fnn,
    "dcnv2-stacked": from_dcnv2_stacked,
    "dcnv2-parallel": from_dcnv2_parallel,
    "edcn": from_edcn,
    "finalmlp": from_finalmlp,
}


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    ids = torch.stack([torch.randint(0, size, (ROWS,), generator=generator) for size in (4, 3, 5)], dim=1)
    return ids, torch.rand(ROWS, 1, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
@pytest.mark.parametrize("name", POINTS)
@torch.no_grad()
def test_the_same_weights_give_the_same_logits(name: str, batch_norm: bool) -> None:
    space = wide(batch_norm=batch_norm)
    design = POINTS[name](space.designs)
    assert design is not None
    assert space.designs.problem(design) is None
    model = MODELS[name].for_fields(FIELDS, batch_norm=batch_norm, dropout=0.0, **SIZES[name]).double().train()
    point = space.derive(design, weights=False).double().train()
    torch.manual_seed(1)
    for weight in model.parameters():
        weight.normal_(std=0.5 if weight.shape[-1] < 100 else 0.05)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.weight.uniform_(0.5, 1.5)
    load(point.embedding, model.embedding)
    COPIES[name](point, model)
    ids, values = batch()
    # While training, by the batch's mean and variance, and then by the running ones.
    for is_training in (True, False):
        wanted = model.train(is_training)(ids, values)
        assert wanted.std() > 1e-3
        torch.testing.assert_close(point.train(is_training)(ids, values), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", POINTS)
def test_a_point_has_no_more_than_its_model_needs(name: str) -> None:
    design = POINTS[name](wide().designs)
    assert design is not None
    live = set(chain(*design.pruned().connections))
    assert {EMBEDDING, OUTPUT} < live == set(design.live_blocks())


def test_a_model_is_no_point_where_something_of_it_is_missing() -> None:
    assert POINTS["finalmlp"](wide(levels=1).designs) is None
    assert POINTS["fnn"](wide(levels=1).designs) is not None
    without = wide(operations=("add", "concat")).designs
    assert [name for name in POINTS if POINTS[name](without) is not None] == ["fnn", "dcnv2-stacked", "dcnv2-parallel"]


def test_starts_of_references() -> None:
    """Of the wide space the points and two plain designs; of a plain one what holds whatever its blocks are."""
    wide_set, plain = wide().designs, DesignSet(LEVELS)
    starts = {name: entry.point for name, entry in STRATEGIES if entry.point is not None}
    assert set(starts) == {"stacked", "parallel", *POINTS}
    assert all(start(wide_set) is not None for start in starts.values())
    assert {name for name, start in starts.items() if start(plain) is not None} == {"stacked", "parallel", "fnn"}
    assert point_of(MODELS["deepfm"]) is None


def test_the_plain_designs_take_the_first_variants() -> None:
    design = STRATEGIES.get("parallel").reference_design(wide().designs)
    assert dict(design.variants) == {f"cross{i}": "cross" for i in range(4)} | {f"deep{i}": "dense" for i in (1, 2, 3)}
    plain = STRATEGIES.get("parallel").reference_design(DesignSet(LEVELS))
    assert plain == FusionDesign(LEVELS, design.connections, design.operations)
    assert set(plain.connections) < set(candidate_connections(LEVELS))
