"""Every strategy against the one it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.report._frame import by_strategy
from nas_fusion.report._summary import chosen, summarise
from nas_fusion.statistics import PairedComparison, compare_over_data_sets, compare_with_reference

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

Result = tuple[Sequence["CellRecord"], "ComparisonInfo"]
"""The finished cells of a comparison, and what was compared."""


class Standings(NamedTuple):
    """The comparisons of the test AUC, paired by seed.

    `reference`: the strategy with which all others are compared; `named`: whether somebody named it beforehand, else
    validation chose it. `against`: by strategy; the reference itself is missing.
    """

    reference: str
    named: bool
    against: dict[str, PairedComparison]


def standings(
    records: Sequence[CellRecord], reference: str | None, *, chosen_from: Sequence[str] | None = None
) -> Standings | None:
    """Compare every strategy with `reference`, or with the one that validation chose; None without records.

    Args:
        records: the finished cells.
        reference: a strategy, or None.
        chosen_from: the strategies among which `reference` was chosen by its runs, where nobody named it beforehand;
            for None as reference those among which validation chooses.

    Raises:
        UnknownNameError: no record is of the reference.
    """
    summaries = summarise(records)
    best = chosen(summaries)
    if best is None:
        return None
    scores = {name: {r.seed: r.test_auc for r in group} for name, group in by_strategy(records).items()}
    if reference is None:
        chosen_from = [s.strategy for s in summaries if s.is_reference == best.is_reference]
    name = best.strategy if reference is None else reference
    found = compare_with_reference(scores, name, chosen_from=chosen_from)
    return Standings(name, reference is not None, {c.name: c for c in found})


def overall_standings(results: Sequence[Result]) -> Standings | None:
    """The same over data sets, for the strategies that all of them have.

    Without a reference that all data sets name, it is the one with the best mean rank of validation AUC.
    """
    names = shared_strategies(results)
    if len(names) < 2:
        return None
    asked = {info.reference for _, info in results}
    given = asked.pop() if len(asked) == 1 else None
    reference = given if given in names else _best_on_validation(results, names)
    labels = data_labels(results)
    scores: dict[str, dict[str, dict[int, float]]] = {name: {label: {} for label in labels} for name in names}
    for label, (records, _) in zip(labels, results, strict=True):
        for r in records:
            if r.strategy in scores:
                scores[r.strategy][label][r.seed] = r.test_auc
    found = compare_over_data_sets(scores, reference)
    return Standings(reference, reference == given, {c.name: c for c in found})


def shared_strategies(results: Sequence[Result]) -> list[str]:
    """The strategies that every data set has, in the order of the first."""
    groups = [by_strategy(records) for records, _ in results]
    return [name for name in groups[0] if all(name in g for g in groups)] if groups else []


def data_labels(results: Sequence[Result]) -> list[str]:
    """One name per data set; a number tells equal ones apart."""
    names = [info.data_name for _, info in results]
    return [f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _best_on_validation(results: Sequence[Result], names: Sequence[str]) -> str:
    """The searching strategy with the smallest sum of ranks by mean validation AUC; the first of equals."""
    places: dict[str, int] = dict.fromkeys(names, 0)
    searched = set()
    for records, _ in results:
        ordered = [s for s in summarise(records) if s.strategy in places]
        for place, summary in enumerate(ordered):
            places[summary.strategy] += place
        searched |= {s.strategy for s in ordered if not s.is_reference}
    return min([n for n in names if n in searched] or names, key=lambda n: places[n])
