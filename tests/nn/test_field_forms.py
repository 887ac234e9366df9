"""Every form of a field against a loop in float64: vectors, gradients, training, half precision, few rows touched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import PAD, FieldForm, FieldShape
from nas_fusion.nn import FieldEmbedding
from nas_fusion.training import TrainConfig
from nas_fusion.training.optimizers import weights_optimizer
from tests.field_oracle import MIXED, draw_rows, field_vectors

WIDTH, ROWS = 3, 40

SHAPES: dict[str, tuple[FieldShape, ...]] = {
    "ids": (FieldShape(4), FieldShape(7)),
    "scaled": (FieldShape(2, FieldForm.SCALED),),
    "interpolated": (FieldShape(9, FieldForm.INTERPOLATED), FieldShape(2, FieldForm.INTERPOLATED)),
    "short list": (FieldShape(6, FieldForm.LIST, columns=2),),
    "long lists": (FieldShape(6, FieldForm.LIST, columns=30), FieldShape(3, FieldForm.LIST, columns=25)),
    "a list of one": (FieldShape(6, FieldForm.LIST),),
    "mixed": MIXED,
    "mixed twice": (*MIXED, *reversed(MIXED)),
}


def embedding_of(shapes: Sequence[FieldShape], dtype: torch.dtype = torch.float64) -> FieldEmbedding:
    torch.manual_seed(2)
    embedding = FieldEmbedding(shapes, WIDTH).to(dtype)
    nn.init.normal_(embedding.table.weight)
    return embedding


def gradient_of(vectors: Tensor, table: Tensor) -> Tensor:
    factor = torch.linspace(-1, 2, vectors.numel(), dtype=torch.float64).view(vectors.shape).to(vectors.dtype)
    (gradient,) = torch.autograd.grad((vectors * factor).cos().sum(), table)
    return gradient


def expected_vectors(embedding: FieldEmbedding, table: Tensor, ids: Tensor, values: Tensor | None) -> Tensor:
    return torch.cat(field_vectors(table, embedding.fields.shapes, ids, values), dim=1)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", SHAPES)
def test_vectors_and_gradients_are_those_of_the_loop(name: str, sparse: bool) -> None:
    embedding = embedding_of(SHAPES[name])
    embedding.table.sparse = sparse
    ids, values = draw_rows(SHAPES[name], ROWS)
    table = embedding.table.weight.detach().clone().requires_grad_()
    ours, theirs = embedding(ids, values), expected_vectors(embedding, table, ids, values)
    assert ours.shape == (ROWS, len(SHAPES[name]) * WIDTH)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)
    gradient = gradient_of(ours, embedding.table.weight)
    assert gradient.is_sparse == sparse
    torch.testing.assert_close(
        gradient.to_dense() if sparse else gradient, gradient_of(theirs, table), atol=1e-12, rtol=1e-12
    )
    with torch.no_grad():
        torch.testing.assert_close(embedding(ids, values), theirs, atol=1e-12, rtol=1e-12)


@st.composite
def any_shape(draw: st.DrawFn) -> FieldShape:
    form = draw(st.sampled_from(FieldForm))
    return FieldShape(draw(st.integers(2, 6)), form, draw(st.integers(1, 12)) if form is FieldForm.LIST else 1)


@given(shapes=st.lists(any_shape(), min_size=1, max_size=5), rows=st.integers(1, 6), seed=st.integers(0, 2**20))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_any_mixture_of_forms(shapes: list[FieldShape], rows: int, seed: int) -> None:
    embedding = embedding_of(shapes)
    ids, values = draw_rows(shapes, rows, seed)
    table = embedding.table.weight.detach().clone().requires_grad_()
    ours, theirs = embedding(ids, values), expected_vectors(embedding, table, ids, values)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(
        gradient_of(ours, embedding.table.weight), gradient_of(theirs, table), atol=1e-12, rtol=1e-12
    )


def trained(optimizer: str, shapes: Sequence[FieldShape], by_loop: bool) -> list[Tensor]:
    """The weights after steps with weight decay on a small model."""
    embedding = embedding_of(shapes)
    torch.manual_seed(4)
    head = nn.Linear(embedding.width, 1).double()
    model = nn.ModuleDict({"embedding": embedding, "head": head})
    config = TrainConfig(embedding_optimizer=optimizer, embedding_l2=0.01, learning_rate=0.05)
    optimiser = weights_optimizer(model, config)
    for step in range(6):
        ids, values = draw_rows(shapes, ROWS, seed=step)
        if by_loop:
            vectors = torch.cat(field_vectors(embedding.table.weight, shapes, ids, values), dim=1)
        else:
            vectors = embedding(ids, values)
        loss = nn.functional.binary_cross_entropy_with_logits(head(vectors)[:, 0], (ids[:, 0] % 2).double())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("name", ["scaled", "interpolated", "long lists", "mixed"])
def test_weights_after_several_steps(name: str) -> None:
    for ours, theirs in zip(trained("adam", SHAPES[name], False), trained("adam", SHAPES[name], True), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


def test_touched_rows_are_those_of_the_batch() -> None:
    """Where every row is touched in every step, both optimisers do the same; others stay as they are."""
    shapes = SHAPES["mixed"]
    for ours, theirs in zip(trained("touched-rows-adam", shapes, False), trained("adam", shapes, True), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)
    embedding = embedding_of((FieldShape(6, FieldForm.INTERPOLATED), FieldShape(5, FieldForm.LIST, columns=3)))
    before = embedding.table.weight.detach().clone()
    optimiser = weights_optimizer(embedding, TrainConfig(embedding_optimizer="touched-rows-adam", embedding_l2=0.1))
    # Ids 1 (exactly), 3 and 4 (between them); in the list 0 and 2, three and one of them in a row.
    ids = torch.tensor([[1, 2, 0, 2], [3, 2, PAD, PAD]])
    embedding(ids, torch.tensor([[0.0], [0.25]], dtype=torch.float64)).sum().backward()
    optimiser.step()
    changed = (embedding.table.weight != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == [1, 3, 4, 6 + 0, 6 + 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_half_precision(dtype: torch.dtype, sparse: bool) -> None:
    embedding = embedding_of(MIXED, dtype)
    embedding.table.sparse = sparse
    ids, values = draw_rows(MIXED, ROWS, dtype=torch.float32)
    assert values is not None
    table = embedding.table.weight.detach().double().requires_grad_()
    ours = embedding(ids, values)
    theirs = expected_vectors(embedding, table, ids, values.to(dtype).double())
    assert ours.dtype == dtype
    tolerance = 20 * torch.finfo(dtype).eps
    torch.testing.assert_close(ours.double(), theirs, atol=tolerance, rtol=tolerance)
    (gradient,) = torch.autograd.grad(ours.sum(), embedding.table.weight)
    (exact,) = torch.autograd.grad(theirs.sum(), table)
    torch.testing.assert_close(gradient.to_dense().double(), exact, atol=ROWS * tolerance, rtol=tolerance)


def test_autocast_keeps_the_tables_precision() -> None:
    embedding = embedding_of(MIXED, torch.float32)
    ids, values = draw_rows(MIXED, ROWS, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(embedding(ids, values), embedding.float()(ids, values))


def test_order_of_numbers_counts_between_bins() -> None:
    embedding = embedding_of((FieldShape(4, FieldForm.INTERPOLATED),))
    table = embedding.table.weight
    ids = torch.tensor([[2], [2], [2], [3], [3]])
    share = torch.tensor([[0.0], [0.5], [1.0], [0.0], [0.7]], dtype=torch.float64)
    expected = torch.stack([table[2], (table[2] + table[3]) / 2, table[3], table[3], table[3]])
    torch.testing.assert_close(embedding(ids, share), expected)


def test_pads_are_nothing_and_repeated_items_count_twice() -> None:
    embedding = embedding_of((FieldShape(4, FieldForm.LIST, columns=3), FieldShape(2)))
    table = embedding.table.weight
    ids = torch.tensor([[1, 1, 3, 0], [2, PAD, PAD, 1], [0, PAD, PAD, 1]], dtype=torch.int32)
    means = torch.stack([(2 * table[1] + table[3]) / 3, table[2], table[0]])
    torch.testing.assert_close(embedding(ids), torch.cat([means, table[[4, 5, 5]]], dim=1))


def test_new_vectors_of_the_same_fields() -> None:
    embedding = embedding_of(MIXED)
    other = embedding.like_new()
    assert other.fields == embedding.fields
    assert other.table.weight.shape == embedding.table.weight.shape
    assert not torch.equal(other.table.weight, embedding.table.weight)
    assert list(embedding.state_dict()) == ["table.weight"]


def test_a_wrong_number_of_columns_is_refused() -> None:
    embedding = embedding_of(MIXED)
    ids, values = draw_rows(MIXED, 2)
    assert values is not None
    with pytest.raises(OptionError, match=r"ids must be of 6 columns for these fields, got \[2, 4\]"):
        embedding(ids[:, :4], values)
    for wrong in (None, values[:, :1]):
        with pytest.raises(OptionError, match="values must be given for the 2 fields with a value"):
            embedding(ids, wrong)


def test_an_empty_batch() -> None:
    embedding = embedding_of(MIXED)
    ids, values = draw_rows(MIXED, 2)
    assert values is not None
    vectors = embedding(ids[:0], values[:0])
    assert vectors.shape == (0, embedding.width)
    vectors.sum().backward()
    assert embedding.table.weight.grad is not None
    assert not np.asarray(embedding.table.weight.grad).any()
