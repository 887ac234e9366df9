"""The supernet and the derived models against `tests.oracle`, values and gradients, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from nas_fusion.design import FusionDesign, candidate_connections, candidate_sources, fused_blocks
from nas_fusion.nn import FusionNetwork
from nas_fusion.nn.kernels import merged_inputs
from nas_fusion.nn.mixture import Way, mixing_by
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search_spaces import DesignSet, FusionSpace
from tests.oracle import Formulas

FIELDS = (5, 3, 7, 4)
TOLERANCE = 1e-10
"""Absolute; relative where a nest of products makes values far larger than one."""

PUBLISHED = ("add", "product", "concat", "attention")
WITH_RESIDUAL = (*PUBLISHED, "residual-product")
WITH_BILINEAR = ("add", "bilinear", "product", "concat", "attention")
OPERATIONS = [PUBLISHED, WITH_RESIDUAL, ("add", "residual-product", "concat", "attention"), WITH_BILINEAR]
NAMES = ["published", "both products", "residual product", "bilinear"]
DERIVED = [
    *((levels, PUBLISHED) for levels in (1, 2, 3, 4)),
    *((levels, operations) for operations in (WITH_RESIDUAL, WITH_BILINEAR) for levels in (1, 3)),
]

GateCase = Callable[[dict[str, OptFusionNode]], None]


@pytest.fixture(params=get_args(Way), autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """The mixture as a CPU computes it, as a GPU would, and one operation after the other."""
    with mixing_by(request.param):
        yield


def all_open(nodes: dict[str, OptFusionNode]) -> None:
    """Every α stays at its start, 0.5."""


def random_gates(nodes: dict[str, OptFusionNode]) -> None:
    for node in nodes.values():
        node.alpha.data = torch.randn_like(node.alpha)


def one_closed_in_each_block(nodes: dict[str, OptFusionNode]) -> None:
    for number, node in enumerate(nodes.values()):
        node.alpha.data[number % len(node.alpha)] = -0.3


def some_blocks_without_input(nodes: dict[str, OptFusionNode]) -> None:
    random_gates(nodes)
    for block in ("cross0", "cross1", "deep1", f"deep{max(2, len(nodes) // 2 - 1)}"):
        if block in nodes:
            nodes[block].alpha.data.fill_(0.0)  # strict > 0: zero is closed


def a_dead_block(nodes: dict[str, OptFusionNode]) -> None:
    """All that could take the last deep block and the first cross have closed it."""
    for node in nodes.values():
        dead = ["cross1" in source or source == list(nodes)[-2] for source in node.sources]
        node.alpha.data[torch.tensor(dead)] = -0.2


GATES: list[GateCase] = [all_open, random_gates, one_closed_in_each_block, some_blocks_without_input, a_dead_block]


def supernet(
    levels: int, gates: GateCase, product: str, operations: tuple[str, ...] = PUBLISHED
) -> tuple[FusionSpace, dict[str, OptFusionNode]]:
    torch.manual_seed(levels)
    space = FusionSpace(list(FIELDS), levels, emb_dim=3, operations=operations, product=product)  # type: ignore[arg-type]
    OptFusion().mutate_model(space)
    space.double()
    space.network.embedding.table.weight.data.normal_()  # large enough for products to matter
    nodes = {m.block: m for m in space.modules() if isinstance(m, OptFusionNode)}
    gates(nodes)
    for node in nodes.values():
        if node.beta is not None:
            node.beta.data = torch.randn_like(node.beta)
    return space, nodes


def batch(rows: int = 17) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    ids = torch.stack([torch.randint(0, size, (rows,), generator=generator) for size in FIELDS], dim=1)
    return ids.int(), torch.randint(0, 2, (rows,), generator=generator).double()


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)


def straight_through(alpha: Tensor) -> Tensor:
    """A gate by another route than the product's: value 1[α > 0], derivative 1."""
    return (alpha > 0).double() + alpha - alpha.detach()


def oracle_leaves(space: FusionSpace) -> dict[str, Tensor]:
    return {name: value.detach().clone().requires_grad_(True) for name, value in space.state_dict().items()}


def search_logits(
    leaves: dict[str, Tensor], levels: int, product: str, ids: Tensor, operations: tuple[str, ...] = PUBLISHED
) -> Tensor:
    blocks = ("cross0", *fused_blocks(levels))
    gates = {b: straight_through(leaves[f"network.nodes.{b}.alpha"]) for b in blocks}
    mixtures = {}
    for block in fused_blocks(levels):
        exponentials = torch.exp(leaves[f"network.nodes.{block}.beta"])
        weights = exponentials / exponentials.sum()
        mixtures[block] = dict(zip(operations, weights, strict=True))
    return Formulas(leaves, levels, FIELDS, product).logits(ids, gates, mixtures)


