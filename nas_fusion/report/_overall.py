"""Several data sets together: one table, average ranks, and verdicts over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nas_fusion.report._format import MISSING, auc, signed
from nas_fusion.report._frame import by_strategy
from nas_fusion.report._model import NOT_LEARNED, ReportModel
from nas_fusion.report._ranks import RankDiagram, data_labels, overall_rank_diagram, shared_strategies
from nas_fusion.report._standing import How, Standings
from nas_fusion.report._summary import Spread
from nas_fusion.statistics import compare_over_data_sets


class OverallRow(NamedTuple):
    """A strategy that every data set has: its test AUC on each, its average rank, and the verdict over all.

    `not_learned`: per data set, with how many seeds its model knows nothing.
    """

    strategy: str
    test_auc: tuple[Spread, ...]
    not_learned: tuple[int, ...]
    rank: float | None
    call: str
    words: str


class Overall(NamedTuple):
    """The whole: `rows` by average rank, best first; `left_out`: strategies that some data set lacks."""

    data: list[str]
    rows: list[OverallRow]
    diagram: RankDiagram | None
    standings: Standings | None
    left_out: tuple[str, ...]


def overall(models: Sequence[ReportModel]) -> Overall:
    """Compare the strategies that all data sets have.

    Raises:
        OptionError: a data set has two records of a strategy and seed.
    """
    results = [model.records for model in models]
    labels = data_labels([model.info.data_name for model in models])
    names = shared_strategies(results)
    diagram, found = overall_rank_diagram(results, labels), overall_standings(models)
    ranks = dict(zip(diagram.strategies, diagram.ranks, strict=True)) if diagram else {}
    groups = [by_strategy(records) for records in results]
    rows = [
        OverallRow(
            name,
            tuple(Spread.of(r.test_auc for r in group[name]) for group in groups),
            tuple(len(model.decision.not_learned.get(name, ())) for model in models),
            ranks.get(name),
            *_verdict(name, found),
        )
        for name in sorted(names, key=lambda n: ranks.get(n, 0.0))
    ]
    known = dict.fromkeys(
        n for m in models for n in (*(row.summary.strategy for row in m.rows), *(line.strategy for line in m.absent))
    )
    return Overall(labels, rows, diagram, found, tuple(n for n in known if n not in names))


def overall_standings(models: Sequence[ReportModel]) -> Standings | None:
    """Every strategy against one of them over all data sets; None where they share fewer than two.

    The reference is the strategy that all data sets name, else the search with the best mean rank of validation AUC.
    """
    results = [model.records for model in models]
    names = shared_strategies(results)
    if len(names) < 2:
        return None
    labels = data_labels([model.info.data_name for model in models])
    scores: dict[str, dict[str, dict[int, float]]] = {name: {label: {} for label in labels} for name in names}
    for label, records in zip(labels, results, strict=True):
        for r in records:
            if r.strategy in scores:
                scores[r.strategy][label][r.seed] = r.test_auc
    reference, how, chosen_from = _reference(models, names)
    found = compare_over_data_sets(scores, reference, chosen_from=chosen_from)
    return Standings(reference, how, {c.name: c for c in found}, chosen_from)


def _reference(models: Sequence[ReportModel], names: Sequence[str]) -> tuple[str, How, tuple[str, ...] | None]:
    """The reference, why that one, and among which strategies it may have been chosen by its runs."""
    searched = {s.strategy for model in models for s in model.decision.summaries if not s.is_reference}
    candidates = tuple(n for n in names if n in searched) or tuple(names)
    choice = min(candidates, key=_validation_places(models, names).__getitem__)
    asked = {model.info.reference for model in models}
    given = asked.pop() if len(asked) == 1 else None
    if given is None or given not in names:
        return choice, "chosen", candidates
    if all(model.info.named_beforehand for model in models):
        return given, "beforehand", None
    return given, "afterwards", candidates if given == choice else tuple(names)


def _validation_places(models: Sequence[ReportModel], names: Sequence[str]) -> dict[str, int]:
    """The sum over the data sets of each strategy's place by mean validation AUC."""
    places: dict[str, int] = dict.fromkeys(names, 0)
    for model in models:
        ordered = [s.strategy for s in model.decision.summaries if s.strategy in places]
        for place, name in enumerate(ordered):
            places[name] += place
    return places


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
    marked = [auc(s) + NOT_LEARNED * (n > 0) for s, n in zip(row.test_auc, row.not_learned, strict=True)]
    return [*marked, rank, difference, row.call]


def overall_heads(found: Overall) -> list[str]:
    """The heads of `overall_cells`."""
    against = f"against {found.standings.reference}" if found.standings else "verdict"
    return [*(f"test AUC, {name}" for name in found.data), "average rank", "difference", against]


def overall_notes(found: Overall) -> list[str]:
    """What a reader must know about the table."""
    lines = []
    if found.standings is not None:
        lines.append(f"Verdicts are corrected by Holm {found.standings.correction}.")
    if any(n for row in found.rows for n in row.not_learned):
        lines.append(f"{NOT_LEARNED} some seeds did not learn (AUC about .5); they count.")
    if found.left_out:
        lines.append(f"Left out, since a data set has no finished cell of it: {', '.join(found.left_out)}.")
    return lines


def overall_sentence(found: Overall) -> str:
    """Who is better, worse or cannot be told from the reference over all data sets."""
    if found.standings is None:
        return "The data sets share fewer than two strategies, so there is no verdict over all of them."
    calls: dict[str, list[str]] = {}
    for row in found.rows:
        calls.setdefault(row.call, []).append(row.strategy)
    reference = found.standings.reference
    why = "the best search by its ranks on validation data" if found.standings.how == "chosen" else found.standings.why
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
