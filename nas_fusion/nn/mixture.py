"""The gated mixture of operations, by the way that is fast on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nas_fusion.nn.blocks import Features
from nas_fusion.nn.fused_mixture import covered_places, fused_mixture
from nas_fusion.nn.operations import FusionOperation
from nas_fusion.nn.stacked_mixture import stacked_mixture
from nas_fusion.nn.tracing import is_traced

__all__ = ["FAST_MIXTURES", "MIXTURES", "Mixture", "Way", "covered_places", "gated", "mixing_by", "mixture_of"]

Mixture = Callable[..., Tensor]
"""Arguments as of `fused_mixture`, for operations that `covered_places` finds covered."""

Way = Literal["fused", "stacked", "plain"]
"""How a mixture is computed; values and gradients are the same."""

MIXTURES: Mapping[Way, Mixture | None] = {"fused": fused_mixture, "stacked": stacked_mixture, "plain": None}
"""None: the operations run one by one."""

FAST_MIXTURES: dict[str, Mixture | None] = {"cpu": MIXTURES["fused"], "cuda": MIXTURES["stacked"]}
"""By type of device. Elsewhere, on torch's ``meta`` device too where multiply-adds are counted, it is the plain way."""


def fast_mixture(device: str) -> Mixture | None:
    """The fast way on a type of device; None for the plain one, which is the one that exporters can write down."""
    return None if is_traced() else FAST_MIXTURES.get(device)


def gated(inputs: Sequence[Features], gates: Float[Tensor, " input"]) -> list[Features]:
    """``z_j = m_j x_j``: every input ``[batch, width]`` times its gate."""
    return [gate * x for gate, x in zip(gates.unbind(), inputs, strict=True)]


def mixture_of(
    inputs: Sequence[Features],
    gates: Float[Tensor, " input"],
    weights: Float[Tensor, " operation"],
    operations: Sequence[FusionOperation],
    covered: Sequence[int],
) -> Features:
    """``Σ_o w_o · op_o(m_1 x_1, …, m_k x_k)``: together what a fast way covers, and the other operations one by one.

    Args:
        inputs: ``x_j``, ``[batch, width]`` each, not yet gated; at least one.
        gates: ``m_j``, ``[input]``.
        weights: ``w_o``, ``[operation]``, in the order of `operations`.
        operations: of any kinds, at least one.
        covered: places of `covered_places` among them.

    Returns:
        ``[batch, width]``.
    """
    mixture = fast_mixture(inputs[0].device.type) if covered else None
    if mixture is None:
        covered = ()
    left = [place for place in range(len(operations)) if place not in covered]
    terms: list[Features] = []
    if mixture is not None:
        # Not indexed where nothing is left out: one step less in every backward pass.
        own = weights[list(covered)] if left else weights
        terms.append(mixture(inputs, gates, own, [operations[place] for place in covered]))
    if left:
        z, each = gated(inputs, gates), weights.unbind()
        terms += [each[place] * operations[place](z, gates) for place in left]
    return reduce(torch.add, terms)


@contextmanager
def mixing_by(way: Way) -> Iterator[None]:
    """Compute mixtures in one way on every device inside the block, to compare the ways."""
    # The table itself is changed: nodes look a way up at every call.
    usual = dict(FAST_MIXTURES)
    FAST_MIXTURES.update(dict.fromkeys(usual, MIXTURES[way]))
    try:
        yield
    finally:
        FAST_MIXTURES.update(usual)
