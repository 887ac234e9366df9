"""Comparisons over several data sets."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nas_fusion.statistics.intervals import Interval
from nas_fusion.statistics.paired_comparison import SMALLEST_DIFFERENCE, PairedComparison
from nas_fusion.statistics.signed_rank import signed_rank
from nas_fusion.statistics.stouffer import stouffer
from nas_fusion.statistics.strategy_comparison import check_arguments, correct, judge, paired_values, unshown_pairs

MOST_FOR_STOUFFER = 5
"""Five data sets give Wilcoxon's test a p-value of 2/2⁵ = .0625 at best."""


def compare_over_data_sets(
    scores: Mapping[str, Mapping[str, Mapping[int, float]]],
    reference: str,
    *,
    level: float = 0.05,
    smallest_difference: float = SMALLEST_DIFFERENCE,
    chosen_from: Collection[str] | None = None,
) -> list[PairedComparison]:
    """Compare every strategy with the reference over the data sets that both have, corrected by Holm.

    **Six data sets or more**: Wilcoxon's signed-rank test (exact) of the data sets' mean differences, as Demšar (JMLR
    2006, section 3.1.3) recommends. A data set counts once, however many seeds it has. The difference is Hodges' and
    Lehmann's: the median of the means of all pairs of data sets, with the interval that belongs to the test. It speaks
    about data sets like these.

    **Fewer**: that test cannot reach .05. The paired t-tests over each data set's seeds are combined by Stouffer's
    method: ``Z = Σ z / √k``, where z is the normal deviate of a data set's one-sided p-value. Each of these p-values
    is exact, whatever the data set's noise, and so is the combination, and AUC differences of unlike data sets are
    never averaged (Demšar, section 3.1.1); weights by estimated inverse variances would be wrong with so few seeds.
    Difference and interval invert the same test: they are the common differences at which Z is 0, and just reaches
    the level (a combined confidence distribution; Singh, Xie and Strawderman, *Annals of Statistics* 33, 2005). Data
    sets with a single shared seed cannot be used. It speaks about these very data sets only, which Benavoli et al.
    (*Time for a Change*, JMLR 2017) hold against pooling cross-validation results: more data sets would be needed to
    say anything about others.

    Args:
        scores: strategy → data set → seed → value, higher is better.
        reference: one of the strategies.
        level, smallest_difference, chosen_from: as in `compare_with_reference`.

    Returns:
        One comparison per other strategy, in the order of `scores`. `pairs` counts data sets for Wilcoxon's test, and
        (data set, seed) pairs for Stouffer's; `pairs_needed` is not told.

    Raises:
        UnknownNameError: the reference is not among the strategies.
        OptionError: a level or limit out of range, or `chosen_from` without the reference.
    """
    check_arguments(scores, reference, level, smallest_difference, chosen_from)
    rest = [name for name in scores if name != reference]
    pairs = [*((name, reference) for name in rest), *unshown_pairs(rest, chosen_from)]
    comparisons = [replace(_compare(scores[a], scores[b], level), name=a, reference=b) for a, b in pairs]
    family = correct([replace(c, smallest_difference=smallest_difference) for c in comparisons])
    return [judge(c, math.nan, len(family)) for c in family[: len(rest)]]


class _Paired(NamedTuple):
    differences: list[np.ndarray]
    left_out: int


def _pairs(a: Mapping[str, Mapping[int, float]], b: Mapping[str, Mapping[int, float]]) -> _Paired:
    """The differences per data set that has any."""
    differences, left_out = [], 0
    for name in a:
        x, y, out = paired_values(a[name], b.get(name, {}))
        left_out += out
        if len(x):
            differences.append(x - y)
    return _Paired(differences, left_out)


def _compare(
    a: Mapping[str, Mapping[int, float]], b: Mapping[str, Mapping[int, float]], level: float
) -> PairedComparison:
    """The test alone: without names, not yet corrected, and no verdict."""
    differences, left_out = _pairs(a, b)
    if len(differences) > MOST_FOR_STOUFFER:
        test = signed_rank(np.array([np.mean(d) for d in differences]), level)
        return _result(
            test.estimate, test.interval, test.p_value, len(differences), len(differences), "data set", level, left_out
        )
    usable = [d for d in differences if len(d) > 1]
    pairs = sum(len(d) for d in usable)
    if not usable:
        mean = float(np.mean([np.mean(d) for d in differences])) if differences else math.nan
        return _result(mean, None, None, len(differences), len(differences), "pair", level, left_out)
    combined = stouffer(usable, level)
    return _result(combined.estimate, combined.interval, combined.p_value, pairs, len(usable), "pair", level, left_out)


def _result(
    difference: float,
    interval: Interval | None,
    p_value: float | None,
    pairs: int,
    data_sets: int,
    unit: str,
    level: float,
    left_out: int,
) -> PairedComparison:
    return PairedComparison(
        name="",
        reference="",
        difference=difference,
        interval=interval,
        p_value=p_value,
        p_corrected=None,
        pairs=pairs,
        verdict="unknown",
        pairs_needed=None,
        left_out=left_out,
        level=level,
        unit=unit,
        data_sets=data_sets,
    )
