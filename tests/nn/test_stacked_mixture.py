"""The fast mixtures against the operations one by one: values and every gradient, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from nas_fusion.nn.fused_mixture import covered_places, fused_mixture
from nas_fusion.nn.mixture import FAST_MIXTURES, Way, mixing_by, mixture_of
from nas_fusion.nn.operations import Add, Attention, Bilinear, Concat, FusionOperation, Product, ResidualProduct
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
        "bilinear": Bilinear(count, WIDTH).double(),
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

    assert covered_places([attention, residual, add, concat]) == (0, 1, 2, 3)
    assert covered_places([add, product, concat, attention, residual]) == (0, 1, 2, 3, 4)
    assert covered_places([add, Other(2, WIDTH), concat, attention, Bilinear(2, WIDTH)]) == (0, 2, 3)
    assert covered_places([add, concat, residual]) == ()
    assert covered_places([add, concat, attention, Add(2, WIDTH)]) == ()


@pytest.mark.parametrize("way", get_args(Way))
@pytest.mark.parametrize("gates", GATES, ids=str)
@pytest.mark.parametrize("order", [("bilinear", *PUBLISHED_ORDER), ("bilinear", "add")], ids=["some", "none"])
def test_operations_that_no_fast_way_covers_stand_beside_it(gates: list[float], way: Way, order: Order) -> None:
    def mixture(x: list[Tensor], m: Tensor, w: Tensor, operations: list[FusionOperation]) -> Tensor:
        return mixture_of(x, m, w, operations, covered_places(operations))

    with mixing_by(way):
        found = results(gates, "zero", mixture, order)
    for one, wanted in zip(found, results(gates, "zero", one_by_one, order), strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-12, atol=1e-12)
