"""The residual product: its formula, what a closed or half-open gate does to it, and that it learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas_fusion.design import FusionDesign, candidate_connections
from nas_fusion.measures import count_module
from nas_fusion.nn import HardFusion, NoInput, ResidualProduct
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training.quality import Predictions, auc

ROWS, WIDTH = 5, 4
OPERATIONS = ("add", "product", "concat", "attention", "residual-product")


def drawn(inputs: int) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(inputs)]


@pytest.mark.parametrize("gates", [[1.0], [1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.3, 0.9, 0.0], [0.0, 0.0]], ids=str)
def test_a_gate_weighs_its_input_and_a_closed_one_is_neutral(gates: list[float]) -> None:
    x, m = drawn(len(gates)), torch.tensor(gates, dtype=torch.float64, requires_grad=True)
    made = ResidualProduct(len(gates), WIDTH)([gate * one for gate, one in zip(m, x, strict=True)], m)
    wanted = torch.stack([1 + gate * one for gate, one in zip(m, x, strict=True)]).prod(dim=0) - 1
    torch.testing.assert_close(made, wanted, rtol=1e-12, atol=1e-12)
    left = [j for j, gate in enumerate(gates) if gate != 0]
    if set(gates) <= {0.0, 1.0} and left:
        torch.testing.assert_close(made, ResidualProduct(len(left), WIDTH)([x[j] for j in left]))
    weights = torch.randn(ROWS, WIDTH, dtype=torch.float64)
    ours = torch.autograd.grad((made * weights).sum(), [*x, m])
    theirs = torch.autograd.grad((wanted * weights).sum(), [*x, m])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert all(gradient != 0 for gradient in ours[-1]), "a closed gate can open again"


def test_inputs_far_below_one_keep_their_digits() -> None:
    x = [torch.full((1, WIDTH), 1e-6 * (j + 1)) for j in range(7)]
    wanted = torch.stack([1 + one.double() for one in x]).prod(dim=0) - 1
    torch.testing.assert_close(ResidualProduct(7, WIDTH)(x).double(), wanted, rtol=1e-6, atol=0)


def test_without_an_open_input_it_is_nothing() -> None:
    assert isinstance(HardFusion.of(ResidualProduct(3, WIDTH), []), NoInput)


def test_it_counts_one_multiplication_less_than_it_has_inputs() -> None:
    for inputs in (1, 2, 5):
        node = HardFusion.of(ResidualProduct(7, WIDTH), range(inputs))
        count = count_module(node, lambda rows, device: ([torch.zeros(rows, WIDTH)] * inputs, torch.zeros(rows, WIDTH)))  # noqa: B023
        assert count == (inputs - 1) * WIDTH


def parity_log() -> tuple[Tensor, Tensor]:
    """Three fields of two values; a click is, nine times in ten, an odd sum: no two of the fields tell anything."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 2, (512, 3), generator=generator)
    odd = (ids.sum(dim=1) % 2).float()
    return ids, torch.where(torch.rand(512, generator=generator) < 0.1, 1 - odd, odd)


def auc_after_training(operation: str, seed: int) -> float:
    """Training AUC of the design that merges everything by one operation, trained from scratch."""
    torch.manual_seed(seed)
    ids, clicks = parity_log()
    space = FusionSpace([2, 2, 2], levels=2, emb_dim=4, operations=OPERATIONS)
    model = space.derive(FusionDesign.build(2, candidate_connections(2), operation), weights=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(250):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(ids), clicks).backward()
        optimizer.step()
    return auc(Predictions.of(model(ids).detach().numpy(), clicks.numpy()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_learns_a_product_of_three_where_the_plain_product_never_does(seed: int) -> None:
    assert auc_after_training("product", seed) < 0.55
    assert auc_after_training("residual-product", seed) > 0.9
