"""``nasfusion strategies``, ``presets`` and ``data``: what there is."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from nas_fusion.commands._shared import (
    Options,
    output,
    prepare_log,
    print_plain,
)
from nas_fusion.errors import harmless


def run_strategies() -> None:
    """``nasfusion strategies``."""
    with output() as console:
        from nas_fusion.strategy import STRATEGIES

        table = Table(title="Strategies", caption="* in --strategies all; stacked and parallel are always in the table")
        for column in ("name", "kind", "what it does", "parameters (defaults)"):
            table.add_column(column)
        for name, entry in STRATEGIES:
            parameters = ", ".join(f"{k}={v}" for k, v in entry.parameters.items())
            table.add_row(f"{name} *" if entry.in_all else name, entry.kind, entry.summary, parameters)
        console.print(table)
        for line in STRATEGIES.broken():
            console.print(f"broken: {line}", highlight=False, markup=False, soft_wrap=True)


def run_presets() -> None:
    """``nasfusion presets``."""
    with output() as console:
        from nas_fusion.studies import load_preset, preset_names

        for preset in map(load_preset, preset_names()):
            print_plain(console, f"{preset.name}: {preset.summary}")
            print_plain(console, f"  from: {preset.source}")
            own = {f"{s}.{n}": v for s, values in preset.parameters.items() for n, v in values.items()}
            for name, value in {**preset.settings, **own}.items():
                print_plain(console, f"  {name} = {value}")


def run_data(options: Options) -> None:
    """``nasfusion data``."""
    with output() as console:
        from nas_fusion.data import describe

        summary = describe(prepare_log(console, options))
        console.print(_summary_table(summary))
        known = "" if summary.attainable_auc is None else f"; best attainable test AUC {summary.attainable_auc:.4f}"
        positive = f"{summary.label_rate:.2%} positive of {summary.rows:,} rows{known}"
        print_plain(console, f"label {summary.label!r}: {positive}")
        for name, rows in summary.split_rows.items():
            console.print(f"{name}: {rows:,} rows, {summary.split_label_rates[name]:.2%} positive", highlight=False)
        print_plain(console, f"{summary.num_features:,} features; encoded in {summary.path}")


def _summary_table(summary: Any) -> Table:
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