@pytest.mark.parametrize("product", ["zero", "open"])
@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_supernet_agrees_in_logits_and_every_gradient(levels: int, gates: GateCase, product: str) -> None:
    check_supernet(levels, gates, product, PUBLISHED)


@pytest.mark.parametrize("operations", OPERATIONS[1:], ids=NAMES[1:])
@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize("levels", [1, 3])
def test_supernets_with_other_operations_agree(levels: int, gates: GateCase, operations: tuple[str, ...]) -> None:
    check_supernet(levels, gates, "zero", operations)


def check_supernet(levels: int, gates: GateCase, product: str, operations: tuple[str, ...]) -> None:
    space, _ = supernet(levels, gates, product, operations)
    ids, labels = batch()
    leaves = oracle_leaves(space)
    expected = search_logits(leaves, levels, product, ids, operations)
    loss_of(expected, labels).backward()
    logits = space(ids)
    loss_of(logits, labels).backward()

    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=TOLERANCE)
    compared = 0
    for name, parameter in space.named_parameters():
        theirs = leaves[name].grad
        assert theirs is not None, name
        assert parameter.grad is not None, f"{name} has no gradient, which an optimiser does not take for zero"
        torch.testing.assert_close(parameter.grad, theirs, atol=TOLERANCE, rtol=TOLERANCE, msg=f"gradient of {name}")
        compared += 1
    assert compared == len(leaves)


@pytest.mark.parametrize("operations", OPERATIONS, ids=NAMES)
@pytest.mark.parametrize("gates", [random_gates, a_dead_block])
def test_supernet_agrees_after_six_joint_steps(gates: GateCase, operations: tuple[str, ...]) -> None:
    levels, product = 2, "zero"
    space, _ = supernet(levels, gates, product, operations)
    ids, labels = batch()
    leaves = oracle_leaves(space)
    ours = torch.optim.Adam(space.parameters(), lr=0.05, weight_decay=1e-2)
    theirs = torch.optim.Adam(leaves.values(), lr=0.05, weight_decay=1e-2)
    for _ in range(6):
        ours.zero_grad()
        theirs.zero_grad()
        loss_of(space(ids), labels).backward()
        loss_of(search_logits(leaves, levels, product, ids, operations), labels).backward()
        ours.step()
        theirs.step()
    for name, parameter in space.named_parameters():
        torch.testing.assert_close(parameter, leaves[name], atol=1e-9, rtol=0)


def designs_for(levels: int, number: int, operations: tuple[str, ...] = PUBLISHED) -> list[FusionDesign]:
    rng = np.random.default_rng(levels)
    products = [name for name in operations if name.endswith("product")]
    everything = [FusionDesign.build(levels, candidate_connections(levels), name) for name in products]
    return [*everything, *(DesignSet(levels, operations).sample(rng) for _ in range(number))]


def masks(design: FusionDesign) -> dict[str, Tensor]:
    blocks = ("cross0", *fused_blocks(design.levels))
    return {
        b: torch.tensor([float(s in design.sources(b)) for s in candidate_sources(b, design.levels)]).double()
        for b in blocks
    }


def compare_derived(
    model: FusionNetwork, space: FusionSpace, mixtures: Any, design: FusionDesign, product: str, rows: int = 17
) -> None:
    ids, labels = batch(rows)
    leaves = oracle_leaves(space)
    expected = Formulas(leaves, design.levels, FIELDS, product).logits(ids, masks(design), mixtures)
    loss_of(expected, labels).backward()
    logits = model(ids)
    loss_of(logits, labels).backward()
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=TOLERANCE)
    same_name = ("embedding.table.weight", "head.weight", "head.bias")
    for name, parameter in model.named_parameters():
        if name in same_name or name.startswith("blocks."):
            # A deep block without input is a constant, which was the bias of its matrix.
            known = name if f"network.{name}" in leaves else name.replace(".bias", ".linear.bias")
            theirs = leaves.pop(f"network.{known}").grad
            assert parameter.grad is not None
            assert theirs is not None
            torch.testing.assert_close(parameter.grad, theirs, atol=TOLERANCE, rtol=TOLERANCE)
        elif name.startswith("nodes.") and ".operation." in name:
            theirs = leaves[name_in_space(name, design)].grad
            assert parameter.grad is not None, f"{name} has no gradient, which an optimiser does not take for zero"
            torch.testing.assert_close(parameter.grad, of_open(theirs, name, design), atol=TOLERANCE, rtol=TOLERANCE)
    left = {name: leaf.grad for name, leaf in leaves.items() if name.startswith("network.blocks.")}
    assert all(gradient is None or not gradient.any() for gradient in left.values()), "a weight that matters is gone"


