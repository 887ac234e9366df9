"""Touched-rows Adam against dense Adam, against its definition in a loop, and in a training."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nas_fusion.data import prepare
from nas_fusion.field_shapes import FieldShape
from nas_fusion.nn import FieldEmbedding
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TouchedRowsAdam, TrainConfig, fit
from nas_fusion.training.optimizers import clip_gradient, weights_optimizer
from tests.field_oracle import MIXED, draw_rows

ROWS, WIDTH, STEPS = 12, 3, 9
SETTINGS: dict[str, Any] = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6}


def table(*, sparse: bool) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(ROWS, WIDTH, sparse=sparse, dtype=torch.float64)


def loss_of(embedding: nn.Embedding, rows: Tensor, step: int) -> Tensor:
    factor = torch.randn(len(rows), WIDTH, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
    loss: Tensor = (embedding(rows) * factor).sin().sum()
    return loss


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_equals_dense_adam_where_every_row_is_looked_up(decay: float) -> None:
    ours, dense = table(sparse=True), table(sparse=False)
    touched = TouchedRowsAdam(ours.parameters(), weight_decay=decay, **SETTINGS)
    adam = torch.optim.Adam(dense.parameters(), weight_decay=decay, **SETTINGS)
    for step in range(STEPS):
        rows = torch.cat([torch.randperm(ROWS), torch.randint(ROWS, (7,))])  # some of them twice
        for embedding, optimiser in ((ours, touched), (dense, adam)):
            optimiser.zero_grad()
            loss_of(embedding, rows, step).backward()
            optimiser.step()
    torch.testing.assert_close(ours.weight, dense.weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("elements_at_once", [2 * WIDTH, 1 << 17])
def test_equals_its_definition_row_by_row(decay: float, elements_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_fusion.training.optimizers.ELEMENTS_AT_ONCE", elements_at_once)
    ours, plain = table(sparse=True), table(sparse=False)
    optimiser = TouchedRowsAdam(ours.parameters(), weight_decay=decay, **SETTINGS)
    (beta1, beta2), lr, eps = (0.8, 0.95), 0.05, 1e-6
    memory: dict[int, dict[str, Any]] = {
        row: {"m": torch.zeros(WIDTH), "v": torch.zeros(WIDTH), "n": 0, "last": 0} for row in range(ROWS)
    }
    generator = torch.Generator().manual_seed(4)
    for step in range(1, STEPS + 1):
        looked_up = torch.randint(ROWS, (5,), generator=generator)
        optimiser.zero_grad()
        loss_of(ours, looked_up, step).backward()
        optimiser.step()
        plain.zero_grad()
        loss_of(plain, looked_up, step).backward()
        assert plain.weight.grad is not None
        for row in set(looked_up.tolist()):
            seen = memory[row]
            weight = plain.weight.data[row]
            gradient = plain.weight.grad[row] + decay * (step - seen["last"]) * weight
            seen["n"], seen["last"] = seen["n"] + 1, step
            seen["m"] = beta1 * seen["m"] + (1 - beta1) * gradient
            seen["v"] = beta2 * seen["v"] + (1 - beta2) * gradient**2
            first, second = seen["m"] / (1 - beta1 ** seen["n"]), seen["v"] / (1 - beta2 ** seen["n"])
            plain.weight.data[row] = weight - lr * first / (second.sqrt() + eps)
        torch.testing.assert_close(ours.weight, plain.weight, rtol=0, atol=1e-12)


def test_rows_without_a_look_up_stay_as_they_are() -> None:
    ours = table(sparse=True)
    before = ours.weight.detach().clone()
    optimiser = TouchedRowsAdam(ours.parameters(), weight_decay=1.0, **SETTINGS)
    for step in range(3):
        optimiser.zero_grad()
        loss_of(ours, torch.tensor([1, 5]), step).backward()
        optimiser.step()
    changed = (ours.weight != before).any(1).nonzero().flatten().tolist()
    assert changed == [1, 5]


def test_state_goes_through_a_checkpoint() -> None:
    def steps(embedding: nn.Embedding, optimiser: TouchedRowsAdam, numbers: range) -> None:
        for step in numbers:
            optimiser.zero_grad()
            loss_of(embedding, torch.tensor([step % ROWS, 3, 3]), step).backward()
            optimiser.step()

    through = table(sparse=True)
    optimiser = TouchedRowsAdam(through.parameters(), weight_decay=0.1, **SETTINGS)
    steps(through, optimiser, range(4))
    resumed = copy.deepcopy(through)
    other = TouchedRowsAdam(resumed.parameters(), weight_decay=0.1, **SETTINGS)
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    steps(through, optimiser, range(4, 8))
    steps(resumed, other, range(4, 8))
    assert torch.equal(through.weight, resumed.weight)


def test_clipping_counts_summed_rows() -> None:
    sparse, dense = table(sparse=True), table(sparse=False)
    other = [nn.Parameter(torch.ones(4, dtype=torch.float64)) for _ in range(2)]
    rows = torch.tensor([0, 3, 3, 7, 0])
    for embedding, more in ((sparse, other[0]), (dense, other[1])):
        (loss_of(embedding, rows, 1) + (more**2).sum()).backward()
    clip_gradient([sparse.weight, other[0]], 0.5)
    norm = nn.utils.clip_grad_norm_([dense.weight, other[1]], 0.5)
    assert norm > 0.5
    assert sparse.weight.grad is not None
    torch.testing.assert_close(sparse.weight.grad.to_dense(), dense.weight.grad)
    torch.testing.assert_close(other[0].grad, other[1].grad)


def test_a_training_with_it_learns_and_repeats_itself() -> None:
    data = prepare("synthetic:6000").search_view()

    def trained(optimiser: str) -> float:
        torch.manual_seed(0)
        space = FusionSpace([f.size for f in data.schema.fields], levels=1, emb_dim=4)
        model = space.random(random_state=np.random.RandomState(3))
        config = TrainConfig(
            learning_rate=1e-2, max_epochs=3, batch_size=256, gradient_clip=1.0, embedding_optimizer=optimiser
        )
        return fit(model, data, config).best_valid_auc

    first = trained("touched-rows-adam")
    assert first == trained("touched-rows-adam")
    assert first != trained("adam")
    assert first > 0.6


def test_only_the_option_makes_gradients_sparse() -> None:
    embedding, rest = FieldEmbedding([4, 5], 2), nn.Linear(4, 1)
    model = nn.ModuleList([embedding, rest])
    for name, sparse in (("touched-rows-adam", True), ("adam", False)):
        optimiser = weights_optimizer(model, TrainConfig(embedding_optimizer=name))
        optimiser.zero_grad()
        rest(embedding(torch.tensor([[1, 2]]))).sum().backward()
        gradient = embedding.table.weight.grad
        assert gradient is not None
        assert gradient.is_sparse is sparse
        optimiser.step()
        assert all(math.isfinite(p.sum().item()) for p in model.parameters())


class _LargeTensors(TorchDispatchMode):
    """Notes which operations make a tensor of at least so many elements."""

    def __init__(self, elements: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements, self.found = elements, set[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {id(x) for x in args if isinstance(x, Tensor)}
        for x in made if isinstance(made, tuple | list) else [made]:
            dense = isinstance(x, Tensor) and x.layout == torch.strided and id(x) not in given
            if dense and x.untyped_storage().size() >= self.elements * x.element_size():
                self.found.add(str(func))
        return made


@pytest.mark.parametrize("ids_alone", [True, False])
@pytest.mark.parametrize("optimizer", ["touched-rows-adam", "adam"])
def test_a_step_makes_nothing_as_large_as_the_table(optimizer: str, ids_alone: bool) -> None:
    shapes = (FieldShape(50_000),) if ids_alone else (*MIXED, FieldShape(50_000))
    embedding = FieldEmbedding(shapes, WIDTH)
    adam = weights_optimizer(embedding, TrainConfig(embedding_optimizer=optimizer))
    ids, values = draw_rows(shapes, 16)

    def step() -> None:
        adam.zero_grad()
        embedding(ids, None if values is None else values.float()).square().sum().backward()
        clip_gradient(list(embedding.parameters()), 1.0)
        adam.step()

    step()  # makes the moments
    with _LargeTensors(embedding.table.weight.numel()) as large:
        step()
    assert bool(large.found) == (optimizer == "adam"), large.found
