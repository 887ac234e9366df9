"""The fast mixtures against the operations one by one: values and every gradient, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from nas_fusion.nn.fused_mixture import fused_mixture, is_covered
from nas_fusion.nn.mixture import FAST_MIXTURES
from nas_fusion.nn.operations import Add, Attention, Concat, FusionOperation, Product, ResidualProduct
from nas_fusion.nn.stacked_mixture import stacked_mixture
from nas_fusion.settings import ProductRule

ROWS, WIDTH = 9, 6
GATES = [[1.0], [0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0], [0.3, 0.9, 0.5]]


Order = Sequence[str]
PUBLISHED_ORDER = ("add", "product", "concat", "attention")
ORDERS: list[Order] = [
    PUBLISHED_ORDER,
    (*PUBLISHED_ORDER, "residual-product"),
    ("attention", "residual-product", "concat", "product", "add"),
]


def one_by_one(inputs: list[Tensor], gates: Tensor, weights: Tensor, operations: list[FusionOperation]) -> Tensor:
    gated = [gate * x for gate, x in zip(gates, inputs, strict=True)]
    terms = [w * operation(gated, gates) for w, operation in zip(weights, operations, strict=True)]
    return torch.stack(terms).sum(0)


def results(gates: list[float], rule: ProductRule | None, mixture: Any, order: Order = PUBLISHED_ORDER) -> list[Tensor]:
    torch.manual_seed(0)
    count = len(gates)
    made: dict[str, FusionOperation] = {
        "add": Add(count, WIDTH),
        "product": Product(count, WIDTH, rule or "zero"),
        "concat": Concat(count, WIDTH).double(),
        "attention": Attention(count, WIDTH).double(),
        "residual-product": ResidualProduct(count, WIDTH),
    }
    operations = [made[name] for name in order if name != "product" or rule is not None]
    inputs = [torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True) for _ in gates]
    gate = torch.tensor(gates, dtype=torch.float64, requires_grad=True)
    weights = torch.softmax(torch.randn(len(operations), dtype=torch.float64), dim=0).requires_grad_()
    mixed = mixture(inputs, gate, weights, operations)
    (mixed * torch.randn(ROWS, WIDTH, dtype=torch.float64)).sum().backward()
    leaves = [*inputs, gate, weights, *(p for operation in operations for p in operation.parameters())]
    assert all(p.grad is not None for p in leaves), "absent is not zero: an optimiser goes on by momentum and L2"
    return [mixed.detach(), *(p.grad for p in leaves if p.grad is not None)]


@pytest.mark.parametrize("mixture", [stacked_mixture, fused_mixture])
@pytest.mark.parametrize("rule", ["zero", "open", None])
@pytest.mark.parametrize("gates", GATES, ids=str)
@pytest.mark.parametrize("order", ORDERS, ids=["published", "both products", "another order"])
def test_values_and_gradients(gates: list[float], rule: ProductRule | None, mixture: Any, order: Order) -> None:
    expected = results(gates, rule, one_by_one, order)
    for found, wanted in zip(results(gates, rule, mixture, order), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert any(wanted.norm() > 0 for wanted in expected)


def test_gpus_take_it_and_the_device_without_numbers_counts_the_operations_themselves() -> None:
    assert FAST_MIXTURES["cuda"] is stacked_mixture
    assert "meta" not in FAST_MIXTURES


@pytest.mark.parametrize("mixture", [stacked_mixture, fused_mixture, one_by_one])
def test_where_the_output_is_not_wanted_every_gradient_is_zero(mixture: Any) -> None:
    """As for a block that all others closed."""
    assert any(found.norm() > 0 for found in results([1.0, 0.0, 1.0], "zero", mixture)[1:])
    for gradient in results([1.0, 0.0, 1.0], "zero", lambda *given: 0.0 * mixture(*given))[1:]:
        assert not gradient.any()


def test_covered_are_the_known_kinds_once_each_in_any_order() -> None:
    add, product, concat, attention = (kind(2, WIDTH) for kind in (Add, Product, Concat, Attention))
    residual = ResidualProduct(2, WIDTH)

    class Other(Add):
        """An operation of somebody else's."""

    assert is_covered([attention, residual, add, concat])
    assert is_covered([add, product, concat, attention, residual])
    assert not is_covered([add, concat, residual])
    assert not is_covered([add, concat, attention, Add(2, WIDTH)])
    assert not is_covered([add, concat, attention, Other(2, WIDTH)])
