"""What a report says about who is better: decided once from the records, and shown everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from nas_fusion.bounds import SELECTIONS
from nas_fusion.errors import UnknownNameError
from nas_fusion.records import CellRecord, ComparisonInfo, FailedCell
from nas_fusion.report.number_words import signed
from nas_fusion.report.numbers.summaries import StrategySummary, not_learned, summarise
from nas_fusion.statistics import (
    Interval,
    PairedComparison,
    bootstrap_interval,
    compare_with_reference,
    interquartile_mean,
)

_DIGITS = 4
"""Of an AUC in the tables: strategies that are equal to so many digits are called level."""

HAND_MADE, NOT_LEARNED = "†", "‡"
"""The footnote marks after a strategy's name."""

How = Literal["beforehand", "afterwards", "chosen"]
"""Named before there were results, named when there were some, or chosen by validation."""


class Standings(NamedTuple):
    """The comparisons of the test AUC with one strategy.

    `reference`: that strategy; `how`: why that one. `against`: by strategy; the reference itself is missing.
    `chosen_from`: the strategies among which the reference may have been chosen by its runs, which the correction
    takes into account; None where nobody can have chosen it.
    """

    reference: str
    how: How
    against: dict[str, PairedComparison]
    chosen_from: tuple[str, ...] | None

    @property
    def why(self) -> str:
        """Why it is the reference: a few words for brackets."""
        return {
            "beforehand": "named for it",
            "afterwards": "named when there were results",
            "chosen": "chosen by validation",
        }[self.how]

    @property
    def correction(self) -> str:
        """What the corrected p-values are corrected for."""
        if self.chosen_from is None:
            return "for the number of comparisons"
        whom = "any strategy" if self.how == "afterwards" else "the reference by its runs"
        return f"for the number of comparisons and for the choice of {whom}"


class Decision(NamedTuple):
    """Everything that is decided about a comparison; validation chooses, test reports.

    `summaries`: the best on validation first. `standings`: the comparisons with the reference, None without records;
    `missing_reference`: one that was named and has no finished cell, so that validation has chosen another.
    `not_learned`: the seeds of each strategy whose model knows nothing. `failures`: the cells without a record.
    `unstarted`: strategies of the comparison without any record or failure. `select`: by what validation chose.
    `left_out`: the cells without a record that a time limit left out.
    """

    summaries: tuple[StrategySummary, ...]
    standings: Standings | None
    missing_reference: str | None
    not_learned: Mapping[str, tuple[int, ...]]
    failures: tuple[FailedCell, ...]
    unstarted: tuple[str, ...]
    select: str = "auc"
    left_out: tuple[FailedCell, ...] = ()

    @property
    def chosen_by(self) -> str:
        """By what validation chose, in words."""
        return SELECTIONS[self.select]

    @property
    def best(self) -> StrategySummary | None:
        """The best model, whatever made it: the best mean on validation, the first of equals."""
        return next(iter(self.summaries), None)

    @property
    def best_found(self) -> StrategySummary | None:
        """The best one that a search has found; None where nothing was searched."""
        return next((s for s in self.summaries if not s.is_reference), None)

    @property
    def level(self) -> tuple[str, ...]:
        """The strategies whose mean on validation equals the best one's in every digit that is shown."""
        best, *others = self.summaries or (None,)
        if best is None:
            return ()
        top = round(best.chosen_by(self.select).mean, _DIGITS)
        return tuple(s.strategy for s in others if round(s.chosen_by(self.select).mean, _DIGITS) == top)

    @property
    def absent(self) -> tuple[str, ...]:
        """The strategies of which every cell that ended has failed."""
        finished = {s.strategy for s in self.summaries}
        return tuple(dict.fromkeys(f.strategy for f in self.failures if f.strategy not in finished))

    def failed_seeds(self, strategy: str) -> tuple[int, ...]:
        """The seeds with which a strategy failed, ascending."""
        return tuple(sorted(f.seed for f in self.failures if f.strategy == strategy))


