"""The gated mixture of operations, by the way that is fast on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from torch import Tensor

from nas_fusion.nn.fused_mixture import fused_mixture, is_covered
from nas_fusion.nn.stacked_mixture import stacked_mixture
from nas_fusion.nn.tracing import is_traced

__all__ = ["FAST_MIXTURES", "MIXTURES", "Mixture", "Way", "fast_mixture", "is_covered", "mixing_by"]

Mixture = Callable[..., Tensor]
"""Arguments as of `fused_mixture`, for operations that `is_covered` finds covered."""

Way = Literal["fused", "stacked", "plain"]
"""How a mixture is computed; values and gradients are the same."""

MIXTURES: Mapping[Way, Mixture | None] = {"fused": fused_mixture, "stacked": stacked_mixture, "plain": None}
"""None: the operations run one by one."""

FAST_MIXTURES: dict[str, Mixture | None] = {"cpu": MIXTURES["fused"], "cuda": MIXTURES["stacked"]}
"""By type of device. Elsewhere, on torch's ``meta`` device too where multiply-adds are counted, it is the plain way."""


def fast_mixture(device: str) -> Mixture | None:
    """The fast way on a type of device; None for the plain one, which is the one that exporters can write down."""
    return None if is_traced() else FAST_MIXTURES.get(device)


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
