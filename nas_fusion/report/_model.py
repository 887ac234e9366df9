"""The report as a value: made once from the records, and written as tables, pages, figures and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.report._decision import Decision, decide
from nas_fusion.report._summary import StrategySummary
from nas_fusion.statistics import Interval, PairedComparison, bootstrap_interval, interquartile_mean

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

HAND_MADE, NOT_LEARNED = "†", "‡"


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
        """The footnote marks behind the name."""
        return (HAND_MADE if self.summary.is_reference else "") + (NOT_LEARNED if self.not_learned else "")

    @property
    def call(self) -> str:
        """The verdict as a word: better, worse, tie, unknown, or reference."""
        return "reference" if self.against is None else self.against.verdict


class Absent(NamedTuple):
    """The line of a strategy without numbers: every cell of it that ended has failed."""

    strategy: str
    failed: tuple[int, ...]


class ReportModel(NamedTuple):
    """Everything that a report on one data set shows; `rows` and `absent` are the lines of its tables."""

    records: tuple[CellRecord, ...]
    info: ComparisonInfo
    decision: Decision
    rows: tuple[Row, ...]
    absent: tuple[Absent, ...]

    @property
    def reference(self) -> str:
        """The strategy with which the others are compared; empty where there is none."""
        standings = self.decision.standings
        return standings.reference if standings is not None else ""


def report_model(records: Sequence[CellRecord], info: ComparisonInfo) -> ReportModel:
    """Make the report of a comparison, finished or not; best mean validation AUC first.

    Args:
        records: the finished cells; the order of strategies gives the colours.
        info: what was compared.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    decision = decide(records, info)
    rows = tuple(_row(summary, decision) for summary in decision.summaries)
    absent = tuple(Absent(name, decision.failed_seeds(name)) for name in decision.absent)
    return ReportModel(tuple(records), info, decision, rows, absent)


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
