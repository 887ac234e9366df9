"""What `compare` and `report` print of finished comparisons, and how they end where cells are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from nas_fusion.cli.console import EXIT_INCOMPLETE, print_plain

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo
    from nas_fusion.report import ReportModel
    from nas_fusion.studies import Comparison, Suite


def exit_if_incomplete(
    console: Console,
    comparisons: Sequence[Comparison],
    parts: Sequence[tuple[str, str]] = (),
    *,
    again: str = "same command",
) -> None:
    """Name the cells that have no result, and end with a code that says so.

    Args:
        console: where.
        comparisons: with their failures.
        parts: data sets without any result, and why.
        again: what tries them again.

    Raises:
        SystemExit: there are such cells.
    """
    several = len(comparisons) + len(parts) > 1
    lines = [
        f"{result.folder.path.name}: {failed.words}" if several else failed.words
        for result in comparisons
        for failed in result.failures
    ] + [f"{name}: {reason}" for name, reason in parts]
    if not lines:
        return
    console.print(f"\n{len(lines)} without a result; the {again} tries again:", highlight=False)
    for line in lines:
        print_plain(console, f"  {line}")
    raise SystemExit(EXIT_INCOMPLETE)


def print_suite(console: Console, suite: Suite) -> None:
    """Every comparison of a suite, and the reports over all of them."""
    from nas_fusion.report import terminal_text

    for result in suite.comparisons:
        console.print(f"\n[bold]{terminal_text(result.folder.path.name)}[/bold]", highlight=False)
        print_result(console, result, None)
    for path in suite.written:
        print_plain(console, f"written: {path}")


def print_result(console: Console, result: Comparison, latex: Path | None) -> None:
    """A comparison: its tables, its best designs, and the files."""
    console.print()
    _print_comparison(console, result.report)
    _print_waiting(console, result)
    _print_best(console, result.report)
    _print_written(console, result, latex)


def _print_best(console: Console, report: ReportModel) -> None:
    """The best model, and the best one that a search has found, each with its design."""
    best, found = report.decision.best, report.decision.best_found
    titles = {"best model": best, "best found by search": found}
    if found is best:
        titles = {"best model, and best found by search": best}
    for title, summary in titles.items():
        if summary is not None:
            _print_design(console, title, summary.best)


def _print_design(console: Console, title: str, cell: CellRecord) -> None:
    from nas_fusion.report import clean, design_text, terminal_text

    made = ", not searched" if cell.kind == "reference" else ""
    console.print(
        f"\n{title}: [bold]{terminal_text(cell.strategy)}[/bold], seed {cell.seed}{made}; validation AUC "
        f"{cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}",
        highlight=False,
    )
    console.print(clean(design_text(cell.design), lines=True), highlight=False, markup=False)


def print_cell(console: Console, record: CellRecord, done: int, total: int) -> None:
    """A finished cell in a line."""
    line = f"[{done:>{len(str(total))}}/{total}] {record.strategy:<19} seed {record.seed}"
    line += f"  valid {record.valid_auc:.4f}  test {record.test_auc:.4f}"
    line += f"  search {record.search_seconds:.1f} s, re-train {record.retrain_seconds:.1f} s"
    print_plain(console, line)


@dataclass
class CellLines:
    """Prints a line for every finished cell, and the tables of the first seed that is whole while others are computed.

    Args:
        console: where.
        info: of the comparison.
        finished_before: how many cells an earlier start has finished: it has shown what they say.
    """

    console: Console
    info: ComparisonInfo
    finished_before: int
    _records: list[CellRecord] = field(default_factory=list)
    _shown: bool = False

    def __call__(self, record: CellRecord, done: int, total: int) -> None:
        """A cell is finished."""
        print_cell(self.console, record, done, total)
        self._records.append(record)
        strategies = list(self.info.settings["strategies"])
        of_seed = {r.strategy: r for r in self._records if r.seed == record.seed}
        if self._shown or len(of_seed) < len(strategies):
            return
        self._shown = True
        if self.finished_before < done < total:
            self._print_seed([of_seed[name] for name in strategies], record.seed)

    def _print_seed(self, records: Sequence[CellRecord], seed: int) -> None:
        from nas_fusion.report import comparison_tables, report_model

        self.console.print(f"\nseed {seed}, while the others are computed:", highlight=False)
        for table in comparison_tables(report_model(records, replace(self.info, seeds=(seed,))), self.console.width):
            self.console.print(table)
            self.console.print()


def _print_waiting(console: Console, result: Comparison) -> None:
    from nas_fusion.studies import without_record

    waiting = () if result.info.ended else without_record(result.info, result.records)
    if waiting:
        names = ", ".join(f"{cell.strategy} seed {cell.seed}" for cell in waiting)
        print_plain(console, f"{len(waiting)} without a result yet: {names}")


def _print_comparison(console: Console, report: ReportModel) -> None:
    from nas_fusion.report import comparison_caption, comparison_tables

    for table in comparison_tables(report, console.width):
        console.print(table)
        console.print()
    advice, rest = comparison_caption(report).split("\n", 1)
    console.print(advice, style="bold", highlight=False, markup=False)
    console.print(rest, highlight=False, markup=False)


def _print_written(console: Console, result: Comparison, latex: Path | None) -> None:
    folder, decision = result.folder, result.report.decision
    paths = [folder.report, folder.report_markdown, folder.results, folder.summary]
    paths += [folder.best_model_json] if decision.best is not None else []
    paths += [folder.best_json] if decision.best_found is not None else []
    for path in [*paths, *([latex] if latex else [])]:
        print_plain(console, f"written: {path}")
