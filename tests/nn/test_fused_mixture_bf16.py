"""The fused mixture under bfloat16 autocast: as near to float32 as torch's own, in values and in every gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nas_fusion.nn.fused_mixture import fused_mixture
from nas_fusion.nn.operations import Add, Attention, Concat, FusionOperation, Product, ResidualProduct

ROWS, WIDTH, INPUTS = 64, 24, 4
GATES = {"open": [1, 1, 1, 1], "some closed": [1, 0, 1, 0], "one open": [0, 0, 1, 0], "closed": [0, 0, 0, 0]}


def plainly(inputs: list[Tensor], gates: Tensor, mixture: Tensor, operations: list[FusionOperation]) -> Tensor:
    gated = [gate * x for gate, x in zip(gates, inputs, strict=True)]
    return torch.stack([p * operation(gated) for p, operation in zip(mixture, operations, strict=True)]).sum(0)


def results(gates: list[int], *, bfloat16: bool, with_product: bool, merge: Any = fused_mixture) -> list[Tensor]:
    torch.manual_seed(0)
    kinds = [Add, Product, Concat, Attention, ResidualProduct] if with_product else [Add, Concat, Attention]
    operations: list[FusionOperation] = [kind(INPUTS, WIDTH) for kind in kinds]
    inputs = [torch.randn(ROWS, WIDTH, requires_grad=True) for _ in range(INPUTS)]
    gate = torch.tensor(gates, dtype=torch.float32, requires_grad=True)
    mixture = torch.softmax(torch.randn(len(operations)), dim=0).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        mixed = merge(inputs, gate, mixture, operations)
    (mixed.float() * torch.randn(ROWS, WIDTH)).sum().backward()
    leaves = [*inputs, gate, mixture, *(p for operation in operations for p in operation.parameters())]
    assert all(p.grad is not None for p in leaves)
    return [mixed.detach().float(), *(p.grad for p in leaves if p.grad is not None)]


@pytest.mark.parametrize("with_product", [True, False])
@pytest.mark.parametrize("gates", GATES.values(), ids=GATES)
def test_near_float32(gates: list[int], with_product: bool) -> None:
    low = results(gates, bfloat16=True, with_product=with_product)
    full = results(gates, bfloat16=False, with_product=with_product)
    plain = results(gates, bfloat16=True, with_product=with_product, merge=plainly)
    for found, expected, usual in zip(low, full, plain, strict=True):
        assert found.dtype == expected.dtype == torch.float32
        # bfloat16 flips a few of attention's rectifiers: torch's own autocast is the measure.
        assert (found - expected).norm() <= 1.5 * (usual - expected).norm() + 1e-2 * expected.norm() + 1e-6
    assert any(not torch.equal(found, expected) for found, expected in zip(low, full, strict=True))
