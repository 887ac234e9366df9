"""What a notebook shows of a comparison and of small tables: HTML without scripts, in the notebook's own style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nas_fusion.report.escapes import html_text
from nas_fusion.report.numbers.report_model import ReportModel

SCROLLS = "overflow-x: auto"
_STYLES = {"best": "font-weight: bold", "found": "font-weight: bold", "reference": "font-style: italic", "": ""}


def comparison_view(model: ReportModel) -> str:
    """What to take and why, and the table of the report, best first; what is wide scrolls."""
    quality, *costs = model.columns
    columns = [*quality, *model.told, *(column for group in costs for column in group)]
    names = [*(f"{row.summary.strategy} {row.marks}".strip() for row in model.rows)]
    names += [line.strategy for line in model.absent]
    styles = [*(_STYLES[row.role] for row in model.rows), *("opacity: .6" for _ in model.absent)]
    cells = zip(names, *(column.cells for column in columns), strict=True)
    table = table_view(["strategy", *(column.title for column in columns)], cells, styles)
    reasons = "".join(f"<li>{html_text(reason)}</li>" for reason in model.advice.reasons)
    return f"<p><b>{html_text(str(model.advice.sentence))}</b></p><ul>{reasons}</ul>{table}"


def table_view(heads: Sequence[str], rows: Iterable[Sequence[str]], styles: Iterable[str] = ()) -> str:
    """A table of texts; the first cell of a row is its name.

    Args:
        heads: above the columns.
        rows: the cells.
        styles: of the rows, in CSS, as far as they have any.
    """
    given = iter(styles)
    head = "".join(f"<th style='text-align: left'>{html_text(text)}</th>" for text in heads)
    lines = "".join(f"<tr style='{next(given, '')}'>{_cells(row)}</tr>" for row in rows)
    return f"<div style='{SCROLLS}'><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def _cells(row: Sequence[str]) -> str:
    return "".join(f"<td style='text-align: left; white-space: nowrap'>{html_text(cell)}</td>" for cell in row)
