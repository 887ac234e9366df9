"""Several data sets together: one table, average ranks, and verdicts over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nas_fusion.report._format import MISSING, auc, signed
from nas_fusion.report._frame import by_strategy
from nas_fusion.report._ranks import RankDiagram, overall_rank_diagram
from nas_fusion.report._standing import Result, Standings, data_labels, overall_standings, shared_strategies
from nas_fusion.report._summary import Spread


class OverallRow(NamedTuple):
    """A strategy that every data set has: its test AUC on each, its average rank, and the verdict over all."""

    strategy: str
    test_auc: tuple[Spread, ...]
    rank: float | None
    call: str
    words: str


class Overall(NamedTuple):
    """The whole: `rows` by average rank, best first."""

    data: list[str]
    rows: list[OverallRow]
    diagram: RankDiagram | None
    standings: Standings | None


def overall(results: Sequence[Result]) -> Overall:
    """Compare the strategies that all data sets have.

    Raises:
        OptionError: a data set has two records of a strategy and seed.
    """
    diagram, found = overall_rank_diagram(results), overall_standings(results)
    ranks = dict(zip(diagram.strategies, diagram.ranks, strict=True)) if diagram else {}
    groups = [by_strategy(records) for records, _ in results]
    names = shared_strategies(results)
    rows = [
        OverallRow(
            name,
            tuple(Spread.of(r.test_auc for r in group[name]) for group in groups),
            ranks.get(name),
            *_verdict(name, found),
        )
        for name in sorted(names, key=lambda n: ranks.get(n, 0.0))
    ]
    return Overall(data_labels(results), rows, diagram, found)


def _verdict(name: str, found: Standings | None) -> tuple[str, str]:
    if found is None:
        return "unknown", MISSING
    if name not in found.against:
        return "reference", "reference"
    against = found.against[name]
    return against.verdict, against.words


def overall_cells(found: Overall, row: OverallRow) -> list[str]:
    """The row's cells but the name: one per data set, then rank, difference and verdict."""
    rank = MISSING if row.rank is None else f"{row.rank:.2f}"
    against = found.standings.against.get(row.strategy) if found.standings else None
    difference = MISSING if against is None else signed(against.difference)
    return [*(auc(s) for s in row.test_auc), rank, difference, row.call]


def overall_heads(found: Overall) -> list[str]:
    """The heads of `overall_cells`."""
    against = f"against {found.standings.reference}" if found.standings else "verdict"
    return [*(f"test AUC, {name}" for name in found.data), "average rank", "difference", against]


def overall_sentence(found: Overall) -> str:
    """Who is better, worse or cannot be told from the reference over all data sets."""
    if found.standings is None:
        return "The data sets share fewer than two strategies, so there is no verdict over all of them."
    calls: dict[str, list[str]] = {}
    for row in found.rows:
        calls.setdefault(row.call, []).append(row.strategy)
    reference = found.standings.reference
    why = "the named reference" if found.standings.named else "the best search by its ranks on validation data"
    parts = [
        f"{words} {_few(calls[call])}"
        for call, words in (
            ("better", f"better than {reference}:"),
            ("tie", "cannot be told from it:"),
            ("worse", "worse:"),
            ("unknown", "too few pairs to say:"),
        )
        if call in calls
    ]
    return f"Over {len(found.data)} data sets, against {reference} ({why}): {'; '.join(parts)}."


def _few(names: Sequence[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
