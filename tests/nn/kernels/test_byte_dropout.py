"""Dropout by bytes: exact in expectation, repeatable, and nothing but torch's to whoever looks from outside."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.baselines.models.model_parts import Tower
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.nn import DeepBlock, Fields
from nas_fusion.nn.kernels import ByteDropout, byte_dropout
from nas_fusion.nn.kernels.byte_dropout import dropped_bytes, random_bytes

PARTS = {0.001: 1, 0.1: 26, 0.2: 51, 0.3: 77, 0.4: 102, 0.5: 128, 0.999: 255}
"""Probability → of 256."""


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tensors take the same way as large ones."""
    monkeypatch.setattr(byte_dropout, "FEW", 0)


def dropped(p: float, shape: tuple[int, ...] = (500, 41), dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(5)
    return ByteDropout(p)(torch.ones(shape, dtype=dtype))


@pytest.mark.parametrize("p", PARTS)
def test_probabilities_are_256ths(p: float) -> None:
    assert dropped_bytes(p) == PARTS[p]
    assert ByteDropout(p).rounded == PARTS[p] / 256
    assert abs(ByteDropout(p).rounded - p) <= 1 / 256


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_what_stays_is_scaled_by_the_rounded_probability(p: float, dtype: torch.dtype) -> None:
    found = dropped(p, dtype=dtype)
    assert found.dtype == dtype
    assert set(found.unique().tolist()) == {0.0, torch.tensor(256 / (256 - PARTS[p]), dtype=dtype).item()}


@pytest.mark.parametrize("p", [0.001, 0.1, 0.2, 0.5, 0.9])
def test_the_share_that_is_dropped(p: float) -> None:
    rows = 400_000
    share = (dropped(p, (rows,)) == 0).double().mean().item()
    exact = PARTS.get(p, 230) / 256
    assert abs(share - exact) < 4 * math.sqrt(exact * (1 - exact) / rows)


@pytest.mark.parametrize("shape", [(0, 3), (1,), (3, 5), (2, 3, 7), (8,)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert dropped(0.3, shape).shape == shape


def test_every_byte_is_as_likely_as_any_other() -> None:
    torch.manual_seed(3)
    count = 256_000
    drawn = random_bytes(count + 3)
    assert drawn.shape == (count + 3,)
    expected = (count + 3) / 256
    chi_squared = ((torch.bincount(drawn.long(), minlength=256) - expected) ** 2 / expected).sum().item()
    # 255 degrees of freedom: mean 255, standard deviation 22.6.
    assert 150 < chi_squared < 370
    # Bytes of one 64-bit number know nothing of each other.
    pairs = drawn[:count].double().view(-1, 8).T
    assert torch.corrcoef(pairs).fill_diagonal_(0).abs().max() < 0.025


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_mask_times_scale(dtype: torch.dtype) -> None:
    x = torch.randn(60, 7, dtype=dtype, requires_grad=True)
    factor = torch.randn(7, 60, dtype=dtype).T  # of another layout
    y = ByteDropout(0.4)(x)
    y.backward(factor)
    scale = 256 / (256 - 102)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, factor * (y != 0) * scale, rtol=1e-6, atol=0)
    torch.testing.assert_close(y, x * (y != 0) * scale, rtol=1e-6, atol=0)


def test_gradients_of_gradients() -> None:
    def seeded(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return ByteDropout(0.5)(x) ** 2

    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(seeded, (x,))
    assert torch.autograd.gradgradcheck(seeded, (x,))


def test_a_seed_gives_one_mask_and_the_next_call_another() -> None:
    x, module = torch.ones(100, 8), ByteDropout(0.5)
    torch.manual_seed(9)
    first, second = module(x), module(x)
    torch.manual_seed(9)
    assert torch.equal(first, module(x))
    assert torch.equal(second, module(x))
    assert not torch.equal(first, second)


def test_a_constant_that_is_expanded_has_a_mask_for_every_row() -> None:
    found = ByteDropout(0.5)(torch.ones(16).expand(50, 16))
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_evaluation_changes_nothing(p: float) -> None:
    x = torch.randn(6, 5)
    assert torch.equal(ByteDropout(p).eval()(x), x)


@pytest.mark.parametrize(("p", "value"), [(0.0, 1.0), (1.0, 0.0)])
def test_never_and_always_are_what_they_are(p: float, value: float) -> None:
    assert torch.equal(dropped(p), torch.full((500, 41), value))
    assert ByteDropout(p).rounded == p


def test_few_features_are_dropped_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_dropout, "FEW", 401)
    x = torch.ones(20, 20, requires_grad=True)
    assert type(ByteDropout(0.1)(x).grad_fn).__name__ == "MulBackward0"
    assert set(ByteDropout(0.1)(x).unique().tolist()) == {0.0, torch.tensor(256 / 230).item()}
    monkeypatch.setattr(byte_dropout, "FEW", 400)
    assert type(ByteDropout(0.1)(x).grad_fn).__name__ == "_ProductBackward"


def test_in_place_is_torchs() -> None:
    x = torch.ones(50, 4)
    assert ByteDropout(0.5, inplace=True)(x) is x
    assert set(x.unique().tolist()) == {0.0, 2.0}


def test_it_is_a_dropout_without_state() -> None:
    module = ByteDropout(0.25)
    assert isinstance(module, nn.Dropout)
    assert not module.state_dict()
    for same in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert (type(same), same.p, same.training) == (ByteDropout, 0.25, True)
    tower = Tower(6, ModelShape(Fields.of([3, 4], 3), hidden=(5, 4), dropout=0.1))
    assert [name for name, _ in tower.named_parameters()][-2:] == ["5.weight", "5.bias"]
    assert [type(m) for m in tower.modules() if isinstance(m, nn.Dropout)] == [ByteDropout] * 2
    assert type(DeepBlock(4, dropout=0.5).dropout) is ByteDropout


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # checks of shapes compare sizes
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*is deprecated:DeprecationWarning")
def test_whoever_writes_it_down_sees_torchs() -> None:
    x = torch.ones(300, 10)
    exported = torch.export.export(ByteDropout(0.1), (x,))
    called = [node.target for node in exported.graph.nodes if node.op == "call_function"]
    assert called == [torch.ops.aten.dropout.default]
    evaluated = torch.export.export(ByteDropout(0.1).eval(), (x,)).module()(x)
    assert torch.equal(evaluated, x)
    traced = torch.jit.trace(ByteDropout(0.1), (x,), check_trace=False)(x)
    assert set(traced.unique().tolist()) == {0.0, torch.tensor(256 / 230).item()}


def test_over_many_inputs_at_once() -> None:
    x = torch.ones(4, 30, 5)
    same = torch.func.vmap(ByteDropout(0.5), randomness="same")(x)
    assert torch.equal(same[0], same[3])
    assert set(same.unique().tolist()) == {0.0, 2.0}