class Row(NamedTuple):
    """A strategy's line.

    `iqm`, `iqm_interval`: interquartile mean of the test AUC and its 95 % bootstrap interval; `against`: the
    comparison with the reference, None for the reference itself; `is_best`, `is_best_found`: the best model, and the
    best one that a search has found; `not_learned`, `failed`: the seeds whose model knows nothing, or that failed.
    """

    summary: StrategySummary
    iqm: float
    iqm_interval: Interval | None
    against: PairedComparison | None
    is_best: bool
    is_best_found: bool
    not_learned: tuple[int, ...]
    failed: tuple[int, ...]

    @property
    def marks(self) -> str:
        """The footnote marks after the name."""
        return (HAND_MADE if self.summary.is_reference else "") + (NOT_LEARNED if self.not_learned else "")

    @property
    def call(self) -> str:
        """The verdict as a word: better, worse, tie, unknown, or reference."""
        return "reference" if self.against is None else self.against.verdict

    @property
    def role(self) -> str:
        """How the line is set off: best, found, reference, or not at all."""
        if self.is_best or self.is_best_found:
            return "best" if self.is_best else "found"
        return "reference" if self.summary.is_reference else ""

    @property
    def amount(self) -> str:
        """The difference from the reference, next to `call`; empty where there is none to tell."""
        return "" if self.against is None or self.call == "unknown" else signed(self.against.difference)


class Absent(NamedTuple):
    """The line of a strategy without numbers: every cell of it that ended has failed."""

    strategy: str
    failed: tuple[int, ...]


def decide(records: Sequence[CellRecord], info: ComparisonInfo) -> Decision:
    """Decide about a comparison, finished or not.

    Every strategy is compared with the reference on test, by paired tests over the seeds that both have. The
    correction counts the comparisons with every strategy that could have been the reference: one that somebody named
    before there were results is the only one; validation chooses among the searches; one that was named when there
    were results could have been any, unless it is the one that validation chooses.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    select = selection_of(info, records)
    summaries = tuple(summarise(records, select))
    done = {(r.strategy, r.seed) for r in records}
    failed = {(f.strategy, f.seed): f for f in info.failures}
    failures = tuple(f for cell, f in failed.items() if cell not in done)
    left_out = tuple(one for one in info.left_out if (one.strategy, one.seed) not in (done | set(failed)))
    asked = [str(name) for name in info.settings.get("strategies", ())]
    known = [*(s.strategy for s in summaries), *(f.strategy for f in (*failures, *left_out))]
    if info.reference is not None and info.reference not in (*known, *asked):
        raise UnknownNameError("reference", info.reference, list(dict.fromkeys([*known, *asked])))
    standings = _standings(summaries, info)
    return Decision(
        summaries,
        standings,
        info.reference if standings is not None and info.reference not in (None, standings.reference) else None,
        not_learned(records, info),
        failures,
        tuple(name for name in dict.fromkeys(asked) if name not in known),
        select,
        left_out,
    )


def selection_of(info: ComparisonInfo, records: Sequence[CellRecord]) -> str:
    """By what validation chose in a comparison; by AUC where it does not say, or where the records lack it."""
    recipe = info.settings.get("recipe")
    select = recipe.get("select") if isinstance(recipe, Mapping) else None
    if select == "gauc" and any(record.valid_gauc is None for record in records):
        return "auc"
    return str(select) if select in SELECTIONS else "auc"


def _standings(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> Standings | None:
    if not summaries:
        return None
    scores = {s.strategy: s.test_auc_by_seed for s in summaries}
    reference, how, chosen_from = _reference(summaries, info)
    found = compare_with_reference(scores, reference, chosen_from=chosen_from)
    return Standings(reference, how, {c.name: c for c in found}, chosen_from)


def _reference(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> tuple[str, How, tuple[str, ...] | None]:
    """The strategy to compare with, why, and among which it may have been chosen by its runs."""
    searched = tuple(s.strategy for s in summaries if not s.is_reference)
    everyone = tuple(s.strategy for s in summaries)
    choice = (searched or everyone)[0]
    if info.reference not in everyone:
        return choice, "chosen", searched or everyone
    if info.named_beforehand:
        return info.reference, "beforehand", None
    return info.reference, "afterwards", (searched or everyone) if info.reference == choice else everyone


def lines_of(decision: Decision) -> tuple[tuple[Row, ...], tuple[Absent, ...]]:
    """The lines of a table: the strategies with numbers, the best on validation first, and those without."""
    rows = tuple(_row(summary, decision) for summary in decision.summaries)
    return rows, tuple(Absent(name, decision.failed_seeds(name)) for name in decision.absent)


def _row(summary: StrategySummary, decision: Decision) -> Row:
    tests = list(summary.test_auc_by_seed.values())
    name, standings = summary.strategy, decision.standings
    return Row(
        summary,
        interquartile_mean(tests),
        bootstrap_interval(tests),
        standings.against.get(name) if standings else None,
        summary is decision.best,
        summary is decision.best_found,
        decision.not_learned.get(name, ()),
        decision.failed_seeds(name),
    )
