"""``report.html``: the whole comparison on one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.errors import OptionError
from nas_fusion.report import _sections
from nas_fusion.report._comparison_figures import comparison_figures, strategy_styles
from nas_fusion.report._cost_figures import ranks_figure
from nas_fusion.report._html_designs import designs
from nas_fusion.report._html_figures import figures_section, ranks_caption
from nas_fusion.report._html_tables import simple_rows, table
from nas_fusion.report._model import ReportModel
from nas_fusion.report._overall import (
    Overall,
    overall,
    overall_cells,
    overall_heads,
    overall_notes,
    overall_sentence,
)
from nas_fusion.report._script import JS
from nas_fusion.report._style import CSS
from nas_fusion.report._text import html_text
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    import plotly.graph_objects as go


def write_report(model: ReportModel, path: str | Path) -> None:
    """Write the report as one self-contained HTML file, atomically.

    It may be written at any time: what is not finished is left out, and the page says so.

    Args:
        model: the report.
        path: the file; its folder must exist.

    Raises:
        StudyError: the file cannot be written.
    """
    write_text(path, report_html(model))


def write_suite_report(models: Sequence[ReportModel], path: str | Path) -> None:
    """Write one page for comparisons on several data sets: what holds over all, then a part for each.

    Args:
        models: the report on each data set; with one, the page is that of `write_report`.
        path: the file; its folder must exist.

    Raises:
        OptionError: no data set.
        StudyError: the file cannot be written.
    """
    write_text(path, suite_html(models))


def report_html(model: ReportModel) -> str:
    """The page that `write_report` writes."""
    return _page(model.info.data_name, _comparison(model, ""))


def suite_html(models: Sequence[ReportModel]) -> str:
    """The page that `write_suite_report` writes."""
    if not models:
        raise OptionError("models", "at least one data set", "none")
    if len(models) == 1:
        return report_html(models[0])
    found = overall(models)
    parts = [f'<article id="data-{i}">{_comparison(model, f"data-{i}-")}</article>' for i, model in enumerate(models)]
    return _page(", ".join(found.data), _suite_head(found) + "".join(parts))


def _page(title: str, body: str) -> str:
    from plotly.offline import get_plotlyjs

    plotly = get_plotlyjs()
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(plotly, JS)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>nas-fusion: {html_text(title)}</title>\n<style>{CSS}</style>\n"
        f"<script>{plotly}</script>\n</head>\n<body>\n{body}\n<script>{JS}</script>\n</body>\n</html>\n"
    )


def _policy(*scripts: str) -> str:
    """What the browser is to allow: these scripts and no others, and nothing from anywhere else.

    Every text is escaped already; this holds even if one were not.
    """
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )


def _comparison(model: ReportModel, prefix: str) -> str:
    """Everything about one data set; `prefix` keeps the ids of several apart."""

    def place(figure: go.Figure, name: str) -> str:
        return _embed(figure, f"{prefix}{name}")

    style = strategy_styles(model.records)
    parts = [_sections.heading(model), _sections.question(model)]
    if model.rows or model.absent:
        parts.append(_sections.results(model, style))
    if model.rows:
        figures = comparison_figures(model)
        parts += [
            figures_section(model, figures, style, place, lambda name: f"{prefix}{name}"),
            designs(model.rows, place),
        ]
    return "".join([*parts, _sections.settings(model.info)])


def _suite_head(found: Overall) -> str:
    links = "".join(f'<li><a href="#data-{i}">{html_text(name)}</a></li>' for i, name in enumerate(found.data))
    rows = simple_rows([(row.strategy, *overall_cells(found, row)) for row in found.rows])
    words = simple_rows([(row.strategy, row.words) for row in found.rows if row.call != "reference"])
    ranks = ""
    if found.diagram is not None:
        card = _embed(ranks_figure(found.diagram), "overall-ranks")
        ranks = (
            f'<figure><figcaption>{ranks_caption(found.diagram)}</figcaption><div class="card">{card}</div></figure>'
        )
    notes = "".join(f"<p class=note>{html_text(line)}</p>" for line in overall_notes(found))
    return (
        f"<header><h1>Which fusion search to trust, on {len(found.data)} data sets</h1>"
        f'<p class="lead">{_sections.LEAD}</p>'
        f'<div class="verdict"><p>{html_text(overall_sentence(found))}</p></div>'
        f'<nav><ul class="contents">{links}</ul></nav></header>'
        "<section><h2>Over all data sets</h2><p class=note>Mean test AUC ± standard deviation over the seeds, of the "
        "strategies that every data set has; the best average rank first.</p>"
        f"{table(['strategy', *overall_heads(found)], rows)}{notes}{ranks}"
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
