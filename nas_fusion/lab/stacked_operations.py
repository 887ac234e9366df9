"""Fusion operations of many designs at once: each member of a stack merges its own open inputs with its own weights.

A stack merges the inputs that any of its members has open; a member's closed ones count as left out, as in its derived
model. Features are ``[member, batch, width]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.nn.operations import Attention, Bias, Concat, FusionOperation

StackedFeatures = Float[Tensor, "member batch width"]
WeightPair = tuple[Tensor, Tensor]
"""A weight of a member: where it is in the stack, and where it is in the member's own network."""


class StackedOperation(nn.Module):
    """Base class: one operation for all members, on the inputs that are open in any of them.

    Args:
        gates: whether a member has an input open, 1 or 0: ``[member, input]``.
        width: number of features of every input and of the output.
    """

    gates: Tensor

    def __init__(self, gates: Float[Tensor, "member input"], width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("gates", gates, persistent=False)
        self._is_open = gates.bool().all(0).tolist()
        self._kept: list[list[int]] = [member.nonzero().flatten().tolist() for member in gates.bool()]

    def forward(self, inputs: Sequence[StackedFeatures], like: StackedFeatures) -> StackedFeatures:
        """Merge.

        Args:
            inputs: that any member has open; none: every member gets the operation's constant.
            like: of the shape of the result.
        """
        raise NotImplementedError

    def pairs(self, place: int, operation: FusionOperation | None) -> Iterator[WeightPair]:
        """The weights of the member at a place, whose own operation this is; None: it has none, being zero."""
        yield from ()

    def gated(self, j: int, features: StackedFeatures) -> StackedFeatures:
        """An input, zero for the members that have it closed."""
        return features if self._is_open[j] else features * self._gate(j)

    def _gate(self, j: int) -> Tensor:
        return self.gates[:, j, None, None]


class StackedAdd(StackedOperation):
    """``Σ_j z_j``."""

    def forward(self, inputs: Sequence[StackedFeatures], like: StackedFeatures) -> StackedFeatures:
        """Sum."""
        if not inputs:
            return torch.zeros_like(like)
        return reduce(torch.add, [self.gated(j, x) for j, x in enumerate(inputs)])


class StackedProduct(StackedOperation):
    """``Π_j x_j`` over the open inputs; zero where none is open."""

    def forward(self, inputs: Sequence[StackedFeatures], like: StackedFeatures) -> StackedFeatures:
        """Multiply."""
        if not inputs:
            return torch.zeros_like(like)
        factors = [
            x if self._is_open[j] else torch.lerp(torch.ones_like(x), x, self._gate(j)) for j, x in enumerate(inputs)
        ]
        product = reduce(torch.mul, factors)
        some = self.gates.any(1)
        return product if bool(some.all()) else product * some[:, None, None]


class StackedResidualProduct(StackedOperation):
    """``Π_j (1 + z_j) - 1``, to which a closed input is a factor of 1."""

    def forward(self, inputs: Sequence[StackedFeatures], like: StackedFeatures) -> StackedFeatures:
        """Multiply one more than the inputs, and take one away; as `nas_fusion.nn.ResidualProduct` does it."""
        if not inputs:
            return torch.zeros_like(like)
        gated = [self.gated(j, x) for j, x in enumerate(inputs)]
        return reduce(lambda r, z: torch.addcmul(r, r + 1, z), gated)


class StackedConcat(StackedOperation):
    """``W [z_1; …; z_k] + b``."""

    def __init__(self, gates: Float[Tensor, "member input"], width: int) -> None:
        super().__init__(gates, width)
        members, inputs = gates.shape
        self.weight = nn.Parameter(gates.new_zeros(inputs, members, width, width))
        self.bias = nn.Parameter(gates.new_zeros(members, 1, width))

    def forward(self, inputs: Sequence[StackedFeatures], like: StackedFeatures) -> StackedFeatures:
        """Map every input by its own columns, and sum."""
        merged: Tensor = self.bias.expand_as(like)
        for j, (x, weight) in enumerate(zip(inputs, self.weight.unbind(), strict=True)):
            # Gates on the columns: there are fewer of them than of rows.
            merged = torch.baddbmm(merged, x, (weight if self._is_open[j] else weight * self._gate(j)).mT)
        return merged

    def pairs(self, place: int, operation: FusionOperation | None) -> Iterator[WeightPair]:
        """The columns of the open inputs, and the bias."""
        if isinstance(operation, Bias):
            yield self.bias[place, 0], operation.bias
        elif isinstance(operation, Concat):
            yield self.bias[place, 0], operation.linear.bias
            columns = operation.linear.weight.unflatten(1, (operation.inputs, self.width))
            for own, j in enumerate(self._kept[place]):
                yield self.weight[j, place], columns[:, own]


class StackedAttention(StackedOperation):
    """``Σ_j softmax_features(W2_j ReLU(W1_j z_j + b1_j)) ⊙ z_j``."""

    def __init__(self, gates: Float[Tensor, "member input"], width: int) -> None:
        super().__init__(gates, width)
        members, inputs = gates.shape
        self.hidden_weight = nn.Parameter(gates.new_zeros(inputs, members, width, width))
        self.hidden_bias = nn.Parameter(gates.new_zeros(inputs, members, 1, width))
        self.score_weight = nn.Parameter(gates.new_zeros(inputs, members, width, width))

    def forward(self, inputs: Sequence[StackedFeatures], like: StackedFeatures) -> StackedFeatures:
        """Weigh every input's features by its own attention, and sum."""
        if not inputs:
            return torch.zeros_like(like)
        weights = zip(self.hidden_weight.unbind(), self.hidden_bias.unbind(), self.score_weight.unbind(), strict=True)
        attended = []
        for j, (x, (hidden_weight, hidden_bias, score_weight)) in enumerate(zip(inputs, weights, strict=True)):
            hidden = torch.relu(torch.baddbmm(hidden_bias, x, hidden_weight.mT))
            scores = torch.softmax(torch.bmm(hidden, score_weight.mT), dim=-1)
            attended.append(self.gated(j, scores * x))
        return reduce(torch.add, attended)

    def pairs(self, place: int, operation: FusionOperation | None) -> Iterator[WeightPair]:
        """Those of the open inputs."""
        if not isinstance(operation, Attention):
            return
        for own, j in enumerate(self._kept[place]):
            yield self.hidden_weight[j, place], operation.hidden_weight[own]
            yield self.hidden_bias[j, place, 0], operation.hidden_bias[own]
            yield self.score_weight[j, place], operation.score_weight[own]


STACKED_OPERATIONS: Mapping[str, type[StackedOperation]] = MappingProxyType(
    {
        "add": StackedAdd,
        "product": StackedProduct,
        "concat": StackedConcat,
        "attention": StackedAttention,
        "residual-product": StackedResidualProduct,
    }
)
"""Every operation that can be trained for many designs at once, by name."""
