"""The gated mixture of the operations of `OPERATION_TYPES`, with a hand-written backward.

For a block with inputs ``x_1 … x_k``, gates ``m_j`` and operation weights ``w`` (add, product, concat, attention,
residual product)::

    F = Σ_j z_j (w_c C_j + w_a I)ᵀ + w_c c + w_t Σ_j a_j ⊙ z_j + w_p Π_j z_j + w_r (Π_j (1 + z_j) - 1),   z_j = m_j x_j
    a_j = softmax(W2_j h_j),  h_j = ReLU(W1_j z_j + b1_j)

the same values and gradients as the operations of `nas_fusion.nn.operations` one by one, cheaper for these reasons:

- "add" is a multiple of the identity and joins the concat's matrix, gates join the matrices: nothing is stacked,
  concatenated or multiplied by a gate row by row.
- With ``Q_j = Gᵀ x_j`` (G the gradient of F), which the concat's weight gradient needs anyway, the gradients of the
  gates and of ``w_a``, ``w_c`` are sums over D × D matrices: ``tr Q_j``, ``⟨C_j, Q_j⟩``; likewise
  ``⟨W1_j, ∂L/∂W1_j⟩`` for the attention.
- A closed gate (exactly 0) leaves one matrix product of nine: its ``Q_j``. Its attention is one constant row, because
  its attention's input is zero. Its input's gradient is zero, and one number in memory; it is never absent, or a block
  that all others closed would be left out by the optimiser, whose momentum and L2 go on.
- The product is zero as soon as one gate is closed; with exactly one closed, that gate alone gets a gradient from it;
  with two or more there is nothing to do. To the residual product a closed input is a factor of 1.
- Where G is zero, as for a block that all others closed, so are all gradients.

Which gates are closed is read on the host, so this is the path for the CPU; a GPU would wait for it, and has
`nas_fusion.nn.stacked_mixture`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nas_fusion.nn.blocks import Features
from nas_fusion.nn.operations import Add, Attention, Concat, FusionOperation, Product, ResidualProduct
from nas_fusion.settings import ProductRule

_KINDS: tuple[type[FusionOperation], ...] = (Add, Product, Concat, Attention, ResidualProduct)
"""What can be mixed here, in the order in which the weights are taken below."""


def covered_places(operations: Sequence[FusionOperation]) -> tuple[int, ...]:
    """The places of those operations that can be mixed together here, in their order; none if too few can.

    They are the published ones, with or without either product, each once; others may stand among them.
    """
    kinds = [type(operation) for operation in operations]
    places = tuple(place for place, kind in enumerate(kinds) if kind in _KINDS)
    found = [kinds[place] for place in places]
    return places if len(set(found)) == len(found) and {Add, Concat, Attention} <= set(found) else ()


class CoveredParts(NamedTuple):
    """The operations with rules or weights of their own, of operations that `covered_places` finds covered."""

    product: Product | None
    residual: ResidualProduct | None
    concat: Concat
    attention: Attention

    @classmethod
    def of(cls, operations: Sequence[FusionOperation]) -> CoveredParts:
        """Find them by their kinds."""
        by_kind: dict[type, Any] = {type(operation): operation for operation in operations}
        return cls(by_kind.get(Product), by_kind.get(ResidualProduct), by_kind[Concat], by_kind[Attention])


def weights_by_kind(
    weights: Float[Tensor, " operation"], operations: Sequence[FusionOperation]
) -> dict[type[FusionOperation], Float[Tensor, ""]]:
    """``w_o`` of every operation, by its class."""
    return dict(zip(map(type, operations), weights.unbind(), strict=True))


def fused_mixture(
    inputs: Sequence[Features],
    gates: Float[Tensor, " input"],
    weights: Float[Tensor, " operation"],
    operations: Sequence[FusionOperation],
) -> Features:
    """``Σ_o w_o · op_o(m_1 x_1, …, m_k x_k)``.

    Under autocast the matrix products are bfloat16 and everything else, the sum over the inputs too, is float32.

    Args:
        inputs: ``x_j``, ``[batch, width]`` each, not yet gated; at least one.
        gates: ``m_j``, ``[input]``; 0 closes an input for good in this step.
        weights: ``w_o``, ``[operation]``, in the order of `operations`.
        operations: that `covered_places` finds covered.

    Returns:
        ``[batch, width]``, in the dtype of the weights.
    """
    product, residual, concat, attention = CoveredParts.of(operations)
    device = inputs[0].device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    # The function below has a weight for every kind; that of a missing product is zero and learns nothing.
    by_kind = weights_by_kind(weights, operations)
    arranged = torch.stack([by_kind.get(kind, weights.new_zeros(())) for kind in _KINDS])
    rules = ("none" if product is None else product.rule, "none" if residual is None else "residual")
    with torch.autocast(device, enabled=False):
        return _FusedMixture.apply(  # type: ignore[no-untyped-call]
            rules,
            low,
            gates,
            arranged,
            concat.linear.weight,
            concat.linear.bias,
            attention.hidden_weight,
            attention.hidden_bias,
            attention.score_weight,
            *(inputs if low is None else [x.to(concat.linear.weight.dtype) for x in inputs]),
        )


_Rule = ProductRule | Literal["none", "residual"]
"""Of the product, and of the residual one."""


class _FusedMixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rules: tuple[_Rule, _Rule],
        low: torch.dtype | None,
        gates: Tensor,
        weights: Tensor,
        concat: Tensor,
        concat_bias: Tensor,
        hidden: Tensor,
        hidden_bias: Tensor,
        score: Tensor,
        *inputs: Tensor,
    ) -> Tensor:
        # Read once, on the host: a closed input is skipped, not multiplied by zero.
        m: list[float] = gates.tolist()
        w_add, w_product, w_concat, w_attention, w_residual = weights.tolist()
        lowered = _to(low)
        columns = concat.unflatten(1, (len(inputs), -1)).unbind(1)
        # What everything is added to, in place: it starts as the concat's bias.
        fused = (w_concat * concat_bias).expand_as(inputs[0]).contiguous()
        saved: list[Tensor] = []
        for j, x in enumerate(inputs):
            if m[j] == 0:
                continue
            linear = columns[j] * (w_concat * m[j])
            # ``m (w_c C + w_a I)``: "add" joins the concat's matrix, and one product does both.
            linear.diagonal().add_(w_add * m[j])
            x_low = lowered(x)
            # In float32 the product goes into the sum directly; one in bfloat16 is summed in float32.
            if low is None:
                fused.addmm_(x, linear.t())
            else:
                fused.add_(x_low @ lowered(linear).t())
            h = torch.addmm(lowered(hidden_bias[j]), x_low, lowered(m[j] * hidden[j]).t()).relu_()
            a = torch.softmax(h @ lowered(score[j]).t(), dim=1, dtype=x.dtype)
            fused.addcmul_(a, x, value=w_attention * m[j])
            # What the backward pass could only make again by the same two matrix products.
            saved += [h, a]
        for rule, weight in zip(rules, (w_product, w_residual), strict=True):
            product = _Product(rule, m, inputs)
            if product.is_nonzero:
                fused.add_(product.value(), alpha=weight)
        ctx.rules, ctx.low, ctx.m = rules, low, m
        ctx.w = (w_add, w_product, w_concat, w_attention, w_residual)
        ctx.save_for_backward(concat, concat_bias, hidden, hidden_bias, score, *inputs, *saved)
        ctx.count = len(inputs)
        return fused

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        g = grads[0].contiguous()
        # Zeros, not None: an optimiser's momentum and L2 go on for a weight whose gradient is zero.
        if not g.any():
            shared = [torch.zeros_like(tensor) for tensor in ctx.saved_tensors[:5]]
            return (None, None, g.new_zeros(ctx.count), g.new_zeros(len(ctx.w)), *shared, *[_zero_like(g)] * ctx.count)
        with torch.autocast(g.device.type, enabled=False):
            return _FusedMixture._backward(ctx, g)

    @staticmethod
    def _backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        concat, concat_bias, hidden, hidden_bias, score, *rest = ctx.saved_tensors
        inputs, saved = rest[: ctx.count], iter(rest[ctx.count :])
        m, (w_add, w_product, w_concat, w_attention, w_residual) = ctx.m, ctx.w
        lowered = _to(ctx.low)
        # Side by side [g | ∂L/∂(W1 x + b1)], the second half new for every open input: pairs of products become one.
        width = g.shape[1]
        both = torch.empty(len(g), 2 * width, dtype=ctx.low or g.dtype, device=g.device)
        g_low, d_h = both.split(width, dim=1)
        g_low.copy_(g)
        columns = concat.unflatten(1, (ctx.count, -1)).unbind(1)
        row_sum = g.sum(0)
        d_concat = torch.empty_like(concat)
        d_columns = d_concat.unflatten(1, (ctx.count, -1)).unbind(1)
        d_hidden, d_score = torch.zeros_like(hidden), torch.zeros_like(score)
        d_hidden_bias = torch.zeros_like(hidden_bias)
        d_gates = g.new_zeros(ctx.count)
        d_inputs: list[Tensor] = []
        d_weights = g.new_zeros(len(ctx.w))
        # The bias's part of ``⟨concat, G⟩``; each input adds the part of its columns.
        d_weights[2] = row_sum @ concat_bias
        for j, x in enumerate(inputs):
            x_low = lowered(x)
            if m[j] == 0:
                # All that a closed gate needs, and what lets it open again.
                q = (g_low.t() @ x_low).to(g.dtype)
            else:
                # In the order in which the forward saved them: open inputs only.
                h, a = next(saved), next(saved)
                d_a = g * x
                d_scores = lowered(torch._softmax_backward_data(d_a, a, 1, a.dtype).mul_(w_attention * m[j]))
                d_score[j] = d_scores.t() @ h
                # Into the second half of `both`, where the products below expect it.
                torch.ops.aten.threshold_backward.grad_input(d_scores @ lowered(score[j]), h, 0, grad_input=d_h)
                q, d_first = (both.t() @ x_low).to(g.dtype).split(width)
            trace, overlap = q.diagonal().sum(), (columns[j] * q).sum()
            d_weights[0] += m[j] * trace
            d_weights[2] += m[j] * overlap
            d_gates[j] = w_add * trace + w_concat * overlap
            torch.mul(q, w_concat * m[j], out=d_columns[j])
            if m[j] == 0:
                # The attention's input is zero, so its weights a are the same row for every sample.
                a_row = torch.softmax(score[j] @ torch.relu(hidden_bias[j]), dim=0)
                d_gates[j] += w_attention * (a_row @ q.diagonal())
                d_inputs.append(_zero_like(g))
                continue
            # The attention's part of two gradients: times m of w_t's, times w_t of the gate's.
            attended = torch.dot(a.flatten(), d_a.flatten())
            torch.mul(d_first, m[j], out=d_hidden[j])
            d_hidden_bias[j] = d_h.sum(0, dtype=g.dtype)
            d_weights[3] += m[j] * attended
            d_gates[j] += w_attention * attended + (d_first * hidden[j]).sum()
            linear = columns[j] * (w_concat * m[j])
            linear.diagonal().add_(w_add * m[j])
            d_x = (both @ lowered(torch.cat([linear, m[j] * hidden[j]]))).to(g.dtype)
            d_inputs.append(d_x.addcmul_(g, a, value=w_attention * m[j]))
        for rule, w, d_w in zip(ctx.rules, (w_product, w_residual), (d_weights[1], d_weights[4]), strict=True):
            _Product(rule, m, inputs).backward(g, w, d_w, d_gates, d_inputs)
        d_bias = w_concat * row_sum
        return (None, None, d_gates, d_weights, d_concat, d_bias, d_hidden, d_hidden_bias, d_score, *d_inputs)


def _zero_like(g: Tensor) -> Tensor:
    """Zeros of the shape of `g` that take one number."""
    return g.new_zeros(()).expand_as(g)


def _to(low: torch.dtype | None) -> Callable[[Tensor], Tensor]:
    return (lambda x: x) if low is None else (lambda x: x.to(low))


class _Product:
    """``Π_j z_j`` or ``Π_j (1 + z_j) - 1``, and the gradients by products of everything before and after an input."""

    def __init__(self, rule: _Rule, m: list[float], inputs: Sequence[Tensor]) -> None:
        self.rule, self.m, self.inputs = rule, m, inputs
        self.closed = [j for j, gate in enumerate(m) if gate == 0]
        self.open = [j for j, gate in enumerate(m) if gate != 0]

    @property
    def is_nonzero(self) -> bool:
        if self.rule == "none":
            return False
        return not self.closed if self.rule == "zero" else bool(self.open)

    def value(self) -> Tensor:
        if self.rule != "residual":
            return _product_of([self._factor(j) for j in self.open])
        # As `ResidualProduct` has it: the product less one would lose the digits of inputs far below 1.
        first, *others = self.open
        residual = self._gated(first)
        for j in others:
            residual = torch.addcmul(residual, residual + 1, self._gated(j))
        return residual

    def _gated(self, j: int) -> Tensor:
        return self.inputs[j] if self.m[j] == 1 else self.inputs[j] * self.m[j]

    def _factor(self, j: int) -> Tensor:
        if self.rule == "residual":
            return self._gated(j) + 1
        # "open": z + (1 - m), which is x for an open binary gate; the general form serves relaxed gates too.
        if self.m[j] == 1:
            return self.inputs[j]
        return self.inputs[j] * self.m[j] + (0.0 if self.rule == "zero" else 1 - self.m[j])

    def _by_gate(self, j: int) -> Tensor:
        """The derivative of an input's factor by its gate."""
        return self.inputs[j] - 1 if self.rule == "open" else self.inputs[j]

    def backward(self, g: Tensor, w: float, d_weight: Tensor, d_gates: Tensor, d_inputs: list[Tensor]) -> None:
        # With two factors zero, so is every product of all factors but one.
        if self.rule == "none" or (self.rule == "zero" and len(self.closed) > 1):
            return
        # Nothing is open: a product has then no gradient, but for one of a single input; a residual one is a sum.
        if not self.open and self.rule != "residual" and (self.rule == "open" or len(self.m) > 1):
            return
        factors = [self._factor(j) for j in self.open]
        if self.is_nonzero:
            if self.rule == "residual":
                d_weight.copy_((g * self.value()).sum())
            for j, d_z in zip(self.open, _without_each(g, factors), strict=True):
                if j == self.open[0] and self.rule != "residual":
                    # ``⟨G, Π⟩`` once: G times all factors but the first, times the first.
                    d_weight.copy_((d_z * factors[0]).sum())
                d_gates[j] += w * (d_z * self._by_gate(j)).sum()
                d_inputs[j].add_(d_z, alpha=w * self.m[j])
        if self.closed:
            # A closed gate learns from the product of all the others.
            together = g * _product_of(factors) if factors else g
            for j in self.closed:
                d_gates[j] += w * (together * self._by_gate(j)).sum()


def _product_of(factors: Sequence[Tensor]) -> Tensor:
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product


def _without_each(g: Tensor, factors: Sequence[Tensor]) -> list[Tensor]:
    """For every factor, `g` times all the others."""
    # By products from both ends: dividing the whole by a factor fails where it is zero.
    before, behind = [g], [torch.ones_like(g)]
    for factor in factors[:-1]:
        before.append(before[-1] * factor)
    for factor in reversed(factors[1:]):
        behind.append(behind[-1] * factor)
    return [b * a for b, a in zip(before, reversed(behind), strict=True)]
