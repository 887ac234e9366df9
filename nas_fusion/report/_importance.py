"""What single connections are worth: the validation AUC lost when one is closed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nas_fusion.design import Connection
from nas_fusion.report._words import block_label

if TYPE_CHECKING:
    from nas_fusion.design import FusionDesign

IMPORTANCE = "importance"
"""The key of `CellRecord.details`: ``"source -> target"`` → validation AUC lost."""


class Bar(NamedTuple):
    """One connection and the validation AUC that is lost without it; negative: the model is better without it."""

    label: str
    lost: float


def importance(details: Mapping[str, Any], design: FusionDesign) -> dict[Connection, float]:
    """The AUC lost per open connection of `design`, as far as it was measured."""
    measured = details.get(IMPORTANCE) or {}
    found = {(s, t): measured.get(f"{s} -> {t}") for s, t in design.connections}
    return {c: float(v) for c, v in found.items() if v is not None and math.isfinite(v)}


def bars(found: Mapping[Connection, float]) -> list[Bar]:
    """The most important connection first; equals in the order of the computation."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return [Bar(f"{block_label(s)} → {block_label(t)}", lost) for (s, t), lost in ordered]


def widths(found: Mapping[Connection, float], thin: float, thick: float) -> dict[Connection, float]:
    """Line widths: `thin` where nothing is lost, `thick` for the most important connection, linear between them."""
    top = max(found.values(), default=0.0)
    return {c: thin + (thick - thin) * (max(v, 0.0) / top if top > 0 else 0.0) for c, v in found.items()}
