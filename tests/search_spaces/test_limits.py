"""Designs under limits: refused, drawn, made affordable."""

from __future__ import annotations

from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nas_fusion.design import FusionDesign, candidate_connections, fused_blocks
from nas_fusion.errors import DesignError, OptionError
from nas_fusion.measures import Limit, Limits, multiply_adds, parameters
from nas_fusion.search_spaces import (
    DesignSet,
    FusionSpace,
    Scores,
    make_affordable,
    multiply_add_table,
    parameter_table,
)


@cache
def a_space(levels: int = 2) -> FusionSpace:
    return FusionSpace(field_sizes=[4, 3, 5], emb_dim=2, levels=levels)


def all_open(operation: str = "attention", levels: int = 2) -> FusionDesign:
    return FusionDesign.build(levels, candidate_connections(levels), operation)


@cache
def tables(levels: int = 2) -> tuple[Any, Any]:
    return parameter_table(a_space(levels)), multiply_add_table(a_space(levels))


def limits_between(share: float, levels: int = 2, both: bool = True) -> Limits:
    """Limits at a share of the way from the cheapest to the dearest design."""
    found = []
    for option, table in zip(("max-parameters", "max-multiply-adds"), tables(levels), strict=True):
        least, most = table.of(table.cheapest(levels)), table.of(all_open(levels=levels))
        found.append(Limit(option, least + share * (most - least), table))
    return Limits(tuple(found if both else found[:1]))


def random_scores(seed: int, levels: int = 2) -> Scores:
    rng = np.random.default_rng(seed)
    connections = {c: float(rng.normal()) for c in candidate_connections(levels)}
    names = DesignSet(levels).operations
    operations = {b: dict(zip(names, rng.dirichlet(np.ones(4)).tolist(), strict=True)) for b in fused_blocks(levels)}
    return Scores(connections, operations)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 1.0), levels=st.integers(1, 2), both=st.booleans())
def test_any_design_becomes_affordable_and_stays_legal(seed: int, share: float, levels: int, both: bool) -> None:
    limits = limits_between(share, levels, both)
    design = DesignSet(levels).sample(seed)
    found = make_affordable(design, random_scores(seed, levels), limits)
    assert found.is_legal
    model = a_space(levels).derive(found, weights=False)
    assert parameters(model) <= limits.limits[0].most
    if both:
        assert multiply_adds(model, a_space(levels).fields) <= limits.limits[1].most
    if not limits.excess(design):
        assert found == design


def test_what_is_worth_least_per_cost_is_given_up_first() -> None:
    """Two attentions into the output; the score of one is low, and closing one is enough."""
    connections = [("embedding", "cross0"), ("embedding", "output"), ("cross0", "output")]
    design = FusionDesign.build(1, connections, "attention")
    table = tables(1)[1]
    limits = Limits((Limit("max-multiply-adds", table.of(design) - 1, table),))
    prefer = {b: {"attention": 1.0} for b in fused_blocks(1)}
    strong = make_affordable(design, Scores({("embedding", "output"): -5.0}, prefer), limits)
    assert strong.sources("output") == ("cross0",)
    weak = make_affordable(design, Scores({("cross0", "output"): -5.0, ("embedding", "output"): 2.0}, prefer), limits)
    assert weak.sources("output") == ("embedding",)
    indifferent = {b: {"attention": 0.26, "concat": 0.25} for b in fused_blocks(1)}
    cheaper = make_affordable(design, Scores({}, indifferent), limits)
    assert cheaper.operation("output") == "concat"
    assert cheaper.connections == design.connections


def test_a_chain_is_bypassed_where_closing_would_cut_it() -> None:
    chain = [("embedding", "cross0"), ("cross0", "deep1"), ("deep1", "output")]
    design = FusionDesign.build(1, chain, "add")
    table = tables(1)[1]
    limits = Limits((Limit("max-multiply-adds", table.of(table.cheapest(1)), table),))
    assert make_affordable(design, Scores({}, {}), limits).sources("output") == ("embedding",)


def test_unreachable_limits_are_named() -> None:
    weights, work = tables()
    least = weights.of(weights.cheapest(2))
    limits = Limits((Limit("max-parameters", least - 1, weights),))
    with pytest.raises(OptionError, match=rf"max-parameters must be at least {least:,} weights.*got {least - 1}"):
        limits.check_reachable(2)
    with pytest.raises(DesignError, match="no design keeps the limits"):
        make_affordable(all_open(), Scores({}, {}), limits)
    Limits((Limit("max-parameters", least, weights),)).check_reachable(2)
    soft = Limits((Limit("max-multiply-adds", work.of(work.cheapest(2)), work),))
    soft.check_reachable(2)
    with pytest.raises(OptionError, match="re-trained soft"):
        soft.check_reachable(2, "soft")


def test_a_limited_set_holds_the_affordable_designs_and_only_those() -> None:
    limits = limits_between(0.3, 1)
    everything, limited = DesignSet(1, ("add", "concat")), DesignSet(1, ("add", "concat"), limits)
    expected = [d for d in everything if not limits.excess(d)]
    assert 0 < len(expected) < len(list(everything))
    assert list(limited) == expected
    refused = next(d for d in everything if limits.excess(d))
    with pytest.raises(DesignError, match=r"max-(parameters|multiply-adds) allows"):
        limited.check(refused)
    assert limited.unlimited == everything


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5])
def test_drawing_and_mutating_end_under_the_tightest_limits(share: float) -> None:
    limits = limits_between(share)
    designs = DesignSet(2, limits=limits)
    drawn = [designs.sample(seed) for seed in range(3)]
    assert drawn == [designs.sample(seed) for seed in range(3)]
    for seed, design in enumerate(drawn):
        assert not limits.excess(design)
        mutated = designs.mutate(design, seed, 0.1)
        assert mutated != design
        assert not limits.excess(mutated)


def test_nnis_choices_refuse_what_is_above_a_limit() -> None:
    space = FusionSpace(field_sizes=[4, 3, 5], emb_dim=2, levels=2)
    space.limit(limits_between(0.2))
    choices = space.simplify()
    error = choices.check_contains(all_open().to_sample())
    assert error is not None
    assert "allows" in str(error)
    assert choices.check_contains(space.designs.sample(1).to_sample()) is None
    space.derive(all_open(), weights=False)  # it can still be built: references are
