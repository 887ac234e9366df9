"""Many designs as one network: each member is what the design's own network is, in value, gradient and training."""

from __future__ import annotations

import itertools
import random
from functools import partial

import pytest
import torch
from torch.nn import functional

from nas_fusion.design import KNOWN_OPERATIONS, OPERATIONS, FusionDesign, candidate_connections, fused_blocks
from nas_fusion.errors import DesignError
from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.lab import StackedNetwork
from nas_fusion.nn import Fields, FusionNetwork
from nas_fusion.search_spaces import DCNv2Space, FusionSpace
from nas_fusion.training import seeded

FIELDS = (FieldShape(4), FieldShape(3, FieldForm.SCALED), FieldShape(5, FieldForm.LIST, columns=2))
ROWS, STEPS, GROWN, RATE = 9, 3, 3.0, 0.05
close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-11)


def grown(space: FusionSpace, design: FusionDesign, seed: int) -> FusionNetwork:
    """A design's own network, its first weights large enough for products and attention to matter."""
    with seeded(seed):
        network = space.derive(design, weights=False).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(GROWN)
    return network


def rows() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    ids = [torch.randint(0, n, (ROWS,), generator=draw) for n in (4, 3, 5)]
    last = torch.randint(-1, 5, (ROWS,), generator=draw)
    values = torch.randn(ROWS, 1, generator=draw, dtype=torch.float64)
    return torch.stack([*ids, last], dim=1), values, torch.randint(0, 2, (ROWS,), generator=draw).double()


def some_of_every_combination(count: int) -> list[list[FusionDesign]]:
    """A few legal designs of every combination of operations."""
    draw, found = random.Random(0), []
    for operations in itertools.product(OPERATIONS, repeat=3):
        named = dict(zip(fused_blocks(1), operations, strict=True))
        drawn = (
            FusionDesign.build(1, [c for c in candidate_connections(1) if draw.random() < 0.6], named)
            for _ in itertools.count()
        )
        found.append(list(itertools.islice((design for design in drawn if design.is_legal), count)))
    return found


@pytest.mark.parametrize("part", range(4))
def test_every_member_is_its_own_network_in_value_gradient_and_training(part: int) -> None:
    space = FusionSpace(field_sizes=FIELDS, levels=1, emb_dim=2)
    ids, values, labels = rows()
    for number, designs in enumerate(some_of_every_combination(2)[part::4]):
        networks = [grown(space, design, number + place) for place, design in enumerate(designs)]
        stack = StackedNetwork(space.fields, designs).double()
        for place, network in enumerate(networks):
            stack.load(place, network)
            taken = sum(own.numel() for _, own in stack.pairs(place, network))
            assert taken == sum(parameter.numel() for parameter in network.parameters())
        # Plain descent, not Adam: a gradient of another size would move the weights by another amount.
        optimizers = [torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.5) for module in (stack, *networks)]
        for _ in range(STEPS):
            together, alone = stack(ids, values), torch.stack([network(ids, values) for network in networks])
            close(together, alone)
            for optimizer in optimizers:
                optimizer.zero_grad()
            for logits in (together, alone):
                loss = functional.binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none")
                loss.mean(dim=1).sum().backward()
            for optimizer in optimizers:
                optimizer.step()
        for place, (network, design) in enumerate(zip(networks, designs, strict=True)):
            fresh = grown(space, design, number + place)
            assert any(not torch.equal(*pair) for pair in zip(network.parameters(), fresh.parameters(), strict=True))
            for stacked, own in stack.pairs(place, network):
                close(stacked, own)
            stack.unload(place, fresh)
            close(fresh(ids, values), network(ids, values))


@pytest.mark.parametrize("product", ["product", "residual-product"])
def test_designs_of_two_levels_with_several_open_inputs(product: str) -> None:
    space = FusionSpace(field_sizes=[4, 3, 5], levels=2, emb_dim=2, operations=KNOWN_OPERATIONS)
    operations = {"cross1": "attention", "deep1": product, "cross2": product, "deep2": "concat", "output": "add"}
    draw = random.Random(3)
    always = [("deep2", "output"), ("embedding", "deep2")]
    designs = [
        FusionDesign.build(2, [*always, *draw.sample(candidate_connections(2), 12)], operations) for _ in range(6)
    ]
    stack = StackedNetwork(space.fields, designs).double()
    networks = [grown(space, design, place) for place, design in enumerate(designs)]
    for place, network in enumerate(networks):
        stack.load(place, network)
    ids = torch.tensor([[0, 1, 2], [3, 2, 4], [1, 0, 0]])
    close(stack(ids), torch.stack([network(ids) for network in networks]))


def test_what_cannot_be_stacked_is_refused() -> None:
    fields = Fields.of([4, 3, 5], 2)
    one, other = (FusionDesign.build(1, [("embedding", "output"), ("deep1", "output")], op) for op in ("add", "concat"))
    with pytest.raises(DesignError, match="must merge deep1 by one of add, product, concat, attention"):
        StackedNetwork(fields, [one, other])
    with pytest.raises(DesignError, match="one number of levels"):
        StackedNetwork(fields, [])
    space = DCNv2Space(field_sizes=[4, 3, 5], levels=1, emb_dim=2)
    crossed = FusionDesign.build(1, [("embedding", "cross0"), ("cross0", "output")], "add")
    with pytest.raises(DesignError, match="plain crosses and plain deep blocks only"):
        StackedNetwork(fields, [crossed]).load(0, space.derive(crossed))
