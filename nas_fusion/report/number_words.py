"""Numbers and settings as people read them, for the terminal and the page alike."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nas_fusion.statistics import Interval

MISSING = "–"

MINUTE, HOUR = 60.0, 3600.0
"""Seconds."""


def short(value: float) -> str:
    """``.9832``: an AUC without its zero, for columns that have little room."""
    return f"{value:.4f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.4f}"


def interval(found: Interval | None) -> str:
    """``.9828–.9836``; a dash for none."""
    return MISSING if found is None else f"{short(found.low)}–{short(found.high)}"


def p_value(value: float | None) -> str:
    """``.012``, ``<.001``; a dash for none."""
    if value is None or math.isnan(value):
        return MISSING
    return "<.001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1) if value < 1 else "1"


def signed(value: float) -> str:
    """``+0.0012`` or ``-0.0012``, never ``-0.0000``."""
    return f"{round(value, 4) + 0.0:+.4f}"


def seconds(value: float) -> str:
    """``0.4``, ``12.3``, ``1,234``: seconds without the unit."""
    if math.isnan(value):
        return "nan"
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def milliseconds(value: float) -> str:
    """``0.123``, ``1.23``, ``12.3``, ``123``: three digits, without the unit."""
    if math.isnan(value):
        return "nan"
    return f"{value:.{3 if value < 0.9995 else 2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def count(value: float) -> str:
    """``950``, ``12.3 k``, ``1.23 M``, ``4.56 G``: three digits."""
    if math.isnan(value):
        return "nan"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # 999.5 of a unit would round to four digits, so it already belongs to the next one.
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f} {unit}"
    return f"{value:.0f}"


def share_of_attainable(mean: float, attainable: float) -> float:
    """How far of the way from 0.5 to `attainable` an AUC got, in percent."""
    return 100 * (mean - 0.5) / (attainable - 0.5)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names, as in TOML."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = isinstance(value, Mapping) and value
        found.update(flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value})
    return found


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def plain(value: object) -> str:
    """A setting as a person writes it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "2.5 h", "12 h"."""
    if seconds < 1.5 * MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 1.5 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    hours = seconds / HOUR
    return f"{hours:.1f} h".replace(".0 h", " h") if hours < 10 else f"{round(hours)} h"
