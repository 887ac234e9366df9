"""Numbers as people read them, for the terminal and the page alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas_fusion.report._summary import Spread

MISSING = "–"


def auc(spread: Spread | None) -> str:
    """``0.9832 ±.0004``; without the deviation for one seed."""
    if spread is None:
        return MISSING
    if spread.sd is None or math.isnan(spread.sd):
        return f"{spread.mean:.4f}"
    return f"{spread.mean:.4f} ±{f'{spread.sd:.4f}'.removeprefix('0')}"


def signed(value: float) -> str:
    """``+0.0012`` or ``-0.0012``, never ``-0.0000``."""
    return f"{round(value, 4) + 0.0:+.4f}"


def seconds(value: float) -> str:
    """``0.4``, ``12.3``, ``1,234``: seconds without the unit."""
    if math.isnan(value):
        return "nan"
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def count(value: float) -> str:
    """``950``, ``12.3 k``, ``1.23 M``, ``4.56 G``: three digits."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # 999.5 of a unit would round to four digits, so it already belongs to the next one.
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f} {unit}"
    return f"{value:.0f}"


def share_of_attainable(mean: float, attainable: float) -> float:
    """How far of the way from 0.5 to `attainable` an AUC got, in percent."""
    return 100 * (mean - 0.5) / (attainable - 0.5)
