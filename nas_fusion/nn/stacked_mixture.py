"""The gated mixture of the same operations for a GPU: few large kernels, and nothing read on the host.

With the gated inputs stacked, ``Z [row, input, feature]``, "add" is one sum, the concat's input is a view of Z, and all
attentions of a block are two batched matrix products. The operations of `nas_fusion.nn.operations` one by one start
about ten kernels per input, and a training step at a CTR model's sizes is bound by starting them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nas_fusion.nn.blocks import Features
from nas_fusion.nn.fused_mixture import CoveredParts, weights_by_kind
from nas_fusion.nn.operations import Add, Attention, Concat, FusionOperation, Product, ResidualProduct


def stacked_mixture(
    inputs: Sequence[Features],
    gates: Float[Tensor, " input"],
    weights: Float[Tensor, " operation"],
    operations: Sequence[FusionOperation],
) -> Features:
    """``Σ_o w_o · op_o(m_1 x_1, …, m_k x_k)``; arguments as of `nas_fusion.nn.fused_mixture.fused_mixture`."""
    product, residual, concat, attention = CoveredParts.of(operations)
    w = weights_by_kind(weights, operations)
    z = torch.stack(list(inputs), dim=1) * gates[:, None]
    # The gates are in Z already, so a closed input adds nothing; reading which are closed would wait for the device.
    mixed: Features = w[Add] * z.sum(dim=1) + w[Concat] * concat.linear(z.flatten(1))
    mixed = mixed + w[Attention] * attention.together(z)
    if product is not None:
        mixed = mixed + w[Product] * product(z.unbind(1), gates)
    return mixed if residual is None else mixed + w[ResidualProduct] * residual(z.unbind(1))
