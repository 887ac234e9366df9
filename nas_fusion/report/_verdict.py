"""Who won, in words, and whether the seeds can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from nas_fusion.report._format import auc, signed
from nas_fusion.report._summary import Spread, StrategySummary

NOISE_FACTOR = 2.0
"""A difference below this many pooled standard errors is called noise (about 95 % for many seeds, less for few)."""


class Difference(NamedTuple):
    """Test AUC of the best strategy minus that of another; `noise` is None where a strategy has one seed."""

    other: StrategySummary
    value: float
    noise: float | None

    @property
    def is_real(self) -> bool | None:
        """Whether the difference exceeds the noise; None: cannot be said."""
        return None if self.noise is None or math.isnan(self.value) else abs(self.value) >= self.noise


class Verdict(NamedTuple):
    """The strategy chosen by validation AUC, its test differences, and all of it in words."""

    best: StrategySummary | None
    runner_up: Difference | None
    reference: Difference | None
    text: str


def pooled_error(a: Spread, b: Spread) -> float | None:
    """Standard error of ``a.mean - b.mean`` under a common variance; None where a standard deviation is missing."""
    if a.sd is None or b.sd is None:
        return None
    variance = ((a.n - 1) * a.sd**2 + (b.n - 1) * b.sd**2) / (a.n + b.n - 2)
    return math.sqrt(variance * (1 / a.n + 1 / b.n))


def verdict(summaries: Sequence[StrategySummary]) -> Verdict:
    """Choose by mean validation AUC, then compare on test with the runner-up and with the best reference.

    Both rivals are chosen by validation too.

    Args:
        summaries: as `summarise` returns them, best validation AUC first.
    """
    searched = [s for s in summaries if not s.is_reference]
    references = [s for s in summaries if s.is_reference]
    if not searched:
        return Verdict(None, None, None, "No strategy has finished a search yet, so there is no verdict.")
    best = searched[0]
    runner_up = _difference(best, searched[1]) if len(searched) > 1 else None
    reference = _difference(best, references[0]) if references else None
    seeds = f"{len(best.seeds)} seeds" if len(best.seeds) > 1 else "one seed"
    lead = f"{best.strategy} has the best validation AUC; on test it reaches {auc(best.test_auc)} ({seeds})."
    parts = [lead]
    if runner_up:
        parts.append(_sentence(runner_up, f"the runner-up {runner_up.other.strategy}"))
    if reference:
        parts.append(_sentence(reference, f"the best hand-made design {reference.other.strategy}"))
    return Verdict(best, runner_up, reference, " ".join(parts))


def _difference(best: StrategySummary, other: StrategySummary) -> Difference:
    error = pooled_error(best.test_auc, other.test_auc)
    value = best.test_auc.mean - other.test_auc.mean
    return Difference(other, value, None if error is None else NOISE_FACTOR * error)


def _sentence(difference: Difference, name: str) -> str:
    amount = f"{signed(difference.value)} against {name}"
    if difference.noise is None:
        return f"{amount}: one seed, no verdict."
    if difference.is_real is None:
        return f"{amount}: not a number, no verdict."
    if not difference.is_real:
        return f"{amount}: within noise (±{difference.noise:.4f})."
    side = "better" if difference.value > 0 else "worse"
    return f"{amount}: {side}, by more than noise (±{difference.noise:.4f})."
