"""The tables of the HTML page; every text that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from nas_fusion.report._agreement import Agreement, chance
from nas_fusion.report._colours import SeriesStyle
from nas_fusion.report._columns import MODEL, QUALITY, SPENT, Column, Layout, Row
from nas_fusion.report._format import MISSING, count, milliseconds, signed
from nas_fusion.report._legend import marker_svg
from nas_fusion.report._pareto import CostPoint, ModelCost
from nas_fusion.report._stages import Stages

if TYPE_CHECKING:
    from nas_fusion.design import FusionDesign


def quality_table(found: Layout, style: Mapping[str, SeriesStyle]) -> str:
    """Quality and verdicts, best validation AUC first."""
    return _results(found.rows, found.groups[QUALITY], style)


def cost_table(found: Layout, style: Mapping[str, SeriesStyle]) -> str:
    """What the models cost, and what finding them cost."""
    return _results(found.rows, [*found.groups[MODEL], *found.groups[SPENT]], style)


def _results(rows: Sequence[Row], columns: Sequence[Column], style: Mapping[str, SeriesStyle]) -> str:
    body = "".join(_row(row, columns, style[row.summary.strategy]) for row in rows)
    return table(["strategy", *(c.title for c in columns)], body)


def _row(row: Row, columns: Sequence[Column], style: SeriesStyle) -> str:
    summary = row.summary
    name = f'<th scope="row">{marker_svg(style)}{escape(summary.strategy)}</th>'
    cells = "".join(
        f'<td class="words">{_verdict(row)}</td>' if c.words else f"<td>{escape(c.cell(row))}</td>" for c in columns
    )
    kind = "best" if row.is_chosen else "reference" if summary.is_reference else ""
    return f'<tr class="{kind}">{name}{cells}</tr>'


def _verdict(row: Row) -> str:
    if row.against is None:
        return '<span class="call reference">reference</span>'
    call = row.against.verdict
    amount = "" if call == "unknown" else f" {signed(row.against.difference)}"
    return f'<span class="call {call}">{call}</span>{amount}'


def table(heads: Sequence[str], body: str) -> str:
    """A table that scrolls within itself where the page is narrow."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    return (
        f'<div class="scroll"><table class="results"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def simple_rows(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of text, the first cell a header."""
    return "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(c)}</td>" for c in rest)}</tr>'
        for first, *rest in rows
    )


def agreement_table(found: Sequence[Agreement], example: FusionDesign | None) -> str:
    """How much the seeds agree."""
    rows = [
        (
            a.strategy,
            f"{a.distinct} of {a.seeds}",
            f"{a.equal:.0%}",
            MISSING if a.live is None else f"{a.live:.0%}",
        )
        for a in found
    ]
    if example is not None:
        rows.append(("two random designs", MISSING, f"{chance(example.levels):.0%}", MISSING))
    return table(["strategy", "different designs", "equal choices", "shared live connections"], simple_rows(rows))


def stages_table(found: Sequence[Stages]) -> str:
    """The numbers of the discretisation gap."""
    rows = [
        (
            s.strategy,
            *(_number(v) for v in (s.search, s.derived, s.retrained)),
            MISSING if s.gap is None else signed(s.gap),
        )
        for s in found
    ]
    return table(["strategy", "while searching", "derived", "re-trained", "re-trained − searching"], simple_rows(rows))


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"


def front_words(points: Sequence[CostPoint], cost: ModelCost) -> str:
    """The strategies of a Pareto front, cheapest first."""
    number = milliseconds if cost.startswith("latency") else count
    ahead = sorted((p for p in points if p.on_front), key=lambda p: p.cost)
    return ", ".join(f"{escape(p.strategy)} ({number(p.cost)})" for p in ahead)
