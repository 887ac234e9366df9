"""Which designs compute the same."""

from __future__ import annotations

import pytest
import torch

from nas_fusion.design import FusionDesign
from nas_fusion.errors import DesignError
from nas_fusion.search_spaces import (
    DesignSet,
    FusionSpace,
    canonical,
    coded_design,
    design_code,
    different_designs,
)
from nas_fusion.training import seeded

ONE_LEVEL = DesignSet(1)


def test_the_space_of_one_level_is_counted() -> None:
    legal = list(ONE_LEVEL)
    pruned = dict.fromkeys(design.pruned() for design in legal)
    different = different_designs(pruned)
    assert (ONE_LEVEL.size, len(legal), len(pruned), len(different)) == (32_768, 26_560, 7_952, 4_802)
    assert all(canonical(design) == design and design.is_legal for design in different[::10])
    assert len({design_code(design, ONE_LEVEL) for design in different}) == len(different)


@pytest.mark.parametrize("seed", range(12))
def test_the_canonical_design_computes_the_same_and_has_the_same_first_weights_but_for_what_is_dropped(
    seed: int,
) -> None:
    space = FusionSpace(field_sizes=[4, 3, 5], levels=2, emb_dim=2, product="open")
    design = space.designs.sample(seed)
    merged = canonical(design)
    # Weights of the one put into the other by name: the same parts with the same shapes.
    with seeded(seed):
        one, other = space.derive(design, weights=False), space.derive(merged, weights=False)
    assert {n: p.shape for n, p in one.named_parameters()} == {n: p.shape for n, p in other.named_parameters()}
    other.load_state_dict(one.state_dict())
    ids = torch.tensor([[0, 1, 2], [3, 2, 4], [1, 0, 0]])
    assert torch.equal(one(ids), other(ids))


def test_operations_are_told_apart_where_they_differ() -> None:
    two_inputs = FusionDesign.build(1, [("embedding", "cross0"), ("embedding", "output"), ("cross0", "output")], "add")
    product = FusionDesign(1, two_inputs.connections, (*two_inputs.operations[:2], ("output", "product")))
    assert canonical(product) == product != canonical(two_inputs)
    # No input: concat keeps its bias, all others are zero.
    connections = [("embedding", "output"), ("deep1", "output")]
    empty = {
        operation: canonical(
            FusionDesign.build(1, connections, {"cross1": "add", "deep1": operation, "output": "concat"})
        )
        for operation in ONE_LEVEL.operations
    }
    assert len(set(empty.values())) == 2
    assert empty["concat"].operation("deep1") == "concat"


def test_numbers_of_designs() -> None:
    assert coded_design(0, ONE_LEVEL) == FusionDesign.build(1, [], "add")
    for code in (0, 1, 511, 512, 12_345, ONE_LEVEL.size - 1):
        assert design_code(coded_design(code, ONE_LEVEL), ONE_LEVEL) == code
    with pytest.raises(DesignError, match="from 0 to 32767, got 32768"):
        coded_design(ONE_LEVEL.size, ONE_LEVEL)
    with pytest.raises(DesignError, match="not a design of this space"):
        design_code(FusionDesign.build(2, [], "add"), ONE_LEVEL)
    with pytest.raises(DesignError, match="not a design of this space"):
        design_code(FusionDesign.build(1, [], "add"), DesignSet(1, ("concat",)))
