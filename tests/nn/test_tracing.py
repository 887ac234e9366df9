"""The plain ways that exporters take: the same vectors and mixtures, whoever looks on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.nn import FieldEmbedding
from nas_fusion.nn.derived_nodes import SoftFusion
from nas_fusion.nn.operations import Add, Attention, Concat, Product
from nas_fusion.nn.plain_vectors import PlainVectors
from nas_fusion.nn.tracing import is_traced
from tests.field_oracle import MIXED, draw_rows, field_vectors

pytestmark = [
    # TorchScript is what some services still take.
    pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*is deprecated:DeprecationWarning"),
    # The checks of shapes compare sizes while it looks on.
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

WIDTH, ROWS = 3, 40

SHAPES: dict[str, tuple[FieldShape, ...]] = {
    "ids": (FieldShape(4), FieldShape(7)),
    "numbers": (FieldShape(2, FieldForm.SCALED), FieldShape(9, FieldForm.INTERPOLATED)),
    "lists": (FieldShape(6, FieldForm.LIST, columns=30), FieldShape(3, FieldForm.LIST), FieldShape(3)),
    "mixed twice": (*MIXED, *reversed(MIXED)),
}


class LooksOn(nn.Module):
    """Says to whoever traces it whether the module was told so."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if is_traced() else x


@pytest.mark.parametrize("name", SHAPES)
def test_plain_vectors_are_those_of_the_loop(name: str) -> None:
    shapes = SHAPES[name]
    torch.manual_seed(2)
    table = nn.Embedding(sum(shape.size for shape in shapes), WIDTH).double()
    ids, values = draw_rows(shapes, ROWS)
    ours = PlainVectors(shapes)(ids, values, table)
    theirs = torch.stack(field_vectors(table.weight, shapes, ids, values), dim=1)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)


def test_they_add_no_state() -> None:
    assert list(FieldEmbedding(MIXED, WIDTH).state_dict()) == ["table.weight"]


def ways_of_looking(module: nn.Module, *inputs: Tensor) -> Iterator[Tensor]:
    yield torch.jit.trace(module, inputs, check_trace=False)(*inputs)
    yield torch.export.export(module, inputs).module()(*inputs)


def test_whoever_writes_a_model_down_is_noticed() -> None:
    x = torch.zeros(3)
    assert torch.equal(LooksOn()(x), x)
    for found in ways_of_looking(LooksOn(), x):
        assert torch.equal(found, x + 1)


def test_a_soft_mixture_is_written_down() -> None:
    """Its fast way reads the gates on the host, and would write down what it read there."""
    torch.manual_seed(3)
    operations = {kind.name: kind(2, WIDTH) for kind in (Add, Product, Concat, Attention)}
    mixture = SoftFusion(operations, torch.tensor([0.1, 0.2, 0.3, 0.4]))

    class Node(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixture = mixture

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.mixture([x, y], x)

    inputs = torch.randn(ROWS, WIDTH), torch.randn(ROWS, WIDTH)
    with torch.no_grad():
        expected = mixture(list(inputs), inputs[0])
        for found in ways_of_looking(Node(), *inputs):
            torch.testing.assert_close(found, expected)
