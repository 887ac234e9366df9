"""Several data sets together: one table, average ranks, and verdicts over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nas_fusion.errors import OptionError
from nas_fusion.report.number_words import MISSING, signed
from nas_fusion.report.numbers.advice.advice_words import suite_sentence
from nas_fusion.report.numbers.decision import NOT_LEARNED, How, Standings
from nas_fusion.report.numbers.rank_diagram import RankDiagram, data_labels, overall_rank_diagram, shared_strategies
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.sentences import reference_words
from nas_fusion.report.numbers.summaries import Spread
from nas_fusion.report.numbers.table_columns import TextTable
from nas_fusion.statistics import compare_over_data_sets

_MOST_NAMES = 8
"""So many strategies are named in a sentence; the rest is counted."""


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


@dataclass(frozen=True)
class SuiteModel:
    """Everything that a report on several data sets shows; each part is computed once.

    Args:
        models: the report on each data set.

    Raises:
        OptionError: no data set.
    """

    models: tuple[ReportModel, ...]

    def __post_init__(self) -> None:
        if not self.models:
            raise OptionError("models", "at least one data set", "none")

    @cached_property
    def data(self) -> list[str]:
        """The names of the data sets, all different."""
        return data_labels([model.info.data_name for model in self.models])

    @cached_property
    def shared(self) -> list[str]:
        """The strategies that every data set has."""
        return shared_strategies([model.groups for model in self.models])

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """The strategies that some data set lacks."""
        known = dict.fromkeys(
            name
            for model in self.models
            for name in (*(row.summary.strategy for row in model.rows), *(line.strategy for line in model.absent))
        )
        return tuple(name for name in known if name not in self.shared)

    @cached_property
    def diagram(self) -> RankDiagram | None:
        """Average ranks over the data sets; None with fewer than two strategies or data sets."""
        return overall_rank_diagram([model.groups for model in self.models], self.data)

    @cached_property
    def standings(self) -> Standings | None:
        """Every strategy against one of them over all data sets; None where they share fewer than two."""
        return overall_standings(self.models)

    @cached_property
    def rows(self) -> list[OverallRow]:
        """The strategies that every data set has, by average rank, best first."""
        ranks = dict(zip(self.diagram.strategies, self.diagram.ranks, strict=True)) if self.diagram else {}
        return [
            OverallRow(
                name,
                tuple(Spread.of(r.test_auc for r in model.groups[name]) for model in self.models),
                tuple(len(model.decision.not_learned.get(name, ())) for model in self.models),
                ranks.get(name),
                *_verdict(name, self.standings),
            )
            for name in sorted(self.shared, key=lambda n: ranks.get(n, 0.0))
        ]

    @cached_property
    def highest(self) -> list[float]:
        """The highest mean test AUC of a row on each data set; NaN where there is none."""
        columns = [[row.test_auc[i].mean for row in self.rows] for i in range(len(self.data))]
        return [max((mean for mean in means if math.isfinite(mean)), default=math.nan) for means in columns]

    @cached_property
    def table(self) -> TextTable:
        """Per strategy the test AUC on each data set, then rank, difference and verdict."""
        against = f"against {self.standings.reference}" if self.standings else "verdict"
        heads = ("strategy", *(f"test AUC, {name}" for name in self.data), "average rank", "difference", against)
        return TextTable(heads, tuple((row.strategy, *self._cells(row)) for row in self.rows))

    def _cells(self, row: OverallRow) -> list[str]:
        rank = MISSING if row.rank is None else f"{row.rank:.2f}"
        against = self.standings.against.get(row.strategy) if self.standings else None
        difference = MISSING if against is None else signed(against.difference)
        marked = [s.words + NOT_LEARNED * (n > 0) for s, n in zip(row.test_auc, row.not_learned, strict=True)]
        return [*marked, rank, difference, row.call]

    @cached_property
    def verdicts(self) -> TextTable:
        """The verdicts over all data sets, in full."""
        rows = ((row.strategy, row.words) for row in self.rows if row.call != "reference")
        return TextTable(("strategy", "verdict"), tuple(rows))

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know about the table."""
        lines = []
        if self.standings is not None:
            lines.append(f"Verdicts are corrected by Holm {self.standings.correction}.")
        if any(n for row in self.rows for n in row.not_learned):
            lines.append(f"{NOT_LEARNED} some seeds did not learn (AUC about .5); they count.")
        if self.left_out:
            lines.append(f"Left out, since a data set has no finished cell of it: {', '.join(self.left_out)}.")
        return lines

    @cached_property
    def reference_words(self) -> str:
        """The reference, and why that one; empty where there is none."""
        return "" if self.standings is None else reference_words(self.standings)

    @cached_property
    def advice(self) -> str:
        """What to take on which data set, in a sentence."""
        found = {name: model.recommendation for name, model in zip(self.data, self.models, strict=True)}
        return suite_sentence(found)

    @cached_property
    def sentence(self) -> str:
        """Who is better, worse or cannot be told from the reference over all data sets."""
        found = self.standings
        if found is None:
            return "The data sets share fewer than two strategies, so there is no verdict over all of them."
        calls: dict[str, list[str]] = {}
        for row in self.rows:
            calls.setdefault(row.call, []).append(row.strategy)
        why = "the best search by its ranks on validation data" if found.how == "chosen" else found.why
        titles = {
            "better": f"better than {found.reference}:",
            "tie": "cannot be told from it:",
            "worse": "worse:",
            "unknown": "too few pairs to say:",
        }
        parts = [f"{words} {_few(calls[call])}" for call, words in titles.items() if call in calls]
        return f"Over {len(self.data)} data sets, against {found.reference} ({why}): {'; '.join(parts)}."


def overall_standings(models: Sequence[ReportModel]) -> Standings | None:
    """Every strategy against one of them over all data sets; None where they share fewer than two.

    The reference is the strategy that all data sets name, else the search with the best mean rank of validation AUC.
    """
    names = shared_strategies([model.groups for model in models])
    if len(names) < 2:
        return None
    labels = data_labels([model.info.data_name for model in models])
    scores: dict[str, dict[str, dict[int, float]]] = {name: {label: {} for label in labels} for name in names}
    for label, model in zip(labels, models, strict=True):
        for r in model.records:
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


def _few(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
