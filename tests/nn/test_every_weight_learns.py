"""Models that are trained have no weight that can never get a gradient, and new weights start as published."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_fusion.baselines.models import MODELS
from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, candidate_connections, fused_blocks
from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.measures import parameters
from nas_fusion.nn import Fields
from nas_fusion.nn.blocks import for_no_input
from nas_fusion.nn.operations import OPERATION_TYPES
from nas_fusion.search_spaces import DCNv2LowRankSpace, DCNv2Space, FusionSpace, parameter_table
from nas_fusion.search_spaces.interaction import InteractionNetwork, InteractionSpace
from nas_fusion.search_spaces.nasrec import NasRecNetwork, NasRecSpace

pytestmark = pytest.mark.slow

FIELDS = Fields.of((4, FieldShape(3, FieldForm.SCALED), 5), emb_dim=2)
BATCHES, ROWS = 3, 24

SPACES: dict[str, Callable[[int], FusionSpace]] = {
    "dcn": lambda levels: space(FusionSpace, levels),
    "product of open inputs": lambda levels: space(FusionSpace, levels, product="open"),
    "without concat": lambda levels: space(FusionSpace, levels, operations=("add", "product", "attention")),
    "residual product": lambda levels: space(
        FusionSpace, levels, operations=("add", "residual-product", "concat", "attention")
    ),
    "bilinear": lambda levels: space(FusionSpace, levels, operations=("add", "bilinear", "concat", "attention")),
    "dcnv2": lambda levels: space(DCNv2Space, levels),
    "dcnv2-low-rank": lambda levels: space(DCNv2LowRankSpace, levels),
}


def space(kind: type[FusionSpace], levels: int, **options: Any) -> FusionSpace:
    return kind(field_sizes=FIELDS.shapes, levels=levels, emb_dim=2, **options)


def designs(of: FusionSpace, number: int) -> Iterator[FusionDesign]:
    """Legal designs, most of them with blocks that have no open input."""
    rng = np.random.default_rng(of.levels)
    names, found = of.designs.operations, 0
    while found < number:
        share = rng.uniform(0.2, 0.8)
        is_open = [c for c in candidate_connections(of.levels) if rng.random() < share]
        design = FusionDesign.build(of.levels, is_open, {b: str(rng.choice(names)) for b in fused_blocks(of.levels)})
        if design.is_legal:
            found += 1
            yield design


def largest_gradients(model: nn.Module, *, scale: float = 1.0) -> dict[str, float | None]:
    """The largest gradient of every parameter over some batches; None if it got none.

    Weights are positive, so that ReLU passes what is not normalised.
    """
    generator = torch.Generator().manual_seed(0)
    model.double().train()
    for parameter in model.parameters():
        parameter.data.uniform_(0.1 * scale, scale, generator=generator)
    found: dict[str, float | None] = dict.fromkeys(name for name, _ in model.named_parameters())
    for _ in range(BATCHES):
        ids = torch.stack([torch.randint(size, (ROWS,), generator=generator) for size in (4, 3, 5)], dim=1)
        values = torch.rand(ROWS, 1, generator=generator).double()
        model.zero_grad()
        (model(ids, values) * torch.randn(ROWS, generator=generator).double()).sum().backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                found[name] = max(found[name] or 0.0, float(parameter.grad.abs().max()))
    return found


def check_all_learn(model: nn.Module, what: object) -> None:
    gradients = largest_gradients(model, scale=0.5)
    largest = max(gradient or 0.0 for gradient in gradients.values())
    useless = [name for name, gradient in gradients.items() if gradient is None or gradient < 1e-12 * largest]
    assert not useless, f"{what}: no gradient for {useless}"


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("kind", SPACES)
def test_derived_models(kind: str, levels: int) -> None:
    of = SPACES[kind](levels)
    constants = 0
    for design in designs(of, 12):
        mixture = {
            b: dict.fromkeys(of.designs.operations, 1 / len(of.designs.operations)) for b in fused_blocks(levels)
        }
        check_all_learn(of.derive(design, weights=False), design)
        check_all_learn(of.derive(design), design)
        check_all_learn(of.derive(design, mode="soft", mixture=mixture), f"soft: {design}")
        constants += any(not design.sources(b) for b in design.live_blocks() if b != EMBEDDING)
    assert constants > 2, "too few designs with blocks without input: this shows nothing"


def test_under_batch_norm_biases_stay_as_published() -> None:
    """A bias in front of a norm moves nothing; BARS has and counts it, and its gradient is not absent."""
    of = space(FusionSpace, 2, batch_norm=True)
    for design in designs(of, 12):
        gradients = largest_gradients(of.derive(design, weights=False))
        assert None not in gradients.values()


def test_a_mixture_leaves_out_what_has_no_weight() -> None:
    of = space(FusionSpace, 1)
    design = FusionDesign.build(1, candidate_connections(1), "add")
    mixture = {b: {"add": 1.0, "product": 1e-60, "concat": 0.0, "attention": 1e-9} for b in fused_blocks(1)}
    node = of.derive(design, mode="soft", mixture=mixture).nodes[OUTPUT]
    assert list(node.operations) == ["add", "attention"]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODELS)
def test_hand_made_models(name: str) -> None:
    own = MODELS[name].parameters
    small = {k: v for k, v in {"hidden_width": 4, "gate_width": 4, "heads": 1, "batch_norm": False}.items() if k in own}
    check_all_learn(MODELS[name].for_fields(FIELDS, **small), name)


@pytest.mark.parametrize("bridge", OPERATION_TYPES)
def test_bridges(bridge: str) -> None:
    check_all_learn(MODELS["edcn"].for_fields(FIELDS, batch_norm=False, bridge=bridge), bridge)


def test_gates_with_a_context() -> None:
    shape = {"hidden_width": 4, "batch_norm": False, "gate_width": 4, "heads": 1}
    check_all_learn(
        MODELS["finalmlp"].for_fields(FIELDS, **shape, first_context=(0,), second_context=(1, 2)), "finalmlp"
    )


@cache
def wide() -> Fields:
    return Fields(FIELDS.shapes, emb_dim=4)


def test_interaction_designs() -> None:
    of = InteractionSpace(wide(), (4, 8))
    rng = np.random.default_rng(0)
    for _ in range(25):
        design = of.sample(rng)
        check_all_learn(InteractionNetwork(wide(), design), design)


def test_paths_of_choice_blocks() -> None:
    of = NasRecSpace(wide(), (4, 8), blocks=3)
    rng = np.random.default_rng(0)
    for _ in range(25):
        design = of.sample(rng)
        check_all_learn(NasRecNetwork(wide(), design), design)


@pytest.mark.parametrize("kind", SPACES)
def test_a_block_without_input_is_its_constant(kind: str) -> None:
    of = SPACES[kind](1)
    embedding = torch.randn(5, 6)
    for make in (of.make_shallow, of.make_deep):
        block = make(6)
        for parameter in block.parameters():
            parameter.data.normal_()
        constant = for_no_input(block)
        torch.testing.assert_close(constant(torch.zeros(5, 6), embedding), block(torch.zeros(5, 6), embedding))
        assert parameters(constant) == 6


@pytest.mark.parametrize("operation", OPERATION_TYPES)
def test_the_table_counts_no_weight_of_a_block_without_input(operation: str) -> None:
    """Deep 1 takes nothing and feeds the output: its own bias is left, or the concat's and all of the block."""
    of = space(FusionSpace, 1, operations=tuple(OPERATION_TYPES))
    chosen = {"cross1": "add", "deep1": operation, OUTPUT: "add"}
    design = FusionDesign.build(1, [(EMBEDDING, OUTPUT), ("deep1", OUTPUT)], chosen)
    model = of.derive(design, weights=False)
    deep = 6 if operation != "concat" else 6 + (6 * 6 + 6)
    assert parameters(model) == parameter_table(of).of(design) == 12 * 2 + deep + 7


def test_a_new_concat_starts_within_the_bound_of_all_candidate_inputs() -> None:
    """As published, where closed inputs are zeros; two of eight are open here."""
    torch.manual_seed(0)
    of = FusionSpace(field_sizes=[3] * 10, levels=3, emb_dim=4)
    design = FusionDesign.build(3, [(EMBEDDING, OUTPUT), (EMBEDDING, "deep1"), ("deep1", OUTPUT)], "concat")
    nodes, width = of.derive(design, weights=False).nodes, 40
    for block, open_inputs, candidates in ((OUTPUT, 2, 8), ("deep1", 1, 2)):
        weights = dict(nodes[block].named_parameters())
        assert weights["operation.linear.weight"].shape == (width, open_inputs * width)
        bound = 1 / math.sqrt(candidates * width)
        for weight in weights.values():
            assert 0.9 * bound < float(weight.detach().abs().max()) <= bound
