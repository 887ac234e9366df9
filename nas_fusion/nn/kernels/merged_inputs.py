"""Sums over several inputs, each mapped by weights of its own, with hand-written gradients for a CPU.

A derived model's concat and attention are such sums. One matrix product after the other is added to the same result,
so that nothing is stacked: a copy of eight inputs side by side leaves the processor's cache, and its gradient is made
and taken apart again. What only one place reads is overwritten. Weights of inputs that are not there get a gradient of
zeros, not none: an optimiser's momentum and L2 go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nas_fusion.nn.tracing import is_traced

FEW = 1 << 13
"""Numbers of an input below which the calls cost more than a copy: single rows, above all."""


def has_own_way(x: Float[Tensor, "batch width"]) -> bool:
    """Whether an input like this is summed here, and not by torch's own operations.

    Not on a GPU, where many small products cost more than a copy; not for few numbers, in mixed precision, for whoever
    writes the model down, or under the transforms of ``torch.func``, which know torch's operations only.
    """
    plain = is_traced() or torch._C._are_functorch_transforms_active() or torch.is_autocast_enabled("cpu")
    # Sizes last: a traced one is no number, and to look at it would fix it in what is written down.
    return not plain and x.device.type == "cpu" and x.numel() >= FEW


def added(inputs: Sequence[Float[Tensor, "batch width"]]) -> Float[Tensor, "batch width"]:
    """``Σ_j x_j``, of at least two inputs, into one tensor."""
    total = inputs[0] + inputs[1]
    for x in inputs[2:]:
        total += x
    return total


def linear_sum(
    inputs: Sequence[Float[Tensor, "batch width"]],
    weight: Float[Tensor, "mapped all_width"],
    bias: Float[Tensor, " mapped"],
    kept: Sequence[int] | None = None,
) -> Float[Tensor, "batch mapped"]:
    """``Σ_j x_j W_jᵀ + b``: a linear map of the inputs side by side.

    Args:
        inputs: at least one, ``[batch, width]``.
        weight: ``[mapped, input · width]``.
        bias: ``[mapped]``.
        kept: which of the weight's inputs they are; None: all.
    """
    place = range(len(inputs)) if kept is None else kept
    return _LinearSum.apply(tuple(place), weight, bias, *inputs)  # type: ignore[no-untyped-call]


class AttentionWeights(NamedTuple):
    """Of every candidate input: W1 and W2 ``[input, width, width]``, b1 ``[input, width]``."""

    hidden: Float[Tensor, "input width width"]
    hidden_bias: Float[Tensor, "input width"]
    score: Float[Tensor, "input width width"]


def attention_sum(
    inputs: Sequence[Float[Tensor, "batch width"]], weights: AttentionWeights, kept: Sequence[int] | None = None
) -> Float[Tensor, "batch width"]:
    """``Σ_j softmax_features(W2_j ReLU(W1_j x_j + b1_j)) ⊙ x_j``.

    Args:
        inputs: at least one, ``[batch, width]``.
        weights: of all candidate inputs.
        kept: which of those they are; None: all.
    """
    place = range(len(inputs)) if kept is None else kept
    return _AttentionSum.apply(tuple(place), *weights, *inputs)  # type: ignore[no-untyped-call]


class _LinearSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, place: tuple[int, ...], weight: Tensor, bias: Tensor, *inputs: Tensor) -> Tensor:
        ctx.place = place
        ctx.save_for_backward(weight, *inputs)
        columns = _columns(weight, inputs[0].shape[1])
        first, *others = (columns[j].t() for j in place)
        total = torch.addmm(bias, inputs[0], first)
        for x, column in zip(inputs[1:], others, strict=True):
            total.addmm_(x, column)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = gradients
        weight, *inputs = ctx.saved_tensors
        _, wants_weight, wants_bias, *wanted = ctx.needs_input_grad
        d_weight = _zeros_or_room(weight, ctx.place, len(inputs), weight.shape[1] // inputs[0].shape[1])
        columns, d_columns = (_columns(matrix, inputs[0].shape[1]) for matrix in (weight, d_weight))
        if wants_weight:
            for j, x in zip(ctx.place, inputs, strict=True):
                torch.mm(g.t(), x, out=d_columns[j])
        d_inputs = [g @ columns[j] if wants else None for j, wants in zip(ctx.place, wanted, strict=True)]
        return None, d_weight if wants_weight else None, g.sum(0) if wants_bias else None, *d_inputs


class _AttentionSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, place: tuple[int, ...], hidden: Tensor, hidden_bias: Tensor, score: Tensor, *inputs: Tensor
    ) -> Tensor:
        total = torch.zeros_like(inputs[0])
        saved: list[Tensor] = []
        for j, x in zip(place, inputs, strict=True):
            h = torch.addmm(hidden_bias[j], x, hidden[j].t()).relu_()
            a = torch.softmax(h @ score[j].t(), dim=1)
            total.addcmul_(a, x)
            # What the backward pass could only make again by the same two matrix products.
            saved += [h, a]
        ctx.place = place
        ctx.save_for_backward(hidden, hidden_bias, score, *inputs, *saved)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = gradients
        hidden, hidden_bias, score, *rest = ctx.saved_tensors
        count = len(ctx.place)
        inputs, saved = rest[:count], iter(rest[count:])
        d_hidden, d_bias, d_score = (
            _zeros_or_room(weight, ctx.place, count, len(weight)) for weight in (hidden, hidden_bias, score)
        )
        d_inputs: list[Tensor | None] = []
        wanted = ctx.needs_input_grad[-count:]
        for j, x, wants in zip(ctx.place, inputs, wanted, strict=True):
            h, a = next(saved), next(saved)
            d_a = g * x
            d_scores = torch._softmax_backward_data(d_a, a, 1, a.dtype, grad_input=d_a)
            torch.mm(d_scores.t(), h, out=d_score[j])
            d_h = d_scores @ score[j]
            torch.ops.aten.threshold_backward.grad_input(d_h, h, 0, grad_input=d_h)
            torch.sum(d_h, 0, out=d_bias[j])
            torch.mm(d_h.t(), x, out=d_hidden[j])
            d_inputs.append(torch.mm(d_h, hidden[j]).addcmul_(g, a) if wants else None)
        return None, d_hidden, d_bias, d_score, *d_inputs


def _columns(weight: Tensor, width: int) -> tuple[Tensor, ...]:
    """The part of a weight ``[mapped, input · width]`` for each input, without a copy."""
    return weight.unflatten(1, (-1, width)).unbind(1)


def _zeros_or_room(weight: Tensor, place: tuple[int, ...], count: int, of: int) -> Tensor:
    """Where a weight's gradient goes: zeros, where not every part of it gets one."""
    return torch.empty_like(weight) if count == of else torch.zeros_like(weight)
