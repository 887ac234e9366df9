"""The gated mixture of the published operations, by the way that is fast on a device."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from nas_fusion.nn.fused_mixture import fused_mixture, is_covered
from nas_fusion.nn.stacked_mixture import stacked_mixture

__all__ = ["FAST_MIXTURES", "is_covered"]

FAST_MIXTURES: dict[str, Callable[..., Tensor]] = {"cpu": fused_mixture, "cuda": stacked_mixture}
"""By type of device: arguments as of `fused_mixture`, for operations that `is_covered` finds covered.

Elsewhere, on torch's ``meta`` device too where multiply-adds are counted, the operations run one by one.
"""
