"""Which model to take: the cheapest of those that are as good as the best one on validation.

The rule is the usual one of parsimony (one standard error: Breiman et al., Classification and Regression Trees, 1984,
section 3.4.3; Hastie et al., The Elements of Statistical Learning, section 7.10), by pairs of seeds. Validation
chooses; test rows only forbid: a model that another one beats there is not called as good as anything.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from nas_fusion.records import NORMALISED_ENTROPY, CellRecord, ComparisonInfo
from nas_fusion.report.numbers.decision import Decision
from nas_fusion.report.numbers.summaries import GENERAL_MODEL, Groups, Margins, StrategySummary, by_strategy
from nas_fusion.statistics import CHANCE, SMALLEST_DIFFERENCE, PairedComparison, compare_with_reference

Why = Literal["nothing finished", "no better than chance", "alone", "one seed", "better", "equal", "ahead", "beaten"]
"""Nothing to take; or the model taken is the only one, cannot be compared, is better than all others, is as good as
anything and costs no more, is ahead on validation of cheaper ones that test rows do not tell from it, or is the best on
validation and another one is better on test rows."""

ABOUT_EQUAL = 1.25
"""Costs that differ by no more than this factor are called about the same: clocks are no steadier."""

_MULTIPLY_ADDS = "multiply_adds"


class CostRatio(NamedTuple):
    """One model's cost by another's: of its trained weights, of the seconds of one seed, tuning included, and of its
    multiply-adds.

    `weights`: None for a tree against a network, whose weights are different things; `multiply_adds`: None where one of
    them is not known. Each is else 1 where it is not known.
    """

    weights: float | None
    seconds: float
    multiply_adds: float | None = None

    @classmethod
    def of(cls, one: StrategySummary, other: StrategySummary) -> CostRatio:
        """Of the means over the seeds."""
        alike = (one.family == GENERAL_MODEL) == (other.family == GENERAL_MODEL)
        weights = _ratio(one.parameters.mean, other.parameters.mean) if alike else None
        adds = [summary.cost.get(_MULTIPLY_ADDS) for summary in (one, other)]
        both = [spread.mean for spread in adds if spread is not None]
        return cls(weights, _ratio(seconds_of(one), seconds_of(other)), _ratio(*both) if len(both) == 2 else None)

    @property
    def product(self) -> float:
        """How many times as dear, all costs together."""
        return self.seconds * math.prod(ratio for ratio in (self.weights, self.multiply_adds) if ratio is not None)


def seconds_of(summary: StrategySummary) -> float:
    """What a seed takes from nothing to a trained model, in the mean; tuning included."""
    tuning = 0.0 if summary.tuning is None else summary.tuning.seconds
    return summary.found_seconds + tuning + summary.retrain_seconds.mean


def _ratio(one: float, other: float) -> float:
    return one / other if one > 0 and other > 0 and math.isfinite(one / other) else 1.0


class Progress(NamedTuple):
    """The cells of a comparison: how many there are, have a result, have failed, and were left out by a time limit."""

    cells: int
    finished: int
    failed: int
    left_out: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is to come."""
        return self.finished + self.failed + self.left_out >= self.cells


class Recommendation(NamedTuple):
    """What to take, and why.

    `take`: None where there is nothing to take. `rival`: the one to tell it from in a sentence, None without another.
    `best`: the best on validation of those that are better than chance. `against`: every other strategy against
    `take`, on test rows. `ranks_only`: its probabilities are worse than a constant's.
    """

    why: Why
    take: StrategySummary | None
    rival: StrategySummary | None
    best: StrategySummary | None
    against: Mapping[str, PairedComparison]
    progress: Progress
    ranks_only: bool = False

    def called(self, verdict: str) -> list[str]:
        """The strategies of which the comparison with the one taken says so."""
        return [name for name, found in self.against.items() if found.verdict == verdict]


def recommend(decision: Decision, records: Sequence[CellRecord], info: ComparisonInfo) -> Recommendation:
    """Choose what to take.

    Args:
        decision: about the comparison.
        records: its finished cells.
        info: what was compared.
    """
    progress = _progress(decision, records, info)
    if decision.best is None:
        return Recommendation("nothing finished", None, None, None, {}, progress)
    margins = Margins.of(info.rows, info.label_rate)
    able = [s for s in decision.summaries if _is_above_chance(s, margins)]
    if not able:
        return Recommendation("no better than chance", None, None, None, {}, progress)
    take, against = _cheapest_of_equals(able, decision, by_strategy(records))
    why, rival = _why(take, able[0], against, decision)
    return Recommendation(why, take, rival, able[0], against, progress, _ranks_only(take))


