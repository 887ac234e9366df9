"""Connection gates: binary forward, straight-through backward."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class _BinaryGate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor) -> Tensor:
        # Strict, as published: a gate at exactly 0 is closed.
        return (alpha > 0).to(alpha.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        # Straight through, whatever the gate is: what a closed one receives is what may open it again.
        return grads[0]


def binary_gate(alpha: Float[Tensor, " connection"]) -> Float[Tensor, " connection"]:
    """``m = 1[α > 0]`` (strict) with ``∂L/∂α = ∂L/∂m``, unclipped.

    The gradient passes closed gates too, so that they can open again (Zhang et al., WSDM 2025).

    Args:
        alpha: ``[connection]``, any floating dtype.

    Returns:
        ``[connection]`` of 0 and 1, in the dtype of `alpha`.
    """
    gates: Tensor = _BinaryGate.apply(alpha)  # type: ignore[no-untyped-call]
    return gates
