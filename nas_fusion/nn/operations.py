"""Fusion operations: how a block merges its inputs.

An operation is made for a number of inputs and called with those inputs, already multiplied by their connection gates
(``z_j = m_j x_j``; a closed input is all zeros). A derived model leaves closed inputs out instead: `keep` makes the
same operation for the open ones, with the same weights. One that is trained from scratch is made in the same way, from
an operation for all candidate inputs: its weights start as those of the published code do, where the bound of a
concat's first weights is that of all candidate inputs.

Source of the first four operations: Zhang et al., WSDM 2025 (see the module `nas_fusion.optfusion`). `ResidualProduct`
is this package's own; `Bilinear` is FinalMLP's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nas_fusion.errors import OptionError
from nas_fusion.nn.blocks import Features
from nas_fusion.nn.kernels import AttentionWeights, added, attention_sum, has_own_way, linear_sum
from nas_fusion.settings import ModelSettings, ProductRule

Gates = Float[Tensor, "input"]


class FusionOperation(nn.Module):
    """Base class: merge several inputs of one width into one of the same width.

    A subclass names itself, builds its weights in ``__init__`` and implements `forward`; one with weights per input
    also overrides `keep`.

    Args:
        inputs: number of candidate inputs.
        width: number of features of every input and of the output.
    """

    name: ClassVar[str]

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.inputs, self.width = inputs, width

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Merge the gated inputs.

        Args:
            inputs: ``z_j = m_j x_j`` for every candidate input, at least one; each ``[batch, width]``.
            gates: the gates ``m_j``, ``[input]``; None where every input is open.

        Returns:
            ``[batch, width]``.
        """
        raise NotImplementedError

    def on(self, inputs: Sequence[Features], kept: Sequence[int]) -> Features:
        """Merge only the inputs with the indices `kept` (at least one); the others count as left out."""
        return self([inputs[j] for j in kept])

    def constant(self, like: Features) -> Features:
        """What the operation gives without any open input: zero, unless a subclass says otherwise."""
        return torch.zeros_like(like)

    def keep(self, kept: Sequence[int]) -> FusionOperation:
        """The same operation on some of its inputs, with a copy of their weights and of no others.

        Args:
            kept: indices of the inputs; none: what gives `constant`, with the weights for it.
        """
        # Without a constant of its own the operation gives zero there: none of its weights would matter.
        if not kept and type(self).constant is FusionOperation.constant:
            return Zero(self.width)
        # Weights of its own: re-training a derived model must not move the supernet.
        other = copy.deepcopy(self)
        other.inputs = len(kept)
        return other


class Zero(FusionOperation):
    """What is left without inputs of an operation that then gives zero.

    Args:
        width: number of features of the output.
    """

    name = "zero"

    def __init__(self, width: int) -> None:
        super().__init__(0, width)


class Bias(FusionOperation):
    """What is left of a concat without inputs: b.

    Args:
        bias: ``[width]``; copied.
    """

    name = "bias"

    def __init__(self, bias: Float[Tensor, " width"]) -> None:
        super().__init__(0, len(bias))
        self.bias = nn.Parameter(bias.detach().clone())

    def constant(self, like: Features) -> Features:
        """The bias for every row, ``[batch, width]``, without a copy."""
        return self.bias.expand_as(like)