def name_in_space(name: str, design: FusionDesign) -> str:
    """Of an operation's weight in a hard model, that in the space: ``concat.bias`` is a concat's without inputs."""
    _, block, _, weight = name.split(".", 3)
    operation = design.operation(block)
    if operation == "concat":
        weight = f"linear.{weight.removeprefix('linear.')}"
    return f"network.nodes.{block}.operations.{operation}.{weight}"


def of_open(gradient: Tensor | None, name: str, design: FusionDesign) -> Tensor:
    """The part of a weight's gradient that belongs to the open inputs."""
    assert gradient is not None
    block = name.split(".")[1]
    candidates = candidate_sources(block, design.levels)
    kept = [j for j, source in enumerate(candidates) if source in design.sources(block)]
    if name.endswith("linear.weight"):
        return gradient.unflatten(1, (len(candidates), -1))[:, kept].flatten(1)
    if design.operation(block) == "bilinear" and name.endswith(".weight"):
        # Nothing comes before the first input, so it has no matrix.
        return gradient[[j - 1 for j in kept[1:]]]
    return gradient if design.operation(block) == "concat" else gradient[kept]


@pytest.fixture(params=["torch's sums", "own sums"])
def sums(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concats, attentions and adds as for few rows, and as for many."""
    monkeypatch.setattr(merged_inputs, "FEW", 0 if request.param == "own sums" else 1 << 30)


def hard_mixtures(design: FusionDesign) -> dict[str, dict[str, Tensor]]:
    one = torch.ones((), dtype=torch.float64)
    return {b: {"product_of_open" if op == "product" else op: one} for b, op in design.operations}


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize("way", ["fused"], indirect=True)  # a hard model has no mixture
@pytest.mark.parametrize("rows", [17, 150])
@pytest.mark.parametrize(("levels", "operations"), DERIVED)
def test_hard_models_agree_with_the_masked_formulas(levels: int, operations: tuple[str, ...], rows: int) -> None:
    """With the more rows, a concat's map and the one after it are one."""
    space, _ = supernet(levels, all_open, "zero", operations)
    for design in designs_for(levels, 12, operations):
        compare_derived(space.derive(design), space, hard_mixtures(design), design, "zero", rows)


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize("way", ["fused"], indirect=True)
@pytest.mark.parametrize("operation", ["add", "concat", "attention", "product"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_hard_models_agree_after_many_steps(operation: str, share: float) -> None:
    levels, steps = 2, 20
    space, _ = supernet(levels, all_open, "zero")
    connections = candidate_connections(levels)
    chosen = np.random.default_rng(3).permutation(len(connections))[: round(share * len(connections))]
    design = FusionDesign.build(levels, {*(connections[i] for i in chosen), ("deep2", "output")}, operation)
    model = space.derive(design)
    ids, labels = batch(150)
    leaves = oracle_leaves(space)
    ours = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-2)
    theirs = torch.optim.Adam(leaves.values(), lr=0.01, weight_decay=1e-2)
    for _ in range(steps):
        ours.zero_grad()
        theirs.zero_grad()
        loss_of(model(ids), labels).backward()
        masked = Formulas(leaves, levels, FIELDS, "zero").logits(ids, masks(design), hard_mixtures(design))
        loss_of(masked, labels).backward()
        ours.step()
        theirs.step()
    moved = 0
    for name, parameter in model.named_parameters():
        in_operation = name.startswith("nodes.") and ".operation." in name
        known = name_in_space(name, design) if in_operation else f"network.{name}"
        if known in leaves:
            wanted = of_open(leaves[known].detach(), name, design) if in_operation else leaves[known]
            torch.testing.assert_close(parameter, wanted, atol=1e-8, rtol=0, msg=name)
            moved += 1
    assert moved > 3


@pytest.mark.parametrize("product", ["zero", "open"])
@pytest.mark.parametrize(("levels", "operations"), DERIVED)
def test_soft_models_agree_with_the_masked_formulas(levels: int, product: str, operations: tuple[str, ...]) -> None:
    space, nodes = supernet(levels, all_open, product, operations)
    mixture = {block: nodes[block].mixture() for block in fused_blocks(levels)}
    mixtures = {b: {o: torch.tensor(p, dtype=torch.float64) for o, p in ops.items()} for b, ops in mixture.items()}
    for design in designs_for(levels, 6, operations):
        soft = space.derive(design, mode="soft", mixture=mixture)
        compare_derived(soft, space, mixtures, design, product)


def test_hard_model_has_only_what_the_design_needs() -> None:
    space, _ = supernet(2, all_open, "zero")
    design = FusionDesign.build(2, [("embedding", "deep1"), ("deep1", "output"), ("embedding", "cross1")], "add")
    model = space.derive(design)
    assert list(model.nodes) == ["deep1", "output"]
    width = 12
    assert sum(p.numel() for p in model.parameters()) == sum(FIELDS) * 3 + width * width + width + width + 1
