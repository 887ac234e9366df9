"""The tables of the HTML page; every text that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._agreement import Agreement, chance
from nas_fusion.report._colours import SeriesStyle
from nas_fusion.report._columns import MODEL, QUALITY, SPENT, Column, column_groups
from nas_fusion.report._format import MISSING, count, milliseconds, signed
from nas_fusion.report._legend import marker_svg
from nas_fusion.report._model import Absent, ReportModel, Row
from nas_fusion.report._pareto import CostPoint, ModelCost
from nas_fusion.report._stages import Stages
from nas_fusion.report._text import html_text

if TYPE_CHECKING:
    from nas_fusion.design import FusionDesign


def quality_table(model: ReportModel, style: Mapping[str, SeriesStyle]) -> str:
    """Quality and verdicts, best validation AUC first; strategies without numbers last."""
    columns = column_groups(model)[QUALITY]
    body = "".join(_row(row, columns, style[row.summary.strategy]) for row in model.rows)
    body += "".join(_absent(line, columns) for line in model.absent)
    return table(["strategy", *(c.title for c in columns)], body)


def cost_table(model: ReportModel, style: Mapping[str, SeriesStyle]) -> str:
    """What the models cost, and what finding them cost."""
    groups = column_groups(model)
    columns = [*groups[MODEL], *groups[SPENT]]
    body = "".join(_row(row, columns, style[row.summary.strategy]) for row in model.rows)
    return table(["strategy", *(c.title for c in columns)], body)


def _row(row: Row, columns: Sequence[Column], style: SeriesStyle) -> str:
    summary = row.summary
    name = f'<th scope="row">{marker_svg(style)}{html_text(summary.strategy)}{_marks(row)}</th>'
    cells = "".join(
        f'<td class="words">{_verdict(row)}</td>' if c.words else f"<td>{html_text(c.cell(row))}</td>" for c in columns
    )
    kind = "best" if row.is_best else "found" if row.is_best_found else "reference" if summary.is_reference else ""
    return f'<tr class="{kind}">{name}{cells}</tr>'


def _marks(row: Row) -> str:
    return f" <sup>{row.marks}</sup>" if row.marks else ""


def _absent(line: Absent, columns: Sequence[Column]) -> str:
    cells = "".join(f"<td{' class=words' if c.words else ''}>{c.without(line)}</td>" for c in columns)
    return f'<tr class="absent"><th scope="row">{html_text(line.strategy)}</th>{cells}</tr>'


def _verdict(row: Row) -> str:
    amount = "" if row.against is None or row.call == "unknown" else f" {signed(row.against.difference)}"
    return f'<span class="call {row.call}">{row.call}</span>{amount}'


def table(heads: Sequence[str], body: str) -> str:
    """A table that scrolls within itself where the page is narrow."""
    head = "".join(f'<th scope="col">{html_text(h)}</th>' for h in heads)
    return (
        f'<div class="scroll"><table class="results"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def simple_rows(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of text, the first cell a header."""
    return "".join(
        f'<tr><th scope="row">{html_text(first)}</th>{"".join(f"<td>{html_text(c)}</td>" for c in rest)}</tr>'
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
    return ", ".join(f"{html_text(p.strategy)} ({number(p.cost)})" for p in ahead)
