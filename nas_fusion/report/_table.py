"""The comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._format import MISSING, auc, count, seconds, share_of_attainable
from nas_fusion.report._verdict import verdict

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.records import ComparisonInfo
    from nas_fusion.report._summary import StrategySummary


WIDE = 100
"""Columns that the whole table needs."""

Column = tuple[str, Callable[["StrategySummary"], str]]


def comparison_table(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> Table:
    """A rich table, one row per strategy in the order given; its caption tells data, budget and verdict.

    All numbers fit into `WIDE` columns; a name that does not fit is folded.
    """
    return _table(summaries, _quality(info) + _cost(), caption(summaries, info))


def comparison_tables(summaries: Sequence[StrategySummary], info: ComparisonInfo, width: int) -> list[Table]:
    """The table for a terminal of `width` columns: whole, or quality and cost one below the other."""
    if width >= WIDE:
        return [comparison_table(summaries, info)]
    return [_table(summaries, _quality(info), None), _table(summaries, _cost(), caption(summaries, info))]


def _table(summaries: Sequence[StrategySummary], columns: Sequence[Column], text: str | None) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    winner = verdict(summaries).best
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        caption=escape(text) if text else None,
        caption_justify="left",
        caption_style="default",
    )
    table.add_column("strategy", overflow="fold", min_width=14)
    for header, _ in columns:
        table.add_column(header, justify="right", no_wrap=True)
    for summary in summaries:
        name = f"{summary.strategy} (ref.)" if summary.is_reference else summary.strategy
        style = "bold green" if winner is summary else "dim italic" if summary.is_reference else ""
        table.add_row(escape(name), *(cell(summary) for _, cell in columns), style=style)
    return table


def _quality(info: ComparisonInfo) -> list[Column]:
    columns: list[Column] = [
        ("valid\nAUC", lambda s: f"{s.valid_auc.mean:.4f}"),
        ("test\nAUC", lambda s: auc(s.test_auc)),
    ]
    attainable = info.attainable_auc
    if attainable is not None:
        columns.append(("attain-\nable %", lambda s: f"{share_of_attainable(s.test_auc.mean, attainable):.1f}"))
    return [*columns, ("test\nlogloss", lambda s: auc(s.test_logloss))]


def _cost() -> list[Column]:
    return [
        ("search\ns", lambda s: MISSING if s.is_reference else seconds(s.search_seconds.mean)),
        ("re-train\ns", lambda s: seconds(s.retrain_seconds.mean)),
        ("samples\nsearch", lambda s: MISSING if s.is_reference else count(s.search_samples.mean)),
        ("para-\nmeters", lambda s: count(s.parameters.mean)),
    ]


def caption(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> str:
    """What was compared, how to read it, and the verdict: a few lines."""
    train, valid, test = info.rows
    known = f"; attainable test AUC {info.attainable_auc:.4f}" if info.attainable_auc is not None else ""
    lines = [
        f"{info.data}: {train:,} / {valid:,} / {test:,} rows, {info.fields} fields, {info.features:,} features{known}",
        f"Budget per strategy: {info.budget}. Mean ± sd over seeds {', '.join(map(str, info.seeds))}; "
        "sorted by validation AUC; (ref.) = hand-made, nothing searched.",
        *notes(summaries, info),
        verdict(summaries).text,
    ]
    return "\n".join(lines)


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
