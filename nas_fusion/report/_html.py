"""``report.html``: the whole comparison on one page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.errors import OptionError
from nas_fusion.files import write_text
from nas_fusion.report import _sections
from nas_fusion.report._columns import layout
from nas_fusion.report._comparison_figures import comparison_figures, strategy_styles
from nas_fusion.report._cost_figures import ranks_figure
from nas_fusion.report._html_designs import designs
from nas_fusion.report._html_figures import figures_section, ranks_caption
from nas_fusion.report._html_tables import simple_rows, table
from nas_fusion.report._overall import Overall, overall, overall_cells, overall_heads, overall_sentence
from nas_fusion.report._script import JS
from nas_fusion.report._standing import Result
from nas_fusion.report._style import CSS
from nas_fusion.report._verdict import verdict

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from nas_fusion.records import CellRecord, ComparisonInfo


def write_report(records: Sequence[CellRecord], info: ComparisonInfo, path: str | Path) -> None:
    """Write the report as one self-contained HTML file, atomically.

    It may be written at any time: strategies and seeds that are not finished are left out, and the page says so.

    Args:
        records: the finished cells; the order of strategies gives the colours.
        info: what was compared.
        path: the file; its folder must exist.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
        StudyError: the file cannot be written.
    """
    write_text(path, report_html(records, info))


def write_suite_report(results: Sequence[Result], path: str | Path) -> None:
    """Write one page for comparisons on several data sets: what holds over all, then a part for each.

    Args:
        results: per data set the finished cells, and what was compared; with one, the page is that of `write_report`.
        path: the file; its folder must exist.

    Raises:
        UnknownNameError: a `reference` is none of its strategies.
        OptionError: no data set, or a strategy has two records of one seed on one.
        StudyError: the file cannot be written.
    """
    write_text(path, suite_html(results))


def report_html(records: Sequence[CellRecord], info: ComparisonInfo) -> str:
    """The page that `write_report` writes."""
    return _page(info.data_name, _comparison(records, info, ""))


def suite_html(results: Sequence[Result]) -> str:
    """The page that `write_suite_report` writes."""
    if not results:
        raise OptionError("results", "at least one data set", "none")
    if len(results) == 1:
        return report_html(*results[0])
    found = overall(results)
    parts = [
        f'<article id="data-{i}">{_comparison(records, info, f"data-{i}-")}</article>'
        for i, (records, info) in enumerate(results)
    ]
    return _page(", ".join(found.data), _suite_head(found) + "".join(parts))


def _page(title: str, body: str) -> str:
    from plotly.offline import get_plotlyjs

    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>nas-fusion: {escape(title)}</title>\n<style>{CSS}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{body}\n<script>{JS}</script>\n</body>\n</html>\n"
    )


def _comparison(records: Sequence[CellRecord], info: ComparisonInfo, prefix: str) -> str:
    """Everything about one data set; `prefix` keeps the ids of several apart."""
    found = layout(records, info)
    summaries = [row.summary for row in found.rows]
    style = strategy_styles(records)

    def place(figure: go.Figure, name: str) -> str:
        return _embed(figure, f"{prefix}{name}")

    parts = [_sections.heading(info, verdict(summaries, info.fixed_reference)), _sections.question(summaries, info)]
    if summaries:
        parts += [
            _sections.results(found, info, style),
            figures_section(
                records, summaries, comparison_figures(records, info), style, place, lambda name: f"{prefix}{name}"
            ),
            designs(summaries, place),
        ]
    return "".join([*parts, _sections.settings(info)])


def _suite_head(found: Overall) -> str:
    links = "".join(f'<li><a href="#data-{i}">{escape(name)}</a></li>' for i, name in enumerate(found.data))
    rows = simple_rows([(row.strategy, *overall_cells(found, row)) for row in found.rows])
    words = simple_rows([(row.strategy, row.words) for row in found.rows if row.call != "reference"])
    ranks = ""
    if found.diagram is not None:
        card = _embed(ranks_figure(found.diagram), "overall-ranks")
        ranks = (
            f'<figure><figcaption>{ranks_caption(found.diagram)}</figcaption><div class="card">{card}</div></figure>'
        )
    return (
        f"<header><h1>Which fusion search to trust, on {len(found.data)} data sets</h1>"
        f'<p class="lead">{_sections.LEAD}</p>'
        f'<div class="verdict"><p>{escape(overall_sentence(found))}</p></div>'
        f'<nav><ul class="contents">{links}</ul></nav></header>'
        "<section><h2>Over all data sets</h2><p class=note>Mean test AUC ± standard deviation over the seeds, of the "
        "strategies that every data set has; the best average rank first.</p>"
        f"{table(['strategy', *overall_heads(found)], rows)}{ranks}"
        "<details><summary><b>The verdicts over all data sets, in full</b></summary>"
        f"{table(['strategy', 'verdict'], words).replace('results', 'results sentences')}</details></section>"
    )


def _embed(figure: go.Figure, div_id: str) -> str:
    """The figure's place and, behind it, its data; the page's script draws it."""
    # JSON has "<" in texts only, and escaped it cannot close the script element.
    content = figure.to_json().replace("<", "\\u003c")
    return (
        f'<div id="{div_id}" class="plot" style="height:{figure.layout.height}px"></div>'
        f'<script type="application/json" data-plot="{div_id}">{content}</script>'
    )