class Add(FusionOperation):
    """``Σ_j z_j``."""

    name = "add"

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Sum the inputs, ``[batch, width]`` each."""
        return added(inputs) if len(inputs) > 1 and has_own_way(inputs[0]) else reduce(torch.add, inputs)


class Product(FusionOperation):
    """``Π_j z_j`` (Hadamard).

    Args:
        inputs: number of candidate inputs.
        width: number of features.
        rule: ``"zero"``: one closed input makes the product zero (the published search); ``"open"``: the product of
            the open inputs, and zero where none is open.

    Raises:
        OptionError: the rule is neither.
    """

    name = "product"

    def __init__(self, inputs: int, width: int, rule: ProductRule = ModelSettings.product) -> None:
        super().__init__(inputs, width)
        if rule not in ("zero", "open"):
            raise OptionError("product", "'zero' or 'open'", rule)
        self.rule = rule

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Multiply the inputs, ``[batch, width]`` each, feature by feature."""
        # A closed input comes as zeros, and a zero factor is all that the published rule asks for.
        if gates is None or self.rule == "zero":
            return reduce(torch.mul, inputs)
        # A closed factor is 1, an open one is x. Linear in m, so that a gate learns ``x - 1`` times the other factors.
        factors = [z + (1 - m) for z, m in zip(inputs, gates.unbind(), strict=True)]
        # With every gate closed the factors leave 1, where there is nothing. Detached: no gate learns from this.
        return reduce(torch.mul, factors) * (gates.detach() > 0).any()


class ResidualProduct(FusionOperation):
    """``Π_j (1 + z_j) - 1``: the sum of the inputs, of their products by two, by three, and so on.

    A product of many inputs near zero has next to no gradient, so that nothing before it learns; here an input's
    gradient is that of the result times ``Π_{k≠j} (1 + z_k)``, which is near 1. A closed input is a factor of 1 and
    changes nothing; a gate between 0 and 1 weighs its input: ``1 + m_j x_j``.
    """

    name = "residual-product"

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Multiply one more than the inputs, ``[batch, width]`` each, feature by feature, and take one away."""
        # r ← (1 + r)(1 + z) - 1 = r + (1 + r) z: inputs far below 1 keep all their digits.
        return reduce(lambda r, z: torch.addcmul(r, r + 1, z), inputs)


class Concat(FusionOperation):
    """``W [z_1; …; z_k] + b``, with W ``[width, input · width]``: back to the width of one input.

    Args:
        inputs: number of candidate inputs.
        width: number of features.
    """

    name = "concat"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.linear = nn.Linear(inputs * width, width)

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Concatenate the inputs to ``[batch, input · width]`` and map them to ``[batch, width]``."""
        if has_own_way(inputs[0]):
            return linear_sum(inputs, self.linear.weight, self.linear.bias)
        return self.linear(torch.cat(list(inputs), dim=1))

    def mapped(self, inputs: Sequence[Features], linear: nn.Linear) -> Float[Tensor, "batch mapped"]:
        """``linear(self(inputs))``, by one product of the two matrices where that is less work.

        ``V (W z + b) + c = (V W) z + (V b + c)``. To one number, as a model's head does, the concat's own matrix
        product falls away; to as many features as an input has, that of `linear`.

        Args:
            inputs: ``[batch, width]`` each, at least one.
            linear: maps ``[batch, width]``.

        Returns:
            ``[batch, mapped]``.
        """
        if not self._is_less_work(inputs, linear):
            return linear(self(inputs))
        weight = linear.weight @ self.linear.weight
        return linear_sum(inputs, weight, torch.addmv(linear.bias, linear.weight, self.linear.bias))

    def _is_less_work(self, inputs: Sequence[Features], linear: nn.Linear) -> bool:
        if linear.bias is None or not has_own_way(inputs[0]):
            return False
        rows, wide, to = len(inputs[0]), self.linear.weight.shape[1], linear.out_features
        # Multiply-adds: of the product of the matrices and of the rows by it, against those of both maps by themselves.
        return to * wide * (self.width + rows) < rows * self.width * (wide + to)

    def on(self, inputs: Sequence[Features], kept: Sequence[int]) -> Features:
        """Concatenate the inputs `kept` and map them by their columns of W, to ``[batch, width]``."""
        # The columns of the closed inputs are not read: zeros times weights would cost as much as an input.
        if has_own_way(inputs[0]):
            return linear_sum([inputs[j] for j in kept], self.linear.weight, self.linear.bias, kept)
        return functional.linear(torch.cat([inputs[j] for j in kept], dim=1), self._columns(kept), self.linear.bias)

    def _columns(self, kept: Sequence[int]) -> Float[Tensor, "width kept_width"]:
        return self.linear.weight.unflatten(1, (self.inputs, self.width))[:, list(kept)].flatten(1)

    def constant(self, like: Features) -> Features:
        """The bias for every row, ``[batch, width]``, without a copy."""
        return self.linear.bias.expand_as(like)

    def keep(self, kept: Sequence[int]) -> Concat | Bias:
        """Keep the columns of some inputs, and the bias."""
        if not kept:
            return Bias(self.linear.bias)
        # ``to`` takes type and device from the weights that are copied next.
        other = Concat(len(kept), self.width).to(self.linear.weight)
        with torch.no_grad():
            other.linear.weight.copy_(self._columns(kept))
            other.linear.bias.copy_(self.linear.bias)
        return other


