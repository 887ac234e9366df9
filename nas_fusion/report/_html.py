"""``report.html``: the whole comparison on one page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.files import write_text
from nas_fusion.report import _sections
from nas_fusion.report._comparison_figures import COSTS, comparison_figures
from nas_fusion.report._curves import gate_history, operation_history
from nas_fusion.report._figures import gates_figure, operations_figure
from nas_fusion.report._style import CSS
from nas_fusion.report._summary import StrategySummary, summarise
from nas_fusion.report._verdict import verdict

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from nas_fusion.records import CellRecord, ComparisonInfo

_CURVE_CAPTION = (
    "<b>Best validation AUC while searching.</b> Thin: one seed; thick: their mean. A large marker stands where search "
    "and re-training together end and shows the re-trained AUC. A supernet's AUC and a candidate's are different "
    "things: compare the markers. The view begins near the better ends; double-click for all of it, click a name to "
    "hide it."
)

_DRAW = """<script>
for (const source of document.querySelectorAll("script[data-plot]")) {
  const figure = JSON.parse(source.textContent);
  Plotly.newPlot(source.dataset.plot, figure.data, figure.layout, {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]
  });
}
</script>"""


def write_report(records: Sequence[CellRecord], info: ComparisonInfo, path: str | Path) -> None:
    """Write the report as one self-contained HTML file, atomically.

    It may be written at any time: strategies and seeds that are not finished are left out, and the page says so.

    Args:
        records: the finished cells; the order of strategies gives the colours.
        info: what was compared.
        path: the file; its folder must exist.

    Raises:
        OptionError: a strategy has two records of one seed.
        StudyError: the file cannot be written.
    """
    write_text(path, report_html(records, info))


def report_html(records: Sequence[CellRecord], info: ComparisonInfo) -> str:
    """The page that `write_report` writes."""
    from plotly.offline import get_plotlyjs

    summaries = summarise(records)
    found = verdict(summaries)
    body = [
        _sections.heading(info, found),
        _sections.question(summaries, info),
        *([_sections.results(summaries, info, found), _figures(records, info)] if summaries else []),
        *([_sections.designs(summaries), _histories(summaries)] if summaries else []),
        _sections.settings(info),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>nas-fusion: {escape(info.data)}</title>\n<style>{CSS}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{''.join(body)}\n{_DRAW}\n</body>\n</html>\n"
    )


def _figures(records: Sequence[CellRecord], info: ComparisonInfo) -> str:
    figures = comparison_figures(records, info)
    caption = "<b>Test AUC.</b> Dots: single seeds; diamond and bar: mean ± standard deviation. Best validation on top."
    dots = _embed(figures["test-auc"], "test-auc")
    names = [f"search-{by}" for by in COSTS]
    curves = "".join(f'<div class="card">{_embed(figures[name], name)}</div>' for name in names)
    return (
        "<section><h2>In pictures</h2><noscript><p>The figures need JavaScript; it is in this file.</p></noscript>"
        f'<figure><figcaption>{caption}</figcaption><div class="card">{dots}</div></figure>'
        f'<figure><figcaption>{_CURVE_CAPTION}</figcaption><div class="pair">{curves}</div></figure></section>'
    )


def _histories(summaries: Sequence[StrategySummary]) -> str:
    """Gates and operation weights over the epochs, for every search that recorded them."""
    names = {s.strategy for s in summaries}
    parts = []
    for number, summary in enumerate(summaries):
        details = summary.best.details
        gates, operations = gate_history(details), operation_history(details)
        if summary.shares_search_with in names or not (gates or operations):
            continue
        cards = [_embed(gates_figure(gates), f"gates-{number}")] if gates else []
        cards += [_embed(operations_figure(operations), f"operations-{number}")] if operations else []
        drawn = "".join(f'<div class="card">{c}</div>' for c in cards)
        parts.append(
            f"<figure><figcaption><b>{escape(summary.strategy)}</b>, seed {summary.best.seed}</figcaption>"
            f'<div class="pair">{drawn}</div></figure>'
        )
    if not parts:
        return ""
    return (
        "<section><h2>How the search moved</h2><p class=note>Connections: blue is open (α &gt; 0), red is closed. "
        f"Operations: the darker, the heavier in the block's mixture.</p>{''.join(parts)}</section>"
    )


def _embed(figure: go.Figure, div_id: str) -> str:
    """The figure's place and, behind it, its data; `_DRAW` draws all of them once the page stands."""
    # JSON has "<" in texts only, and escaped it cannot close the script element.
    content = figure.to_json().replace("<", "\\u003c")
    return (
        f'<div id="{div_id}" class="plot" style="height:{figure.layout.height}px"></div>'
        f'<script type="application/json" data-plot="{div_id}">{content}</script>'
    )
