"""The bilinear fusion: FinalMLP's form, more than two inputs, what is kept of it, and what it costs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas_fusion.baselines.models.finalmlp import BilinearFusion
from nas_fusion.measures import count_module
from nas_fusion.nn import Bilinear, HardFusion, NoInput
from nas_fusion.nn.operations import heads_of

ROWS = 5


def drawn(inputs: int, width: int) -> tuple[Bilinear, list[Tensor]]:
    torch.manual_seed(inputs)
    operation = Bilinear(inputs, width).double()
    for weight in operation.parameters():
        torch.nn.init.normal_(weight)
    return operation, [torch.randn(ROWS, width, dtype=torch.float64) for _ in range(inputs)]


@pytest.mark.parametrize("width", [6, 7, 10])
def test_of_two_inputs_and_a_head_of_ones_it_is_finalmlps_fusion(width: int) -> None:
    operation, (x, y) = drawn(2, width)
    published = BilinearFusion(width, width, operation.heads).double()
    assert operation.weight is not None
    with torch.no_grad():
        published.linear.weight.copy_(operation.scale.flatten()[None])
        # The paper maps x to meet y, here y is mapped to meet x.
        published.weight.copy_(operation.weight[0])
    ours = operation([x, y]).sum(dim=1) + published.linear.bias
    torch.testing.assert_close(ours, published(x, y), rtol=1e-12, atol=1e-12)


def test_heads_are_five_or_the_largest_smaller_divisor() -> None:
    assert [heads_of(width) for width in (1, 7, 6, 8, 10, 624)] == [1, 1, 3, 4, 5, 4]


@pytest.mark.parametrize("kept", [[0], [2], [0, 1, 2, 3], [1, 3], [0, 3]], ids=str)
def test_a_closed_input_is_one_that_is_not_there(kept: list[int]) -> None:
    operation, inputs = drawn(4, 6)
    masked = operation([x if j in kept else torch.zeros_like(x) for j, x in enumerate(inputs)])
    left = HardFusion.of(operation, kept)
    torch.testing.assert_close(left([inputs[j] for j in kept], inputs[0]), masked, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(operation.on(inputs, kept), masked, rtol=1e-12, atol=1e-12)
    weights = {name: weight.shape for name, weight in left.named_parameters()}
    matrices = {"operation.weight": (len(kept) - 1, 3, 2, 2)} if len(kept) > 1 else {}
    assert weights == {"operation.scale": (len(kept), 6), **matrices}


def test_without_an_open_input_it_is_nothing() -> None:
    assert isinstance(HardFusion.of(Bilinear(3, 6), []), NoInput)


@pytest.mark.parametrize("inputs", [1, 2, 4])
def test_multiply_adds(inputs: int) -> None:
    """A scale of every input; of all but the first the map of its heads and the product with those before it."""
    node = HardFusion.of(Bilinear(6, 6), range(inputs))
    count = count_module(node, lambda rows, device: ([torch.zeros(rows, 6)] * inputs, torch.zeros(rows, 6)))
    assert count == inputs * 6 + (inputs - 1) * (3 * 2 * 2 + 6)
