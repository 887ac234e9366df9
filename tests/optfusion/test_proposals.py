"""Designs that a supernet proposes, and changes of a design."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_fusion.design import FusionDesign, candidate_connections, fused_blocks
from nas_fusion.optfusion import propose
from nas_fusion.search_spaces import DesignSet

LEVELS = 2
DESIGNS = DesignSet(LEVELS)
MIXTURE = {block: {"add": 0.5, "product": 0.3, "concat": 0.2, "attention": 0.0} for block in fused_blocks(LEVELS)}


def test_the_derived_design_comes_first_then_its_connections_with_sums() -> None:
    derived = DESIGNS.sample(3)
    gates = dict.fromkeys(candidate_connections(LEVELS), 0.5)
    first, second = islice(propose(derived, gates, MIXTURE, 0.5, DESIGNS, np.random.default_rng(0)), 2)
    assert first == derived
    assert second.connections == derived.connections
    assert {operation for _, operation in second.operations} == {"add"}


def test_draws_follow_gates_and_mixture() -> None:
    connections = candidate_connections(LEVELS)
    gates = dict.fromkeys(connections, 0.0)
    gates["embedding", "deep1"] = gates["deep1", "output"] = 1000.0  # always open: no draw has to be mended
    gates["embedding", "cross0"], gates["cross0", "deep1"] = 0.5, -1.0
    proposals = propose(DESIGNS.sample(3), gates, MIXTURE, 0.5, DESIGNS, np.random.default_rng(0))
    drawn = list(islice(proposals, 2, 2002))
    share = {c: sum(c in d.connections for d in drawn) / len(drawn) for c in connections}
    assert share["embedding", "cross0"] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.03)
    assert share["cross0", "deep1"] == pytest.approx(1 / (1 + np.exp(2.0)), abs=0.03)
    assert share["deep1", "output"] == 1
    operations = Counter(d.operation("deep1") for d in drawn)
    assert operations["add"] / len(drawn) == pytest.approx(0.5, abs=0.04)
    assert operations["concat"] / len(drawn) == pytest.approx(0.2, abs=0.04)
    assert "attention" not in operations
    assert all(d.is_legal for d in drawn)


def test_the_same_generator_gives_the_same_draws() -> None:
    gates = dict.fromkeys(candidate_connections(LEVELS), 0.2)
    draws = [
        list(islice(propose(DESIGNS.sample(3), gates, MIXTURE, 0.5, DESIGNS, np.random.default_rng(7)), 5))
        for _ in range(2)
    ]
    assert draws[0] == draws[1]


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_a_change_is_of_one_choice_that_matters(seed: int, levels: int) -> None:
    designs = DesignSet(levels)
    rng = np.random.default_rng(seed)
    design = designs.sample(rng)
    changed = designs.change(design, rng)
    before, after = design.to_sample(), changed.to_sample()
    assert sum(before[label] != after[label] for label in before) == 1
    assert changed.is_legal
    assert changed.pruned() != design.pruned()


def test_a_space_of_one_operation_changes_connections() -> None:
    designs = DesignSet(1, ("add",))
    design = FusionDesign.build(1, [("embedding", "deep1"), ("deep1", "output")], "add")
    assert designs.change(design, 0).connections != design.connections
