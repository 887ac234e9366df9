"""As good for less: of the models that cannot be told from the best one, the one with the fewest multiply-adds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

from nas_fusion.report.number_words import signed
from nas_fusion.report.numbers.advice.advice_words import ratio_words
from nas_fusion.report.numbers.advice.recommendation import ABOUT_EQUAL, against_all, keeps_up
from nas_fusion.report.numbers.decision import Decision
from nas_fusion.report.numbers.summaries import Groups, StrategySummary

_MULTIPLY_ADDS = "multiply_adds"


class CheapEqual(NamedTuple):
    """A model that is as good as another one for less.

    `difference`: of the test AUC, of the cheap one minus that of the other, over the seeds that both have; `error`: its
    standard error over these seeds; `ratio`: of its multiply-adds by the other's.
    """

    cheap: StrategySummary
    than: StrategySummary
    role: str
    difference: float
    error: float
    seeds: int
    ratio: float

    @property
    def words(self) -> str:
        """A sentence."""
        made = f" ({self.cheap.family})" if self.cheap.is_reference else ""
        error, cost = f"{self.error:.4f}".removeprefix("0"), ratio_words(self.ratio, "its multiply-adds")
        return (
            f"As good as {self.than.strategy}, {self.role}: {self.cheap.strategy}{made} (test AUC difference "
            f"{signed(self.difference)} ±{error} over {self.seeds} seeds), {cost}."
        )


def equal_ratios(than: StrategySummary, decision: Decision, groups: Groups) -> Mapping[str, float]:
    """Who is as good as a strategy, and at how much of its multiply-adds; where both are known.

    As good is what the advice calls so: less than one standard error behind on validation, by pairs of seeds, all of
    which learned; and the seeds do not show it to be worse on test rows.
    """
    own = than.cost.get(_MULTIPLY_ADDS)
    if own is None or not own.mean > 0:
        return {}
    against = against_all(than, decision)
    return {
        s.strategy: s.cost[_MULTIPLY_ADDS].mean / own.mean
        for s in decision.summaries
        if s is not than
        and _MULTIPLY_ADDS in s.cost
        and against[s.strategy].verdict in ("tie", "better")
        and keeps_up(s, than, decision, groups)
    }


def cheap_equals(decision: Decision, groups: Groups) -> list[CheapEqual]:
    """Of the best model, and of the best that a search has found, the cheapest that is as good; where one saves enough.

    Costs within a quarter of each other are about the same.
    """
    roles = {"the best model": decision.best, "the best found by search": decision.best_found}
    found: list[CheapEqual] = []
    for role, than in roles.items():
        if than is None or any(than is one.than for one in found):
            continue
        ratios = equal_ratios(than, decision, groups)
        name = min(ratios, key=lambda strategy: ratios[strategy], default=None)
        if name is not None and ratios[name] * ABOUT_EQUAL < 1:
            cheap = next(s for s in decision.summaries if s.strategy == name)
            found.append(_equal(cheap, than, role, ratios[name]))
    return found


def _equal(cheap: StrategySummary, than: StrategySummary, role: str, ratio: float) -> CheapEqual:
    pairs = [auc - than.test_auc_by_seed[s] for s, auc in cheap.test_auc_by_seed.items() if s in than.test_auc_by_seed]
    finite = [difference for difference in pairs if math.isfinite(difference)]
    error = statistics.stdev(finite) / math.sqrt(len(finite))
    return CheapEqual(cheap, than, role, statistics.fmean(finite), error, len(finite), ratio)
