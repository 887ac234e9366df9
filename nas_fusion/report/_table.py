"""The comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._format import MISSING, auc, count, seconds, share_of_attainable
from nas_fusion.report._verdict import verdict

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.records import ComparisonInfo
    from nas_fusion.report._summary import StrategySummary


def comparison_table(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> Table:
    """A rich table, one row per strategy in the order given; its caption tells data, budget and verdict.

    All numbers fit into 100 columns; a name that does not fit is folded.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    winner = verdict(summaries).best
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        caption=escape(caption(summaries, info)),
        caption_justify="left",
        caption_style="default",
    )
    table.add_column("strategy", overflow="fold", min_width=14)
    for header in _headers(info):
        table.add_column(header, justify="right", no_wrap=True)
    for summary in summaries:
        name = f"{summary.strategy} (ref.)" if summary.is_reference else summary.strategy
        style = "bold green" if winner is summary else "dim italic" if summary.is_reference else ""
        table.add_row(escape(name), *_cells(summary, info), style=style)
    return table


def _headers(info: ComparisonInfo) -> list[str]:
    share = [] if info.attainable_auc is None else ["attain-\nable %"]
    return [
        "valid\nAUC",
        "test\nAUC",
        *share,
        "test\nlogloss",
        "search\ns",
        "re-train\ns",
        "samples\nsearch",
        "para-\nmeters",
    ]


def _cells(summary: StrategySummary, info: ComparisonInfo) -> list[str]:
    share = []
    if info.attainable_auc is not None:
        share = [f"{share_of_attainable(summary.test_auc.mean, info.attainable_auc):.1f}"]
    return [
        f"{summary.valid_auc.mean:.4f}",
        auc(summary.test_auc),
        *share,
        auc(summary.test_logloss),
        MISSING if summary.is_reference else seconds(summary.search_seconds.mean),
        seconds(summary.retrain_seconds.mean),
        MISSING if summary.is_reference else count(summary.search_samples.mean),
        count(summary.parameters.mean),
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
