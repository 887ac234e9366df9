"""A comparison as one sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas_fusion.statistics.strategy_comparison import PairedComparison

_NUMBERS = {0: "no", 1: "one"}


def sentence(comparison: PairedComparison) -> str:
    """What may be said, the evidence in brackets, and what is missing."""
    if comparison.verdict == "unknown":
        return f"unknown: {_evidence_count(comparison)}{_left_out(comparison)}"
    evidence = _evidence(comparison)
    if comparison.verdict in ("better", "worse"):
        return f"{comparison.verdict} by {number(abs(comparison.difference))} ({evidence})"
    return f"tie: {number(comparison.difference, sign=True)} ({evidence}){_why_tie(comparison)}"


def number(value: float, *, sign: bool = False) -> str:
    """``.0031``, ``-.0031``, ``1.2000``; with `sign` also ``+.0031``; never ``-.0000``."""
    rounded = round(value, 4) + 0.0
    text = f"{rounded:+.4f}" if sign and rounded else f"{rounded:.4f}"
    return text.replace("0.", ".", 1) if abs(rounded) < 1 else text


def _evidence(comparison: PairedComparison) -> str:
    parts = []
    if comparison.interval is not None:
        low, high = comparison.interval
        parts.append(f"{100 * (1 - comparison.level):g} % {number(low)} to {number(high)}")
    parts.append(_p(comparison))
    return ", ".join([*parts, _evidence_count(comparison)]) + _left_out(comparison)


def _p(comparison: PairedComparison) -> str:
    assert comparison.p_value is not None
    assert comparison.p_corrected is not None
    corrected = " corrected" if not math.isclose(comparison.p_corrected, comparison.p_value) else ""
    p = comparison.p_corrected
    if p < 0.001:
        return f"p < .001{corrected}"
    if p > 0.99:
        return f"p > .99{corrected}"
    # A third digit where the second would hide on which side of the level it lies.
    digits = 3 if p < 0.01 or round(p, 2) == round(comparison.level, 2) else 2
    return f"p = {f'{p:.{digits}f}'.removeprefix('0')}{corrected}"


def count(number_of: int, unit: str) -> str:
    """``5 seeds``, ``one seed``, ``no seed``."""
    return f"{_NUMBERS.get(number_of, f'{number_of:,}')} {unit}{'s' if number_of > 1 else ''}"


def _evidence_count(comparison: PairedComparison) -> str:
    pairs = count(comparison.pairs, comparison.unit)
    if comparison.data_sets > 1 and comparison.unit != "data set":
        return f"{pairs} on {comparison.data_sets} data sets"
    return pairs


def _left_out(comparison: PairedComparison) -> str:
    if not comparison.left_out:
        return ""
    return f"; {count(comparison.left_out, comparison.unit)} left out, not a number"


def _why_tie(comparison: PairedComparison) -> str:
    assert comparison.p_corrected is not None
    small = abs(comparison.difference) < comparison.smallest_difference
    smallest = number(comparison.smallest_difference)
    if comparison.is_significant:
        return f"; sure, but below {smallest} a difference is of no use"
    if comparison.pairs_needed is None:
        return ""
    if comparison.p_corrected < comparison.level:
        needed = count(comparison.pairs_needed, comparison.unit)
        return f", but not beyond the spread of the runs; that would need {needed} at most"
    what = f"a difference of {smallest}, the smallest that matters," if small else "a difference of this size"
    return f"; {what} would need about {count(comparison.pairs_needed, comparison.unit)}"