class Attention(FusionOperation):
    """``Σ_j softmax_features(W2_j ReLU(W1_j z_j + b1_j)) ⊙ z_j``, own weights for every input, `W2_j` without bias.

    Args:
        inputs: number of candidate inputs.
        width: number of features; W1 and W2 are ``[input, width, width]``.
    """

    name = "attention"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        bound = 1 / math.sqrt(width)  # nn.Linear's initial distribution
        self.hidden_weight = nn.Parameter(torch.empty(inputs, width, width).uniform_(-bound, bound))
        self.hidden_bias = nn.Parameter(torch.empty(inputs, width).uniform_(-bound, bound))
        self.score_weight = nn.Parameter(torch.empty(inputs, width, width).uniform_(-bound, bound))

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Weigh every input's features by its own attention and sum; ``[batch, width]`` each, and the result."""
        if has_own_way(inputs[0]):
            return attention_sum(inputs, self._weights)
        # On a CPU the copy that stacking takes costs more than the larger products save.
        if inputs[0].is_cuda and len(inputs) > 1:
            return self.together(torch.stack(list(inputs), dim=1))
        return reduce(torch.add, [self._attended(j, z) for j, z in enumerate(inputs)])

    def together(self, z: Float[Tensor, "batch input width"]) -> Features:
        """The same for stacked inputs ``[batch, input, width]``, by batched matrix products: few kernels for a GPU."""
        by_input = z.transpose(0, 1)
        hidden = torch.relu(torch.baddbmm(self.hidden_bias[:, None], by_input, self.hidden_weight.mT))
        # Over the features of one input, as published: inputs do not compete with each other.
        return (torch.softmax(torch.bmm(hidden, self.score_weight.mT), dim=-1) * by_input).sum(dim=0)

    def on(self, inputs: Sequence[Features], kept: Sequence[int]) -> Features:
        """Attend to some inputs by their own weights."""
        if has_own_way(inputs[0]):
            return attention_sum([inputs[j] for j in kept], self._weights, kept)
        return reduce(torch.add, [self._attended(j, inputs[j]) for j in kept])

    @property
    def _weights(self) -> AttentionWeights:
        return AttentionWeights(self.hidden_weight, self.hidden_bias, self.score_weight)

    def _attended(self, j: int, z: Features) -> Features:
        hidden = torch.relu(functional.linear(z, self.hidden_weight[j], self.hidden_bias[j]))
        return torch.softmax(functional.linear(hidden, self.score_weight[j]), dim=-1) * z

    def keep(self, kept: Sequence[int]) -> Attention | Zero:
        """Keep the weights of some inputs."""
        if not kept:
            return Zero(self.width)
        other = Attention(len(kept), self.width).to(self.hidden_weight)
        rows = list(kept)
        with torch.no_grad():
            for name in ("hidden_weight", "hidden_bias", "score_weight"):
                getattr(other, name).copy_(getattr(self, name)[rows])
        return other


