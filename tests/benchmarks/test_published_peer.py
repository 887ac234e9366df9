"""The published code, as the benchmarks have it, against the formulas: values and gradients, in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.kernels import balanced_operations, closed_design
from benchmarks.peers.published import PublishedModel
from nas_fusion.design import OPERATIONS, FusionDesign, candidate_sources, fused_blocks
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search_spaces import DesignSet, FusionSpace
from tests.oracle import Formulas

FIELDS, EMB_DIM = (5, 3, 7), 2
ROWS = 19


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    ids = torch.stack([torch.randint(size, (ROWS,), generator=generator) for size in FIELDS], dim=1)
    return ids, torch.randint(2, (ROWS,), generator=generator).double()


def space_of(levels: int) -> FusionSpace:
    torch.manual_seed(levels)
    space = FusionSpace(list(FIELDS), levels, emb_dim=EMB_DIM).double()
    for parameter in space.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return space


def compare(model: PublishedModel, leaves: Mapping[str, Tensor], expected: Tensor, pairs: Mapping[str, str]) -> None:
    """Logits, and the gradients of the weights named by `pairs`: here, and in the space."""
    ids, labels = batch()
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    logits = model(ids)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    loss(logits, labels).backward()
    loss(expected, labels).backward()
    own = dict(model.named_parameters())
    for name, known in pairs.items():
        found, wanted = own[name].grad, leaves[f"network.{known}"].grad
        assert wanted is not None, known
        assert found is not None, name
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10, msg=name)


def pairs_of(levels: int) -> dict[str, str]:
    """What has the same name but for a prefix."""
    pairs = {"embedding.weight": "embedding.table.weight", "fc.weight": "head.weight", "fc.bias": "head.bias"}
    for level in range(levels + 1):
        pairs[f"crosses.{level}.bias"] = f"blocks.cross{level}.bias"
        pairs[f"crosses.{level}.weight.weight"] = f"blocks.cross{level}.weight.weight"
    for level in range(1, levels + 1):
        pairs[f"denses.{level - 1}.0.weight"] = f"blocks.deep{level}.linear.weight"
    return pairs


@pytest.mark.parametrize("levels", [1, 3])
def test_the_supernet_is_the_formulas(levels: int) -> None:
    space = space_of(levels)
    OptFusion().mutate_model(space)
    space.double()  # gates and mixtures, too
    nodes = {m.block: m for m in space.modules() if isinstance(m, OptFusionNode)}
    for node in nodes.values():
        torch.nn.init.normal_(node.alpha)
        if node.beta is not None:
            torch.nn.init.normal_(node.beta)
    weights = space.state_dict()
    model = PublishedModel(FIELDS, EMB_DIM, levels, None).double().take_weights(weights)
    leaves = {name: value.detach().clone().requires_grad_(True) for name, value in weights.items()}
    gates = {}
    for block in ("cross0", *fused_blocks(levels)):
        alpha = leaves[f"network.nodes.{block}.alpha"]
        gates[block] = (alpha > 0).double() + alpha - alpha.detach()
    mixtures = {
        block: dict(zip(OPERATIONS, torch.softmax(leaves[f"network.nodes.{block}.beta"], 0), strict=True))
        for block in fused_blocks(levels)
    }
    pairs = pairs_of(levels)
    for block in fused_blocks(levels):
        pairs[f"fusions.{block}.concat.linear.weight"] = f"nodes.{block}.operations.concat.linear.weight"
    compare(model, leaves, Formulas(leaves, levels, FIELDS).logits(batch()[0], gates, mixtures), pairs)
    assert model.alpha is not None
    assert model.alpha.grad is not None
    for block, row in model.rows.items():
        theirs = leaves[f"network.nodes.{block}.alpha"].grad
        assert theirs is not None
        torch.testing.assert_close(model.alpha.grad[row, : len(theirs)], theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("number", range(5))
def test_hard_models_are_the_formulas(number: int) -> None:
    levels = 3
    space = space_of(levels)
    design = DesignSet(levels, OPERATIONS).sample(np.random.default_rng(number))
    weights = space.state_dict()
    model = PublishedModel(FIELDS, EMB_DIM, levels, design).double().take_weights(weights)
    leaves = {name: value.detach().clone().requires_grad_(True) for name, value in weights.items()}
    one = torch.ones((), dtype=torch.float64)
    mixtures = {b: {"product_of_open" if op == "product" else op: one} for b, op in design.operations}
    expected = Formulas(leaves, levels, FIELDS).logits(batch()[0], masks(design), mixtures)
    compare(model, leaves, expected, {"embedding.weight": "embedding.table.weight", "fc.weight": "head.weight"})


def masks(design: FusionDesign) -> dict[str, Tensor]:
    blocks = ("cross0", *fused_blocks(design.levels))
    return {
        b: torch.tensor([float(s in design.sources(b)) for s in candidate_sources(b, design.levels)]).double()
        for b in blocks
    }


def test_the_designs_that_are_timed_have_every_operation_once_in_every_block_and_the_share_closed() -> None:
    designs = [closed_design(0.5, operations) for operations in balanced_operations()]
    assert len(designs) == len(OPERATIONS)
    for block in fused_blocks(3):
        assert {design.operation(block) for design in designs} == set(OPERATIONS)
        assert {len(design.sources(block)) for design in designs} == {len(candidate_sources(block, 3)) // 2}
    assert len(closed_design(0.0, "add").connections) == 33
