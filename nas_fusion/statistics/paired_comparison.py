"""One strategy against another: the numbers, what may be said about them, and how it is said in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from nas_fusion.statistics.intervals import Interval

SMALLEST_DIFFERENCE = 0.0005
"""A smaller difference in AUC is of no practical use: good models for public logs lie within .003 of each other, runs
of one model differ by .0008, and the literature calls .001 an improvement (Song et al., *AutoInt*, CIKM 2019)."""

Call = Literal["better", "worse", "tie", "unknown"]
_OPPOSITE: dict[Call, Call] = {"better": "worse", "worse": "better", "tie": "tie", "unknown": "unknown"}

_NUMBERS = {0: "no", 1: "one"}


@dataclass(frozen=True)
class PairedComparison:
    """`name` against `reference`, over the pairs that both have.

    Args:
        name, reference: the two strategies.
        difference: of `name` minus `reference`; the mean over the pairs. Over data sets: see `compare_over_data_sets`.
            NaN without a pair.
        interval: covers the difference with probability ``1 - level``, for this comparison alone (not corrected).
        p_value: of the two-sided test.
        p_corrected: after Holm, over all comparisons that were made.
        pairs: how many pairs were used.
        verdict: ``better`` and ``worse`` where the difference is significant (both p-values, `p_corrected` and
            `p_unpaired`, are below the level) and at least `smallest_difference`; ``unknown`` where there is no test.
        pairs_needed: with so many pairs (of these data sets) a true difference of this size, or of
            `smallest_difference` where this one is smaller, would be significant after correction with probability
            .8. None where a significant difference was found, nothing is known, there is no noise, or the pairs at
            hand suffice. It takes the observed difference and spread for the true ones, the pairs for no steadier than
            `p_unpaired` does, and is an order of magnitude, no more.
        p_unpaired: of the difference against the spread of both strategies' own runs (Welch's t-test, unless the runs
            provably rise and fall together), not corrected; None over data sets.
        left_out: pairs that were not used because a value is not finite.
        level, smallest_difference: as asked.
        unit: what one pair is, in the singular.
        data_sets: how many were used.
    """

    name: str
    reference: str
    difference: float
    interval: Interval | None
    p_value: float | None
    p_corrected: float | None
    pairs: int
    verdict: Call
    pairs_needed: int | None
    p_unpaired: float | None = None
    left_out: int = 0
    level: float = 0.05
    smallest_difference: float = SMALLEST_DIFFERENCE
    unit: str = "seed"
    data_sets: int = 1

    @property
    def is_significant(self) -> bool:
        """Whether the pairs show a difference, and the spread of the runs does not contradict."""
        p_values = [p for p in (self.p_corrected, self.p_unpaired) if p is not None]
        return self.p_corrected is not None and max(p_values) < self.level

    @property
    def flipped(self) -> PairedComparison:
        """The same comparison the other way round: the reference against `name`."""
        ends = self.interval
        return replace(
            self,
            name=self.reference,
            reference=self.name,
            difference=-self.difference,
            interval=None if ends is None else Interval(-ends.high, -ends.low),
            verdict=_OPPOSITE[self.verdict],
        )

    @property
    def words(self) -> str:
        """A plain sentence without a full stop, as ``better by .0031 (95 % .0012 to .0050, p = .004, 5 seeds)``."""
        return _sentence(self)


def _sentence(comparison: PairedComparison) -> str:
    """What may be said, the evidence in brackets, and what is missing."""
    if comparison.verdict == "unknown":
        return f"unknown: {_evidence_count(comparison)}{_left_out(comparison)}"
    evidence = _evidence(comparison)
    if comparison.verdict in ("better", "worse"):
        return f"{comparison.verdict} by {_number(abs(comparison.difference))} ({evidence})"
    return f"tie: {_number(comparison.difference, sign=True)} ({evidence}){_why_tie(comparison)}"


def _number(value: float, *, sign: bool = False) -> str:
    """``.0031``, ``-.0031``, ``1.2000``; with `sign` also ``+.0031``; never ``-.0000``."""
    rounded = round(value, 4) + 0.0
    text = f"{rounded:+.4f}" if sign and rounded else f"{rounded:.4f}"
    return text.replace("0.", ".", 1) if abs(rounded) < 1 else text


def _evidence(comparison: PairedComparison) -> str:
    parts = []
    if comparison.interval is not None:
        low, high = comparison.interval
        parts.append(f"{100 * (1 - comparison.level):g} % {_number(low)} to {_number(high)}")
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


def _count(number_of: int, unit: str) -> str:
    """``5 seeds``, ``one seed``, ``no seed``."""
    return f"{_NUMBERS.get(number_of, f'{number_of:,}')} {unit}{'s' if number_of > 1 else ''}"


def _evidence_count(comparison: PairedComparison) -> str:
    pairs = _count(comparison.pairs, comparison.unit)
    if comparison.data_sets > 1 and comparison.unit != "data set":
        return f"{pairs} on {comparison.data_sets} data sets"
    return pairs


def _left_out(comparison: PairedComparison) -> str:
    if not comparison.left_out:
        return ""
    return f"; {_count(comparison.left_out, comparison.unit)} left out, not a number"


def _why_tie(comparison: PairedComparison) -> str:
    assert comparison.p_corrected is not None
    small = abs(comparison.difference) < comparison.smallest_difference
    smallest = _number(comparison.smallest_difference)
    if comparison.is_significant:
        return f"; sure, but below {smallest} a difference is of no use"
    if comparison.pairs_needed is None:
        return ""
    if comparison.p_corrected < comparison.level:
        needed = _count(comparison.pairs_needed, comparison.unit)
        return f", but not beyond the spread of the runs; that would need {needed} at most"
    what = f"a difference of {smallest}, the smallest that matters," if small else "a difference of this size"
    return f"; {what} would need about {_count(comparison.pairs_needed, comparison.unit)}"
