"""``nasfusion data``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas_fusion.cli.command import Command
from nas_fusion.cli.common_options import OneLog, TeacherFile
from nas_fusion.cli.console import output, print_plain
from nas_fusion.cli.log_reading import prepare_log
from nas_fusion.design_file import write_design
from nas_fusion.errors import OptionError, harmless
from nas_fusion.settings import DataOptions, is_planted
from nas_fusion.system.places import check_file_place

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from nas_fusion.data import DataSummary, Truth


def data(log: OneLog, reading: DataOptions, written: TeacherFile) -> None:
    """Say what is in a log: how its columns are read, and why; sizes, missing and unknown values, splits, warnings."""
    with output() as console:
        from nas_fusion.data import PlantedLog, describe, planted_truth

        if written.teacher is not None:
            if not is_planted(log.data):
                raise OptionError("teacher", "given for a planted log only", str(written.teacher))
            check_file_place("teacher", written.teacher)
        summary = describe(prepare_log(console, log.data, reading))
        console.print(_column_table(summary))
        console.print(_summary_table(summary))
        for warning in summary.warnings:
            print_plain(console, f"warning: {warning}")
        known = "" if summary.attainable_auc is None else f"; best attainable test AUC {summary.attainable_auc:.4f}"
        positive = f"{summary.label_rate:.2%} positive of {summary.rows:,} rows{known}"
        print_plain(console, f"label {summary.label!r}: {positive}")
        for name, rows in summary.split_rows.items():
            console.print(f"{name}: {rows:,} rows, {summary.split_label_rates[name]:.2%} positive", highlight=False)
        print_plain(console, f"{summary.num_features:,} features; encoded in {summary.path}")
        if is_planted(log.data):
            truth = planted_truth(PlantedLog.named(log.data))
            _tell_truth(console, truth)
            if written.teacher is not None:
                write_design(written.teacher, truth.design, None)
                print_plain(console, f"written: {written.teacher}")


def _tell_truth(console: Console, truth: Truth) -> None:
    """The teacher of a planted log, and what each of its connections and operations is worth."""
    from rich.table import Table
    from rich.text import Text

    print_plain(console, f"teacher: {truth.design}")
    table = Table(
        title=Text("What changes cost the teacher", "table.title"),
        caption=f"over all possible rows; attainable AUC {truth.attainable_auc:.4f}",
    )
    table.add_column("changed")
    table.add_column("AUC", justify="right")
    table.add_column("lost", justify="right")
    for change in truth.changes:
        table.add_row(Text(change.what), f"{change.auc:.4f}", f"{change.loss:.4f}")
    console.print(table)


def _column_table(summary: DataSummary) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text("Columns", "table.title"), caption="--kind COLUMN=KIND and --drop COLUMN change this")
    for column in ("column", "read as", "why"):
        table.add_column(column)
    for plan in summary.columns:
        table.add_row(Text(harmless(plan.name)), plan.kind.value, Text(harmless(plan.reason)))
    return table


def _summary_table(summary: DataSummary) -> Table:
    from rich.table import Table
    from rich.text import Text

    title = Text(harmless(f"Fields of {summary.name}"), "table.title")
    table = Table(title=title, caption="distinct, most frequent: in the training rows")
    table.add_column("field")
    table.add_column("kind")
    for column in ("distinct", "ids", "missing", "most frequent", "unknown in valid", "in test"):
        table.add_column(column, justify="right")
    for f in summary.fields:
        shares = [f"{share:.1%}" for share in (f.top_share, f.valid_unknown, f.test_unknown)]
        table.add_row(Text(harmless(f.name)), f.kind.value, f"{f.distinct:,}", f"{f.size:,}", f"{f.missing:,}", *shares)
    return table


DATA = Command(data, "nasfusion data --data train.txt --format criteo")
