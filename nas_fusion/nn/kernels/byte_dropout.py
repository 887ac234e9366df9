"""Dropout that draws a byte for every feature, where torch draws a number."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from nas_fusion.nn.tracing import is_traced

_BYTE = 256
"""Values that a byte can have: probabilities are so many parts of one."""

_BYTES_PER_DRAW = 8
"""Of a 64-bit number; one call of the generator gives all of them."""

FEW = 1 << 14
"""Below so many features torch's one call is faster than the four of ours."""


class ByteDropout(nn.Dropout):
    """Dropout whose probability is a whole number of 256ths.

    One random byte says whether a feature stays. Torch draws a random number for every feature, which is a quarter to a
    third of the training of a small network on a CPU. The probability is rounded to the nearest 256th, to
    none below the first and to none above the last: .1 becomes 26/256 = .1016, .2 becomes 51/256 = .1992, .4 becomes
    102/256 = .3984. What stays is scaled by 1 / (1 - the rounded probability), so that a feature's mean is exactly what
    it is without dropout. 0 and 1 are what they are for torch, and so is evaluation: nothing changes.

    On other devices, for few features (`FEW`), and for whoever writes the model down (`is_traced`), torch drops with
    the rounded probability.

    Args:
        p: probability of dropping a feature while training.
        inplace: as of `torch.nn.Dropout`; takes torch's way.
    """

    @property
    def rounded(self) -> float:
        """The probability that is used, a multiple of 1/256."""
        return dropped_bytes(self.p) / _BYTE

    def forward(self, input: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
        """Features of any shape; while training, some are zero and the others larger."""
        if not self.training or not 0.0 < self.p < 1.0:
            return super().forward(input)
        if self.inplace or input.numel() < FEW or input.device.type != "cpu" or is_traced():
            return functional.dropout(input, self.rounded, inplace=self.inplace)
        drawn = random_bytes(input.numel()).view(input.shape)
        # Straight into the features' type: a mask of truth values costs a pass more, here and in the backward.
        mask = torch.ge(drawn, dropped_bytes(self.p), out=torch.empty(input.shape, dtype=input.dtype))
        return _Product.apply(input, mask, 1 / (1 - self.rounded))  # type: ignore[no-untyped-call]


def dropped_bytes(p: float) -> int:
    """How many of the 256 values of a byte mean that a feature is dropped."""
    if not 0.0 < p < 1.0:
        return round(p) * _BYTE
    return min(max(math.floor(p * _BYTE + 0.5), 1), _BYTE - 1)


def random_bytes(count: int) -> UInt8[Tensor, " count"]:
    """Bytes from torch's generator for the CPU, all values equally likely."""
    numbers = torch.empty(math.ceil(count / _BYTES_PER_DRAW), dtype=torch.int64)
    # From the least number on, with no end: all 64 bits are random.
    return numbers.random_(torch.iinfo(torch.int64).min, None).view(torch.uint8)[:count]


class _Product(torch.autograd.Function):
    """``numbers · mask · scale`` in one pass, and its gradient in one; torch's own product takes two for each."""

    generate_vmap_rule = True

    @staticmethod
    def forward(numbers: Tensor, mask: Tensor, scale: float) -> Tensor:
        return torch.addcmul(numbers.new_zeros(()), numbers, mask, value=scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        _, mask, ctx.scale = inputs
        ctx.save_for_backward(mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return torch.addcmul(gradient.new_zeros(()), gradient, mask, value=ctx.scale), None, None
