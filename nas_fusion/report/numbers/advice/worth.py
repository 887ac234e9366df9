"""Whether a search is worth its seconds: against what models that nobody searched would have given in the same time.

Of a seed's references (hand-made models, and what one would pick instead of a network), the quickest are trained one
after the other until the seconds of the search are spent, its re-training included; the best of them on validation rows
is what the search has to beat. All that is read off the finished cells: nothing is trained for it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from nas_fusion.records import CellRecord
from nas_fusion.report.number_words import MISSING, listed, seconds, signed
from nas_fusion.report.numbers.summaries import Groups
from nas_fusion.report.numbers.table_columns import TextTable
from nas_fusion.statistics import PairedComparison, compare_each

INSTEAD = "the best hand-made model in the same time"

REFERENCE = "reference"


class Worth(NamedTuple):
    """One search against hand-made models in the same time.

    `seconds`: of a seed from nothing to a trained model, in the mean; `models`: how many references can be trained in
    that time, the mean over the seeds; `best`: the names of the best of them, by seed; `comparison`: on test rows,
    corrected over all searches.
    """

    strategy: str
    seconds: float
    models: float
    best: tuple[str, ...]
    comparison: PairedComparison


def worth(groups: Groups, select: str) -> list[Worth]:
    """Every search against the references of its seeds; empty where there are no searches or no references.

    Args:
        groups: the records by strategy.
        select: by what validation chooses: ``"auc"``, ``"logloss"`` or ``"gauc"``.
    """
    references = [record for group in groups.values() for record in group if record.kind == REFERENCE]
    found: dict[str, list[tuple[CellRecord, list[CellRecord]]]] = {}
    for name, group in groups.items():
        pairs = [(r, _instead(seconds_of(r), [o for o in references if o.seed == r.seed])) for r in group]
        pairs = [(record, others) for record, others in pairs if others]
        if pairs and group[0].kind != REFERENCE:
            found[name] = pairs
    best = {
        name: {record.seed: max(others, key=lambda o: _validation(o, select)) for record, others in pairs}
        for name, pairs in found.items()
    }
    scores = {
        name: (
            {record.seed: record.test_auc for record, _ in pairs},
            {seed: one.test_auc for seed, one in best[name].items()},
        )
        for name, pairs in found.items()
    }
    compared = {one.name: one for one in compare_each(scores, INSTEAD)}
    return [
        Worth(
            name,
            statistics.fmean(seconds_of(record) for record, _ in pairs),
            statistics.fmean(len(others) for _, others in pairs),
            tuple(one.strategy for one in best[name].values()),
            compared[name],
        )
        for name, pairs in found.items()
    ]


def seconds_of(record: CellRecord) -> float:
    """What one seed took from nothing to a trained model; a search that several strategies share counts for each."""
    return record.search_seconds + record.derive_seconds + record.tuning_seconds + record.retrain_seconds


def _instead(limit: float, references: Sequence[CellRecord]) -> list[CellRecord]:
    """The quickest references that fit into a time one after the other; the quickest in any case."""
    chosen: list[CellRecord] = []
    for record in sorted(references, key=seconds_of):
        if chosen and sum(map(seconds_of, chosen)) + seconds_of(record) > limit:
            break
        chosen.append(record)
    return chosen


def _validation(record: CellRecord, select: str) -> float:
    if select == "logloss":
        return -record.valid_logloss
    gauc = record.valid_gauc
    return record.valid_auc if select == "auc" or gauc is None else gauc


# In words ------------------------------------------------------------------------------------------------------------


def worth_words(found: Sequence[Worth]) -> str:
    """A sentence of the report: which searches are worth their seconds, which are not; empty without a search."""
    if not found:
        return ""
    titles = {
        "better": "worth their seconds, being better than",
        "tie": "not to be told from",
        "worse": "worse than",
        "unknown": "with too few seeds for a comparison with",
    }
    names = {call: [one.strategy for one in found if one.comparison.verdict == call] for call in titles}
    parts = [f"{listed(names[call])}: {title} it" for call, title in titles.items() if names[call]]
    return f"Each search against {INSTEAD} (chosen on validation rows): {'; '.join(parts)}."


def worth_table(found: Sequence[Worth]) -> TextTable:
    """Search by search, the best difference first."""
    heads = ("search", "seconds a seed", "models in that time", "the best of them", "test AUC, difference", "verdict")
    order = sorted(found, key=lambda one: -one.comparison.difference)
    return TextTable(heads, tuple(map(_line, order)))


def _line(one: Worth) -> tuple[str, ...]:
    comparison = one.comparison
    spread = comparison.interval
    about = MISSING if spread is None else f"{signed(spread.low)} to {signed(spread.high)}"
    difference = f"{signed(comparison.difference)} ({about})"
    names = listed(sorted(set(one.best), key=one.best.index))
    return (one.strategy, seconds(one.seconds), f"{one.models:.1f}", names, difference, comparison.verdict)
