"""Sums over mapped inputs beside torch's own operations: values, gradients, and where they are used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from nas_fusion.nn import Add, Attention, Concat, DeepBlock, FusionNetwork, HardFusion
from nas_fusion.nn.embedding import FieldEmbedding
from nas_fusion.nn.kernels import has_own_way, merged_inputs
from nas_fusion.nn.operations import FusionOperation

ROWS, WIDTH = 80, 5
CASES = {"all of three": (3, [0, 1, 2]), "two of four": (4, [1, 3]), "one of one": (1, [0]), "one of three": (3, [2])}


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few numbers are enough for the way of many."""
    monkeypatch.setattr(merged_inputs, "FEW", 0)


def results(
    operation: FusionOperation, kept: Sequence[int], merge: Callable[[FusionOperation, list[Tensor]], Tensor]
) -> list[Tensor]:
    """The merged inputs, then the gradients of the inputs and of all weights."""
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(ROWS, WIDTH, generator=generator, dtype=torch.float64, requires_grad=True) for _ in kept]
    operation.zero_grad()
    merged = merge(operation, inputs)
    (merged * torch.arange(merged.numel()).view(merged.shape).cos()).sum().backward()
    leaves = [*inputs, *operation.parameters()]
    assert all(leaf.grad is not None for leaf in leaves), "absent is not zero"
    return [merged.detach(), *(leaf.grad.clone() for leaf in leaves if leaf.grad is not None)]


@pytest.mark.parametrize("kind", [Add, Concat, Attention])
@pytest.mark.parametrize(("inputs", "kept"), CASES.values(), ids=CASES)
def test_values_and_gradients_are_those_of_torch(
    kind: type[FusionOperation], inputs: int, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = kind(inputs, WIDTH).double()

    def merge(given: FusionOperation, z: list[Tensor]) -> Tensor:
        places: list[Tensor] = [z[0]] * inputs
        for place, x in zip(kept, z, strict=True):
            places[place] = x
        return given(z) if len(kept) == inputs else given.on(places, kept)

    expected = results(operation, kept, merge)
    monkeypatch.setattr(merged_inputs, "FEW", 0)
    for found, wanted in zip(results(operation, kept, merge), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("to", [1, WIDTH])
def test_a_concat_and_the_map_after_it_are_one(to: int) -> None:
    linear = nn.Linear(WIDTH, to).double()
    operation = Concat(3, WIDTH).double()
    own = results(operation, range(3), lambda _, z: operation.mapped(z, linear))
    own += [p.grad.clone() for p in linear.parameters() if p.grad is not None]
    linear.zero_grad()
    plain = results(
        operation,
        range(3),
        lambda given, z: functional.linear(given(z), linear.weight, linear.bias),
    )
    plain += [p.grad for p in linear.parameters() if p.grad is not None]
    assert len(own) == 8
    for found, wanted in zip(own, plain, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def deep_design() -> FusionNetwork:
    torch.manual_seed(0)
    width = 2 * WIDTH
    nodes = {"deep1": HardFusion(Concat(1, width)), "output": HardFusion(Attention(2, width))}
    sources = {"deep1": ["embedding"], "output": ["embedding", "deep1"]}
    embedding = FieldEmbedding([7, 9], WIDTH)
    return FusionNetwork(embedding, nodes, sources, {"deep1": DeepBlock(width)}, nn.Linear(width, 1)).double()


@pytest.mark.usefixtures("own")
def test_per_sample_gradients_of_torch_func_still_work() -> None:
    model, ids = deep_design(), torch.randint(7, (6, 2))
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def logit(given: dict[str, Tensor], row: Tensor) -> Tensor:
        return functional_call(model, given, (row[None],)).sum()

    found = vmap(grad(logit), in_dims=(None, 0))(weights, ids)
    model(ids).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(found[name].sum(0), parameter.grad)


@pytest.mark.usefixtures("own")
def test_an_exported_model_is_written_down_in_torchs_operations() -> None:
    model, ids = deep_design().eval(), torch.randint(7, (ROWS, 2))
    exported = torch.export.export(model, (ids,))
    assert not [node for node in exported.graph.nodes if "Function" in str(node.target)]
    torch.testing.assert_close(exported.module()(ids), model(ids))


@pytest.mark.usefixtures("own")
def test_mixed_precision_keeps_its_own_products() -> None:
    model, ids = deep_design().float(), torch.randint(7, (ROWS, 2))
    with torch.autocast("cpu", torch.bfloat16):
        assert not has_own_way(torch.ones(ROWS, WIDTH))
        assert model(ids).dtype == torch.bfloat16
    assert has_own_way(torch.ones(ROWS, WIDTH))


def test_few_numbers_and_other_devices_are_left_to_torch() -> None:
    assert not has_own_way(torch.ones(1, WIDTH))
    assert has_own_way(torch.ones(4096, WIDTH))
    assert not has_own_way(torch.ones(4096, WIDTH, device="meta"))