def _progress(decision: Decision, records: Sequence[CellRecord], info: ComparisonInfo) -> Progress:
    ended = [*decision.failures, *decision.left_out]
    known = {s.strategy for s in decision.summaries} | {cell.strategy for cell in ended} | {*decision.unstarted}
    counted = len(records) + len(ended)
    cells = counted if info.ended else max(len(known) * len(info.seeds), counted)
    return Progress(cells, len(records), len(decision.failures), len(decision.left_out))


def _is_above_chance(summary: StrategySummary, margins: Margins) -> bool:
    """Whether the means of both AUCs lie above what a constant's may; one that is not a number does not."""
    return summary.valid_auc.mean > CHANCE + margins.valid and summary.test_auc.mean > CHANCE + margins.test


def _ranks_only(summary: StrategySummary) -> bool:
    entropy = summary.told.get(NORMALISED_ENTROPY)
    return entropy is not None and entropy.mean > 1


def _cheapest_of_equals(
    able: Sequence[StrategySummary], decision: Decision, groups: Groups
) -> tuple[StrategySummary, Mapping[str, PairedComparison]]:
    """The one to take, and all others against it: the cheapest as good as the best, if that saves anything."""
    best = able[0]
    equals = [s for s in able[1:] if keeps_up(s, best, decision, groups)]
    for summary in sorted(equals, key=lambda s: CostRatio.of(s, best).product):
        if CostRatio.of(best, summary).product <= ABOUT_EQUAL:
            break
        against = against_all(summary, decision)
        if not any(found.verdict == "better" for found in against.values()):
            return summary, against
    return best, against_all(best, decision)


def keeps_up(summary: StrategySummary, best: StrategySummary, decision: Decision, groups: Groups) -> bool:
    """Whether every seed learned, and validation shows less than one standard error between it and the best.

    By pairs of seeds; a difference of AUC that no verdict would call is none.
    """
    first, other = (_validation(groups[s.strategy], decision.select) for s in (best, summary))
    behind = [first[seed] - other[seed] for seed in first if seed in other]
    if len(behind) < 2 or decision.not_learned.get(summary.strategy) or not all(map(math.isfinite, behind)):
        return False
    error = statistics.stdev(behind) / math.sqrt(len(behind))
    return statistics.fmean(behind) <= max(error, 0.0 if decision.select == "logloss" else SMALLEST_DIFFERENCE)


def _validation(group: Sequence[CellRecord], select: str) -> dict[int, float]:
    """What validation chooses by, seed by seed; higher is better."""
    values = {"auc": lambda r: r.valid_auc, "logloss": lambda r: -r.valid_logloss, "gauc": lambda r: r.valid_gauc}
    return {record.seed: values[select](record) for record in group}


def against_all(take: StrategySummary, decision: Decision) -> Mapping[str, PairedComparison]:
    """Every other strategy against one; where the table has that comparison, it is the table's."""
    found, name = decision.standings, take.strategy
    assert found is not None, "asked for with records"
    if found.reference == name:
        return found.against
    scores = {s.strategy: s.test_auc_by_seed for s in decision.summaries}
    against = {c.name: c for c in compare_with_reference(scores, name, chosen_from=tuple(scores))}
    return {**against, found.reference: found.against[name].flipped}


def _why(
    take: StrategySummary, best: StrategySummary, against: Mapping[str, PairedComparison], decision: Decision
) -> tuple[Why, StrategySummary | None]:
    """Why this one, and the other one to name beside it."""
    others = [s for s in decision.summaries if s is not take]
    called = {call: [s for s in others if against[s.strategy].verdict == call] for call in ("better", "tie", "worse")}
    if not others:
        return "alone", None
    if not any(called.values()):
        return "one seed", others[0]
    if called["better"]:
        return "beaten", called["better"][0]
    if take is not best:
        return "equal", best
    if not called["tie"]:
        return "better", called["worse"][0]
    rival = called["tie"][0]
    dearer = CostRatio.of(take, rival).product > ABOUT_EQUAL
    return ("ahead" if dearer else "equal"), rival
