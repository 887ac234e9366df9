"""`FusionSpace` as an NNI model space and as a set of designs."""

from __future__ import annotations

from typing import Any, ClassVar

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from nas_fusion.design import FusionDesign, candidate_connections
from nas_fusion.errors import DesignError, OptionError
from nas_fusion.nn import FusionOperation, MatrixCrossBlock
from nas_fusion.nni_bridge import SampleValidationError, SimplifiedModelSpace, nni
from nas_fusion.search_spaces import SPACES, DCNv2LowRankSpace, DCNv2Space, DesignSet, FusionSpace, make_legal

FIELDS = [4, 3, 5]


def small_space(levels: int = 2, **options: Any) -> FusionSpace:
    return FusionSpace(field_sizes=FIELDS, levels=levels, emb_dim=2, **options)


def ids(rows: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.stack([torch.randint(0, n, (rows,), generator=generator) for n in FIELDS], dim=1)


def test_size_before_legality() -> None:
    assert small_space(levels=3).designs.size == 2**33 * 4**7
    assert len(small_space(levels=3).simplify()) == 33 + 7


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_labels_are_those_of_the_design(levels: int) -> None:
    space = small_space(levels)
    design = space.designs.sample(1)
    assert set(space.simplify()) == set(design.to_sample())
    assert space.contains(design.to_sample())


@settings(deadline=None, max_examples=60)
@given(levels=st.integers(1, 4), seed=st.integers(0, 10**6), probability=st.floats(0.01, 1.0))
def test_sampled_and_mutated_designs_are_legal_and_reproducible(levels: int, seed: int, probability: float) -> None:
    designs = DesignSet(levels)
    design = designs.sample(seed)
    assert design.is_legal
    assert designs.sample(seed) == design
    mutated = designs.mutate(design, seed, probability)
    assert mutated.is_legal
    assert mutated != design
    assert designs.mutate(design, seed, probability) == mutated


@settings(deadline=None, max_examples=100)
@given(levels=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_any_choices_become_legal_by_opening_connections_only(levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    candidates = candidate_connections(levels)
    few = [c for c in candidates if rng.random() < 0.1]
    design = FusionDesign.build(levels, few, "concat")
    scores = dict(zip(candidates, rng.normal(size=len(candidates)).tolist(), strict=True))
    legal = make_legal(design, scores)
    assert legal.is_legal
    assert set(design.connections) <= set(legal.connections)
    assert legal.operations == design.operations
    if design.is_legal:
        assert legal == design


def test_a_closed_output_reopens_its_largest_score() -> None:
    design = FusionDesign.build(1, [("embedding", "deep1"), ("embedding", "cross1")], "add")
    scores = dict.fromkeys(candidate_connections(1), -1.0) | {("deep1", "output"): -0.2}
    assert make_legal(design, scores).sources("output") == ("deep1",)


def test_enumeration_of_a_small_space_holds_every_legal_design_once() -> None:
    designs = DesignSet(1, ("add",))
    found = list(designs)
    assert len(found) == len(set(found))
    everything = 2 ** len(candidate_connections(1))
    illegal = sum(not d.is_legal for d in _all_designs_of_one_level())
    assert len(found) == everything - illegal


def _all_designs_of_one_level() -> list[FusionDesign]:
    candidates = candidate_connections(1)
    return [
        FusionDesign.build(1, [c for j, c in enumerate(candidates) if bits >> j & 1], "add")
        for bits in range(2 ** len(candidates))
    ]


def test_nni_refuses_samples_of_illegal_designs() -> None:
    space = small_space(1)
    illegal = FusionDesign.build(1, [], "add").to_sample()
    assert not space.contains(illegal)
    simplified = SimplifiedModelSpace.from_model(space)
    with pytest.raises(SampleValidationError, match="no open input"):
        simplified.freeze(illegal)
    with pytest.raises(DesignError, match="no open input"):
        space.freeze(illegal)


def test_nni_random_is_seeded_and_legal() -> None:
    space = small_space()
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    space.random(first, np.random.RandomState(3))
    space.random(second, np.random.RandomState(3))
    assert first == second
    assert FusionDesign.from_sample(first).is_legal


def test_freeze_keeps_weights_or_draws_new_ones() -> None:
    space = small_space()
    design = FusionDesign.build(2, candidate_connections(2), "concat")
    kept = space.freeze(design.to_sample())
    fresh = space.freeze(design.to_sample(), weights=False)
    assert torch.equal(kept.head.weight, space.network.head.weight)
    assert not torch.equal(fresh.head.weight, kept.head.weight)
    shapes = {name: p.shape for name, p in kept.named_parameters()}
    assert {name: p.shape for name, p in fresh.named_parameters()} == shapes
    kept.head.weight.data.zero_()
    assert space.network.head.weight.abs().sum() > 0, "a frozen model shares no memory with the space"


def test_a_model_context_builds_the_derived_model() -> None:
    space = small_space()
    design = space.designs.sample(5)
    frozen = SimplifiedModelSpace.from_model(space).freeze(design.to_sample())
    model = frozen.executable_model()
    expected = {name: p.shape for name, p in space.derive(design).named_parameters()}
    assert {name: p.shape for name, p in model.network.named_parameters()} == expected
    assert model(ids()).shape == (6,)


def test_space_survives_nni_serialisation() -> None:
    space = small_space(product="open", batch_norm=True)
    again = nni.load(nni.dump(SimplifiedModelSpace.from_model(space).freeze(space.designs.sample(2).to_sample())))
    assert FusionDesign.from_sample(again.sample) == space.designs.sample(2)
    assert again.executable_model()(ids()).shape == (6,)


def test_dry_run_is_a_legal_model() -> None:
    assert small_space()(ids()).shape == (6,)


@pytest.mark.parametrize("space_type", [DCNv2Space, DCNv2LowRankSpace])
def test_other_crosses_take_a_subclass_of_a_few_lines(space_type: type[FusionSpace]) -> None:
    space = space_type(field_sizes=FIELDS, levels=2, emb_dim=2)
    model = space.derive(space.designs.sample(0), weights=False)
    assert model(ids()).shape == (6,)
    full = FusionDesign.build(2, candidate_connections(2), "add")
    cross = space.derive(full).blocks["cross1"]
    assert isinstance(cross, MatrixCrossBlock) == (space_type is DCNv2Space)


class Maximum(FusionOperation):
    """The largest of the inputs, feature by feature."""

    name = "maximum"

    def forward(self, inputs: Any, gates: Any = None) -> torch.Tensor:
        return torch.stack(list(inputs)).amax(dim=0)


class MaximumSpace(FusionSpace):
    operation_types: ClassVar = {**FusionSpace.operation_types, "maximum": Maximum}

    def make_deep(self, width: int) -> nn.Module:
        return MatrixCrossBlock(width)


def test_blocks_and_operations_are_pluggable() -> None:
    space = MaximumSpace(field_sizes=FIELDS, levels=2, emb_dim=2, operations=("add", "maximum"))
    assert space.designs.size == 2 ** len(candidate_connections(2)) * 2**5
    design = space.designs.sample(4)
    assert space.derive(design, weights=False)(ids()).shape == (6,)


def test_unknown_operation_is_refused() -> None:
    with pytest.raises(OptionError, match="'mean'"):
        small_space(operations=("add", "mean"))


def test_a_design_of_another_space_is_refused() -> None:
    design = DesignSet(3).sample(0)
    with pytest.raises(DesignError, match="3 levels, the space has 2"):
        small_space().derive(design)
    with pytest.raises(DesignError, match="the space knows add"):
        small_space(operations=("add",)).derive(FusionDesign.build(2, candidate_connections(2), "concat"))


def test_registry_of_spaces() -> None:
    assert SPACES.names()[:3] == ("dcn", "dcnv2", "dcnv2-low-rank")
    assert SPACES.get("dcn") is FusionSpace
