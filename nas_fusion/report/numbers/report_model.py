"""The report as a value: made once from the records, and written as tables, pages, figures and files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report.number_words import flat
from nas_fusion.report.numbers import agreement, curves, search_gap, sentences, table_columns
from nas_fusion.report.numbers.advice.advice_words import Advice, advice
from nas_fusion.report.numbers.advice.recommendation import Recommendation, recommend
from nas_fusion.report.numbers.advice.worth import Worth, worth, worth_table, worth_words
from nas_fusion.report.numbers.agreement import Agreement, Shares
from nas_fusion.report.numbers.costs import cheap_equals, search_fronts
from nas_fusion.report.numbers.costs.cheap_equals import CheapEqual
from nas_fusion.report.numbers.costs.pareto import QualityAgainstCost, quality_by_cost
from nas_fusion.report.numbers.costs.search_fronts import FrontPicture, SearchFront
from nas_fusion.report.numbers.curves import CurveSet, ReliabilityCurves, SeedAucs
from nas_fusion.report.numbers.decision import Absent, Decision, Row, decide, lines_of
from nas_fusion.report.numbers.found_designs import FoundDesign, found_designs, most_lost
from nas_fusion.report.numbers.rank_diagram import RankDiagram, rank_diagram
from nas_fusion.report.numbers.search_gap import Stages
from nas_fusion.report.numbers.summaries import Family, Groups, by_strategy, family
from nas_fusion.report.numbers.table_columns import Column, Columns, TextTable

SHOWN_SEARCHED, SHOWN_HAND_MADE = 6, 2
"""How many strategies of each sort the curves show at first, the best on validation: more could not be told apart."""


@dataclass(frozen=True)
class ReportModel:
    """Everything that a report on one data set shows, made by `report_model`; each part is computed once.

    Args:
        records: the finished cells.
        info: what was compared.
    """

    records: tuple[CellRecord, ...]
    info: ComparisonInfo

    @cached_property
    def groups(self) -> Groups:
        """The records by strategy, in the order of the records."""
        return by_strategy(self.records)

    @cached_property
    def decision(self) -> Decision:
        """Who is better, and what did not learn or failed."""
        return decide(self.records, self.info)

    @cached_property
    def recommendation(self) -> Recommendation:
        """What to take."""
        return recommend(self.decision, self.records, self.info)

    @cached_property
    def _lines(self) -> tuple[tuple[Row, ...], tuple[Absent, ...]]:
        return lines_of(self.decision)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The lines of the tables, the best on validation first."""
        return self._lines[0]

    @property
    def absent(self) -> tuple[Absent, ...]:
        """The lines of strategies without numbers, which come last."""
        return self._lines[1]

    @property
    def reference(self) -> str:
        """The strategy with which the others are compared; empty where there is none."""
        standings = self.decision.standings
        return standings.reference if standings is not None else ""

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings under dotted names."""
        return flat(self.info.settings)

    # In words ----------------------------------------------------------------------------------------------------

    @cached_property
    def facts(self) -> Mapping[str, str]:
        """What was asked, by name."""
        return sentences.facts(self.info, self.decision)

    @cached_property
    def advice(self) -> Advice:
        """What the report begins with: what to take, in a sentence, and why."""
        return advice(self.recommendation, self.decision)

    @cached_property
    def dashboard_words(self) -> Mapping[str, str]:
        """What a dashboard says in words, by name; empty where something does not apply: an earlier one then goes."""
        return {"advice": str(self.advice.sentence), **sentences.decision_in_words(self.decision)}

    @cached_property
    def headline(self) -> list[str]:
        """The verdict in statistics, and who is as good for less: a few paragraphs."""
        cheap = " ".join(one.words for one in self.cheap_equals)
        return [*sentences.headline(self.decision), *([cheap] if cheap else [])]

    @cached_property
    def cheap_equals(self) -> list[CheapEqual]:
        """Who is as good as the best model, or the best found by search, for fewer multiply-adds."""
        return cheap_equals.cheap_equals(self.decision, self.groups)

    @cached_property
    def reference_note(self) -> list[str]:
        """With what, and how, the strategies are compared."""
        return sentences.reference_note(self.decision)

    @property
    def told_note(self) -> str:
        """How to read what is measured beside AUC and logloss."""
        return sentences.TOLD_NOTE

    @cached_property
    def notes(self) -> list[str]:
        """About single rows: marks, failed and unfinished cells, what computed them, shared searches."""
        return sentences.notes(self.decision, self.records, len(self.info.seeds))

    @cached_property
    def remarks(self) -> list[str]:
        """Which cells failed, and what computed them where that differs."""
        return [*sentences.failure_lines(self.decision), *sentences.provenance_lines(self.records)]

    @cached_property
    def calls(self) -> Mapping[str, str]:
        """Who is better, worse, or cannot be told from the reference: names by what is said of them."""
        return table_columns.calls(self.rows, self.reference)

    @property
    def recipe_note(self) -> list[str]:
        """How the recipe was chosen, and what that cost; nothing where it was given."""
        return [] if self.info.recipe is None else [sentences.recipe_words(self.info.recipe)]

    @property
    def chosen_by(self) -> str:
        """By what validation chose, in words."""
        return self.decision.chosen_by

    # Tables ------------------------------------------------------------------------------------------------------

    @cached_property
    def columns(self) -> Columns:
        """The columns of the tables, with their cells."""
        best = self.decision.best
        equals = {} if best is None else cheap_equals.equal_ratios(best, self.decision, self.groups)
        return table_columns.table_columns(
            self.rows, self.absent, self.info, self.reference, self.decision.select, equals
        )

    @cached_property
    def told(self) -> tuple[Column, ...]:
        """What was measured on test rows beside AUC and logloss; empty where no record has any of it."""
        return table_columns.told_columns(self.rows, self.absent)

    @cached_property
    def highest_test_auc(self) -> float:
        """The highest mean test AUC; NaN where there is none."""
        means = [row.summary.test_auc.mean for row in self.rows]
        return max((mean for mean in means if math.isfinite(mean)), default=math.nan)

    @cached_property
    def recipe_table(self) -> TextTable | None:
        """The recipes that were tried; None where none were."""
        recipe = self.info.recipe
        return None if recipe is None or not recipe.tried else table_columns.recipe_table(recipe)

    @cached_property
    def worth(self) -> list[Worth]:
        """Every search against hand-made models in the same time."""
        return worth(self.groups, self.decision.select)

    @cached_property
    def worth_words(self) -> str:
        """Which searches are worth their seconds."""
        return worth_words(self.worth)

    @cached_property
    def worth_table(self) -> TextTable:
        """The same, search by search."""
        return worth_table(self.worth)

    @cached_property
    def gap_table(self) -> TextTable:
        """The discretisation gap."""
        return table_columns.gap_table(self.stages)

    @cached_property
    def fronts(self) -> list[SearchFront]:
        """The front of each strategy's best seed: good and cheap among what its search measured."""
        return search_fronts.search_fronts(self.rows)

    @cached_property
    def front_table(self) -> TextTable:
        """The best of each front, what was handed on, and what either costs."""
        return search_fronts.front_table(self.fronts)

    @cached_property
    def front_note(self) -> str:
        """How the searches chose among their candidates."""
        return search_fronts.preference_words(self.fronts)

    @cached_property
    def agreement_table(self) -> TextTable:
        """How much the designs of each strategy's seeds agree."""
        return table_columns.agreement_table(self.agreements)

    @cached_property
    def chance_line(self) -> tuple[str, ...] | None:
        """What would stand in the `agreement_table` for random designs; None where none is of the fusion space."""
        design = next((r.design for r in self.records if isinstance(r.design, FusionDesign)), None)
        if design is None:
            return None
        return table_columns.chance_line(agreement.chance(design.levels, has_variants=bool(design.variants)))

    # Figures -----------------------------------------------------------------------------------------------------

    @cached_property
    def families(self) -> Mapping[str, Family]:
        """What every strategy is, in the order of the records; the order gives the colours."""
        return {name: family(group[0]) for name, group in self.groups.items()}

    @cached_property
    def shown_first(self) -> frozenset[str]:
        """The strategies that the curves show before anybody clicks."""
        searched = [row.summary.strategy for row in self.rows if not row.summary.is_reference]
        hand_made = [row.summary.strategy for row in self.rows if row.summary.is_reference]
        return frozenset({*searched[:SHOWN_SEARCHED], *hand_made[:SHOWN_HAND_MADE]})

    @cached_property
    def seed_aucs(self) -> SeedAucs:
        """Every seed's test AUC."""
        return curves.seed_aucs(self.rows, self.info.attainable_auc)

    @cached_property
    def reliability(self) -> ReliabilityCurves | None:
        """Predicted against observed shares of clicks; None where no record has them."""
        return curves.reliability_curves(self.rows)

    @cached_property
    def ranks(self) -> RankDiagram | None:
        """Average ranks over the seeds; None with fewer than two strategies or seeds."""
        return rank_diagram(self.groups)

    @cached_property
    def curves(self) -> list[CurveSet]:
        """The best AUC so far of every search, over each cost."""
        return [curves.curve_set(self.groups, by) for by in curves.SEARCH_COSTS]

    @cached_property
    def quality_by_cost(self) -> list[QualityAgainstCost]:
        """Test AUC against each cost of the model that is known."""
        return quality_by_cost(self.decision.summaries)

    @cached_property
    def front_picture(self) -> FrontPicture | None:
        """The fronts beside the models that were trained to their end; None without any."""
        return search_fronts.front_picture(self.rows)

    @cached_property
    def stages(self) -> list[Stages]:
        """The discretisation gap of every search."""
        return search_gap.stages(self.groups)

    @cached_property
    def agreements(self) -> list[Agreement]:
        """How much the designs of each strategy's seeds agree."""
        return agreement.agreements(self.groups)

    @cached_property
    def shares(self) -> tuple[Shares | None, Shares | None]:
        """How often the seeds took each connection and each operation; None without designs of one size."""
        if all(len(group) < 2 for group in self.groups.values()):
            return None, None
        return agreement.open_shares(self.groups), agreement.operation_shares(self.groups)

    @cached_property
    def found(self) -> list[FoundDesign]:
        """The best design of every strategy."""
        return found_designs(self.rows)

    @cached_property
    def most_lost(self) -> float | None:
        """The largest validation AUC that any connection of a best design is worth: the scale of the drawings."""
        return most_lost(self.found)


def report_model(records: Sequence[CellRecord], info: ComparisonInfo) -> ReportModel:
    """Make the report of a comparison, finished or not; the best on validation first.

    Args:
        records: the finished cells; the order of strategies gives the colours.
        info: what was compared.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    model = ReportModel(tuple(records), info)
    model.decision  # noqa: B018 (errors are told of here, and not where the first page is written)
    return model
