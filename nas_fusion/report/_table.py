"""The comparison as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._columns import Column, Layout, Row, layout
from nas_fusion.report._summary import StrategySummary
from nas_fusion.report._verdict import verdict

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.records import CellRecord, ComparisonInfo

NAME_WIDTH = 22
"""A longer name is folded."""

HAND_MADE = "†"


def comparison_tables(records: Sequence[CellRecord], info: ComparisonInfo, width: int) -> list[Table]:
    """One row per strategy, best validation AUC first, in as many tables as `width` columns ask for.

    The quality comes first, then what the model costs, then what finding it cost; a group begins a table of its own if
    it does not fit beside the one before it. `comparison_caption` belongs below them.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    found = layout(records, info)
    return [_table(found.rows, columns) for columns in _pages(found, width)] if found.rows else []


def comparison_caption(records: Sequence[CellRecord], info: ComparisonInfo) -> str:
    """What was compared, how to read the tables, and the verdict: a few lines."""
    found = layout(records, info)
    train, valid, test = info.rows
    summaries = [row.summary for row in found.rows]
    known = f"; attainable test AUC {info.attainable_auc:.4f}" if info.attainable_auc is not None else ""
    lines = [
        f"{info.data}: {train:,} / {valid:,} / {test:,} rows, {info.fields} fields, {info.features:,} features{known}",
        f"Budget per strategy: {info.budget}. Mean ± sd over seeds {', '.join(map(str, info.seeds))}; "
        f"sorted by validation AUC; {HAND_MADE} hand-made, nothing searched.",
        *([reference_note(found)] if found.standings else []),
        *notes(summaries, info),
        verdict(summaries, info.fixed_reference).text,
    ]
    return "\n".join(lines)


def _pages(found: Layout, width: int) -> list[list[Column]]:
    """Which columns stand together: those of one group as far as they fit, a whole group beside another if it fits."""
    pages: list[list[Column]] = [[]]
    for columns in found.groups.values():
        if _fits(found.rows, [*pages[-1], *columns], width):
            pages[-1] += columns
            continue
        pages.append([])
        for column in columns:
            if pages[-1] and not _fits(found.rows, [*pages[-1], column], width):
                pages.append([])
            pages[-1].append(column)
    return [page for page in pages if page]


def _fits(rows: Sequence[Row], columns: Sequence[Column], width: int) -> bool:
    from rich.console import Console

    console = Console(width=10_000)
    return console.measure(_table(rows, columns)).maximum <= width


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    names = {row.summary.strategy: _name(row.summary) for row in rows}
    longest = min(NAME_WIDTH, max(map(len, names.values()), default=0))
    table.add_column("strategy", overflow="fold", min_width=longest, max_width=NAME_WIDTH)
    for column in columns:
        table.add_column(column.short, justify="left" if column.words else "right", no_wrap=True)
    for row in rows:
        style = "bold green" if row.is_chosen else "dim italic" if row.summary.is_reference else ""
        table.add_row(escape(names[row.summary.strategy]), *(c.cell(row) for c in columns), style=style)
    return table


def _name(summary: StrategySummary) -> str:
    return f"{summary.strategy} {HAND_MADE}" if summary.is_reference else summary.strategy


def reference_note(found: Layout) -> str:
    """With what, and how, the strategies are compared."""
    assert found.standings is not None, "asked for with rows"
    named = found.standings.named
    why = "named for it" if named else "chosen by validation"
    family = "for the number of comparisons" + ("" if named else " and for the choice of the reference by its runs")
    return (
        f"Reference: {found.standings.reference} ({why}); test AUC, paired by seed; intervals of the difference are "
        f"for one comparison alone, p is corrected by Holm {family}. Seeds needed: about so many would show a "
        "difference of this size."
    )


def notes(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> list[str]:
    """What a reader must know about single rows: unfinished seeds, shared searches."""
    lines = []
    short = [f"{s.strategy} {len(s.seeds)} of {len(info.seeds)}" for s in summaries if len(s.seeds) < len(info.seeds)]
    if short:
        lines.append(f"Seeds finished so far: {', '.join(short)}.")
    names = {s.strategy for s in summaries}
    lines += [
        f"{s.strategy} uses the search of {s.shares_search_with}: one cost, shown in both rows."
        for s in summaries
        if s.shares_search_with in names
    ]
    return lines
