"""`FusionDesign`: a value that survives JSON and NNI, and knows whether it is legal."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from nas_fusion.design import (
    OPERATIONS,
    FusionDesign,
    block_names,
    candidate_connections,
    candidate_sources,
    fused_blocks,
)
from nas_fusion.errors import DesignError, OptionError


@st.composite
def designs(draw: st.DrawFn) -> FusionDesign:
    levels = draw(st.integers(1, 4))
    connections = draw(st.sets(st.sampled_from(candidate_connections(levels))))
    operations = {block: draw(st.sampled_from(OPERATIONS)) for block in fused_blocks(levels)}
    return FusionDesign.build(levels, connections, operations)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 7])
def test_numbers_of_connections_and_operations(levels: int) -> None:
    assert len(candidate_connections(levels)) == 2 * levels**2 + 4 * levels + 3
    assert len(fused_blocks(levels)) == 2 * levels + 1
    assert len(block_names(levels)) == 2 * levels + 3


def test_cross_and_deep_of_a_level_do_not_feed_each_other() -> None:
    assert candidate_sources("deep2", 3) == ("embedding", "cross0", "cross1", "deep1")
    assert candidate_sources("cross2", 3) == candidate_sources("deep2", 3)
    assert candidate_sources("cross0", 3) == ("embedding",)
    assert candidate_sources("output", 1) == ("embedding", "cross0", "cross1", "deep1")


@given(designs())
def test_json_and_nni_sample_lose_nothing(design: FusionDesign) -> None:
    assert FusionDesign.from_json(design.to_json()) == design
    assert FusionDesign.from_sample(design.to_sample()) == design
    assert FusionDesign.from_sample(json.loads(json.dumps(design.to_sample()))) == design
    assert hash(FusionDesign.from_json(design.to_json())) == hash(design)


@given(designs())
def test_legal_means_that_the_output_depends_on_the_embedding(design: FusionDesign) -> None:
    reached = {"embedding"}
    for block in block_names(design.levels):
        if any(source in reached for source in design.sources(block)):
            reached.add(block)
    assert design.is_legal == ("output" in reached)


@given(designs())
def test_pruning_keeps_what_reaches_the_output_and_is_idempotent(design: FusionDesign) -> None:
    pruned = design.pruned()
    assert pruned.live_blocks() == design.live_blocks()
    assert pruned.pruned() == pruned
    assert all(pruned.sources(b) == design.sources(b) for b in design.live_blocks())


def test_order_of_connections_does_not_matter() -> None:
    one = FusionDesign.build(1, [("embedding", "output"), ("embedding", "cross0")], "add")
    other = FusionDesign.build(1, [("embedding", "cross0"), ("embedding", "output")], "add")
    assert one == other


def test_illegal_designs_say_why() -> None:
    with pytest.raises(DesignError, match="output has no open input"):
        FusionDesign.build(1, [("embedding", "cross0")], "add").check()
    with pytest.raises(DesignError, match="no open path"):
        FusionDesign.build(1, [("cross1", "output")], "add").check()


def test_bad_designs_are_refused_with_a_reason() -> None:
    with pytest.raises(DesignError, match="deep1 -> cross1 is no candidate"):
        FusionDesign.build(1, [("deep1", "cross1")], "add")
    with pytest.raises(DesignError, match=r"missing \['deep1'"):
        FusionDesign.build(1, [], {"cross1": "add"})
    with pytest.raises(OptionError, match="levels must be an integer from 1 to 32"):
        FusionDesign.build(0, [], {})
    with pytest.raises(DesignError, match="not a fusion design in JSON"):
        FusionDesign.from_json("{")
    with pytest.raises(DesignError, match="format must be 1 or 2, got 9"):
        FusionDesign.from_json('{"format": 9, "levels": 1, "connections": [], "operations": {}}')
    sample = FusionDesign.build(1, [("embedding", "output")], "add").to_sample()
    with pytest.raises(DesignError, match="'output/embedding' must be 0 or 1, got 2"):
        FusionDesign.from_sample({**sample, "output/embedding": 2})
    sample.pop("output/cross0")
    with pytest.raises(DesignError, match="'output/cross0' is missing or unknown"):
        FusionDesign.from_sample(sample)