class Bilinear(FusionOperation):
    """``Σ_j a_j ⊙ z_j + Σ_{i<j} z_i ⊙ (W_j z_j)``, W_j block-diagonal with one block for every head.

    FinalMLP's multi-head bilinear fusion of two streams x and y (Mao et al., AAAI 2023), kept at its width:
    with the head ``w · f + b`` behind it and w = 1 it is ``a_x · x + a_y · y + b + Σ_h x_hᵀ W_h y_h``. For more inputs
    than two, which the paper has not, every input is met by the sum of those before it, so that the weights grow with
    the number of inputs and not with that of pairs. A closed input adds nothing.

    Args:
        inputs: number of candidate inputs.
        width: number of features; a is ``[input, width]``, W ``[input - 1, head, width / head, width / head]``, since
            nothing comes before the first input.
    """

    name = "bilinear"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.heads = heads_of(width)
        # A sum to begin with: the published linear part has weights of its own, here the head's are behind these.
        self.scale = nn.Parameter(torch.ones(inputs, width))
        part = width // self.heads
        bound = 1 / math.sqrt(part)  # nn.Linear's initial distribution
        # One input alone has no partner: an empty weight would be one that never learns.
        self.weight: nn.Parameter | None = None
        if inputs > 1:
            self.weight = nn.Parameter(torch.empty(inputs - 1, self.heads, part, part).uniform_(-bound, bound))

    def forward(self, inputs: Sequence[Features], gates: Gates | None = None) -> Features:
        """Scale the inputs, ``[batch, width]`` each, multiply each with a map of each later one, and sum."""
        return self.on(inputs, range(len(inputs)))

    def on(self, inputs: Sequence[Features], kept: Sequence[int]) -> Features:
        """The same for some inputs, by their own weights."""
        first, *others = kept
        before = inputs[first]
        merged = before * self.scale[first]
        for j in others:
            merged = torch.addcmul(merged, inputs[j], self.scale[j])
            merged = torch.addcmul(merged, before, self._mapped(j, inputs[j]))
            before = before + inputs[j]
        return merged

    def _mapped(self, j: int, z: Features) -> Features:
        """``W_j z``."""
        assert self.weight is not None
        weight = self.weight[j - 1]
        if self.heads == 1:
            return functional.linear(z, weight[0])
        # [head, batch, part] times [head, part, part]: one batched product for all heads.
        return torch.bmm(z.unflatten(1, (self.heads, -1)).transpose(0, 1), weight.mT).transpose(0, 1).flatten(1)

    def keep(self, kept: Sequence[int]) -> Bilinear | Zero:
        """Keep the weights of some inputs; the first of them needs no matrix any more."""
        if not kept:
            return Zero(self.width)
        other = Bilinear(len(kept), self.width).to(self.scale)
        with torch.no_grad():
            other.scale.copy_(self.scale[list(kept)])
            if other.weight is not None and self.weight is not None:
                other.weight.copy_(self.weight[[j - 1 for j in kept[1:]]])
        return other


MOST_HEADS = 5
"""Heads of FinalMLP's bilinear fusion on frappe, its authors' and BARS's setting."""


def heads_of(width: int) -> int:
    """Into how many heads features are cut: `MOST_HEADS`, or the largest smaller number that divides the width."""
    return next(heads for heads in range(MOST_HEADS, 0, -1) if width % heads == 0)


class OperationDict(nn.ModuleDict):
    """A `ModuleDict` that holds fusion operations only, and says so to type checkers."""

    def __getitem__(self, key: str) -> FusionOperation:
        return cast(FusionOperation, super().__getitem__(key))

    def all(self) -> dict[str, FusionOperation]:
        """The operations by name."""
        return cast(dict[str, FusionOperation], dict(self.items()))


OPERATION_TYPES: Mapping[str, type[FusionOperation]] = MappingProxyType(
    {operation.name: operation for operation in (Add, Product, Concat, Attention, ResidualProduct, Bilinear)}
)
"""Every operation that a space may choose from by name: OptFusion's four, in their order, then the others.

To add one, write a subclass of `FusionOperation` above and name it here; a space of one's own may instead have a table
of its own (`FusionSpace.operation_types`). What an operation costs is counted by running it, and
a supernet mixes any operations, one by one where they are not of the kinds of this table. Those that a search chooses
from where nobody says so are `nas_fusion.design.OPERATIONS`.
"""
