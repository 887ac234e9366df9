"""The table's own gradient is torch's, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from nas_fusion.nn import FieldEmbedding
from nas_fusion.nn.kernels import EmbeddingTable

ROWS, WIDTH, BATCH, FIELDS = 60, 4, 512, 10


def two_tables(dtype: torch.dtype, width: int = WIDTH) -> tuple[EmbeddingTable, nn.Embedding]:
    ours, torchs = EmbeddingTable(ROWS, width, dtype=dtype), nn.Embedding(ROWS, width, dtype=dtype)
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


def ids_of(step: int) -> Tensor:
    """Most rows several times, some never: as in a log, few values are frequent."""
    generator = torch.Generator().manual_seed(step)
    return (torch.rand(BATCH, FIELDS, generator=generator) ** 3 * ROWS).long()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_value_and_gradient(dtype: torch.dtype) -> None:
    ours, torchs = two_tables(dtype)
    factor = torch.randn(BATCH, FIELDS, WIDTH, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    for table in (ours, torchs):
        vectors = table(ids_of(0))
        (vectors * factor.to(dtype)).sum().backward()
    assert torch.equal(ours(ids_of(0)), torchs(ids_of(0)))
    assert ours.weight.grad is not None
    assert torchs.weight.grad is not None
    assert torch.equal(ours.weight.grad, torchs.weight.grad)


def test_weights_after_many_steps() -> None:
    """A small model on both, each step from where the last has led: any bit that differed would spread."""
    trained = []
    for table in two_tables(torch.float32):
        torch.manual_seed(1)
        head = nn.Sequential(nn.Linear(FIELDS * WIDTH, 16), nn.ReLU(), nn.Linear(16, 1))
        with torch.no_grad():
            table.weight.copy_(torch.randn(ROWS, WIDTH) / 10)
        optimiser = torch.optim.Adam([*table.parameters(), *head.parameters()], lr=0.01, weight_decay=1e-4, fused=True)
        for step in range(300):
            ids = ids_of(step)
            labels = (ids.sum(1) % 3 == 0).float()
            optimiser.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(head(table(ids).flatten(1)).squeeze(1), labels).backward()
            optimiser.step()
        trained.append([p.detach().clone() for p in (*table.parameters(), *head.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*trained, strict=True))


@pytest.mark.parametrize("expanded", [False, True])
def test_gradients_of_any_layout(expanded: bool) -> None:
    ours, torchs = two_tables(torch.float32)
    for table in (ours, torchs):
        vectors = table(ids_of(1))
        (vectors.sum() if expanded else vectors.transpose(1, 2).contiguous().cos().sum()).backward()
    assert ours.weight.grad is not None
    assert torchs.weight.grad is not None
    assert torch.equal(ours.weight.grad, torchs.weight.grad)


def test_an_empty_batch_has_no_gradient() -> None:
    table, _ = two_tables(torch.float32)
    table(torch.empty(0, FIELDS, dtype=torch.long)).sum().backward()
    assert table.weight.grad is not None
    assert not table.weight.grad.any()


def test_sparse_gradients_and_prediction_are_torchs() -> None:
    table, _ = two_tables(torch.float32)
    table.sparse = True
    table(ids_of(0)).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.is_sparse
    with torch.no_grad():
        assert not table(ids_of(0)).requires_grad
    assert table.requires_grad_(False)(ids_of(0)).grad_fn is None


def test_every_model_has_it() -> None:
    assert type(FieldEmbedding([3, 4], 2).table) is EmbeddingTable


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_table_that_is_used_twice(dtype: torch.dtype, width: int) -> None:
    ours, torchs = two_tables(dtype, width)
    for table in (ours, torchs):
        (table(ids_of(0)).square().sum() + table(ids_of(1)).cos().sum()).backward()
    assert ours.weight.grad is not None
    assert torchs.weight.grad is not None
    assert torch.equal(ours.weight.grad, torchs.weight.grad)


@pytest.mark.parametrize("special", [{"padding_idx": 0}, {"max_norm": 0.5}, {"scale_grad_by_freq": True}])
def test_what_only_torch_knows_is_torchs(special: dict[str, Any]) -> None:
    torch.manual_seed(4)
    ours, torchs = EmbeddingTable(ROWS, WIDTH, **special), nn.Embedding(ROWS, WIDTH, **special)
    torchs.load_state_dict(ours.state_dict())
    for table in (ours, torchs):
        table(ids_of(0)).square().sum().backward()
    assert torch.equal(ours.weight, torchs.weight)
    assert ours.weight.grad is not None
    assert torchs.weight.grad is not None
    assert torch.equal(ours.weight.grad, torchs.weight.grad)


def test_it_is_deterministic_also_with_several_threads() -> None:
    ours, torchs = two_tables(torch.float32)
    torchs(ids_of(0)).cos().sum().backward()
    before = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            ours.weight.grad = None
            ours(ids_of(0)).cos().sum().backward()
            assert ours.weight.grad is not None
            assert torchs.weight.grad is not None
            assert torch.equal(ours.weight.grad, torchs.weight.grad)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(before)


def test_gradients_of_gradients() -> None:
    ids = ids_of(2)[:6, :3]
    table = EmbeddingTable(ROWS, WIDTH, dtype=torch.float64)

    def loss(weight: Tensor) -> Tensor:
        return functional_call(table, {"weight": weight}, (ids,)).square()

    assert torch.autograd.gradgradcheck(loss, (table.weight.detach().requires_grad_(),))


def test_gradients_row_by_row() -> None:
    """Per-sample gradients, as `torch.func` makes them."""
    ours, torchs = two_tables(torch.float64)
    found = []
    for table in (ours, torchs):

        def loss(weight: Tensor, ids: Tensor, table: nn.Module = table) -> Tensor:
            return functional_call(table, {"weight": weight}, (ids,)).cos().sum()

        found.append(vmap(grad(loss), in_dims=(None, 0))(table.weight.detach(), ids_of(3)[:20]))
    assert found[0].shape == (20, ROWS, WIDTH)
    assert torch.equal(found[0], found[1])


def test_whoever_writes_it_down_sees_torchs() -> None:
    exported = torch.export.export(EmbeddingTable(ROWS, WIDTH), (ids_of(0),))
    called = [node.target for node in exported.graph.nodes if node.op == "call_function"]
    assert called == [torch.ops.aten.embedding.default]


def test_a_half_precision_step_keeps_the_own_gradient() -> None:
    """Autocast leaves the table in float32."""
    ours, torchs = two_tables(torch.float32)
    head = nn.Linear(WIDTH, 1)
    for table in (ours, torchs):
        with torch.autocast("cpu", torch.bfloat16):
            vectors = table(ids_of(0))
            loss = head(vectors).float().square().sum()
        loss.backward()
        assert (type(vectors.grad_fn).__name__ == "_LookUpBackward") == (table is ours)
    assert ours.weight.grad is not None
    assert torchs.weight.grad is not None
    assert torch.equal(ours.weight.grad, torchs.weight.grad)
