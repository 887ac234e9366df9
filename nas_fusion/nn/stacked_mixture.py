"""The gated mixture of the four published operations for a GPU: few large kernels, and nothing read on the host.

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
from nas_fusion.nn.fused_mixture import covered_parts
from nas_fusion.nn.operations import FusionOperation


def stacked_mixture(
    inputs: Sequence[Features],
    gates: Float[Tensor, " input"],
    weights: Float[Tensor, " operation"],
    operations: Sequence[FusionOperation],
) -> Features:
    """``Σ_o w_o · op_o(m_1 x_1, …, m_k x_k)``; arguments as of `nas_fusion.nn.fused_mixture.fused_mixture`."""
    product, concat, attention = covered_parts(operations)
    # In the order that `is_covered` demands: add, product (if any), concat, attention.
    w = weights.unbind()
    z = torch.stack(list(inputs), dim=1) * gates[:, None]
    # The gates are in Z already, so a closed input adds nothing; reading which are closed would wait for the device.
    mixed: Features = w[0] * z.sum(dim=1) + w[-2] * concat.linear(z.flatten(1)) + w[-1] * attention.together(z)
    return mixed if product is None else mixed + w[1] * product(z.unbind(1), gates)
