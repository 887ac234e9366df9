"""``report.html``: the whole comparison on one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from nas_fusion.report.escapes import clean, figure_text, html_text
from nas_fusion.report.figures.comparison_figures import (
    FURTHER_FIGURES,
    comparison_figures,
    figure_name,
    found_figures,
)
from nas_fusion.report.figures.design_drawing import draw_design
from nas_fusion.report.figures.series_styles import SeriesStyle, marker_svg, styles
from nas_fusion.report.figures.strategy_figures import ranks_figure
from nas_fusion.report.number_words import plain
from nas_fusion.report.numbers.found_designs import FoundDesign
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.suite_model import SuiteModel
from nas_fusion.statistics import SMALLEST_DIFFERENCE
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    import jinja2
    import plotly.graph_objects as go

TEMPLATES = Path(__file__).with_name("templates")
"""The page's parts; its style sheet and its script lie next to them and are written into the page."""

OPEN_AT_FIRST = 3
"""So many designs are open before anybody clicks."""


class Plot(NamedTuple):
    """A figure's place on the page: its id, its height in pixels, its data as JSON, and a sentence below it."""

    place: str
    height: int
    data: Markup
    below: str = ""


class Part(NamedTuple):
    """What the templates show of one data set: the report, its plots by name, and how the strategies look."""

    model: ReportModel
    plots: Mapping[str, Plot]
    style: Mapping[str, SeriesStyle]

    def named(self, *names: str) -> list[Plot]:
        """The plots of these names, as far as there are any."""
        return [self.plots[name] for name in names if name in self.plots]

    def further(self) -> list[tuple[str, Plot]]:
        """Every further figure: its caption, its plot."""
        figures = ((figure.caption, f"further-{figure.name}") for figure in FURTHER_FIGURES)
        return [(caption, self.plots[name]) for caption, name in figures if name in self.plots]

    def starting(self, start: str) -> list[Plot]:
        """The plots whose name starts so."""
        return [plot for name, plot in self.plots.items() if name.startswith(start)]


def write_report(model: ReportModel, path: str | Path, figures: Mapping[str, go.Figure] | None = None) -> None:
    """Write the report as one self-contained HTML file, atomically.

    It may be written at any time: what is not finished is left out, and the page says so.

    Args:
        model: the report.
        path: the file; its folder must exist.
        figures: its `comparison_figures`, where they are drawn already.

    Raises:
        StudyError: the file cannot be written.
    """
    write_text(path, report_html(model, figures))


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


def report_html(model: ReportModel, figures: Mapping[str, go.Figure] | None = None) -> str:
    """The page that `write_report` writes."""
    drawn = comparison_figures(model) if figures is None else figures
    return _page("comparison.html", model.info.data_name, part=_part(model, drawn))


def suite_html(models: Sequence[ReportModel]) -> str:
    """The page that `write_suite_report` writes."""
    suite = SuiteModel(tuple(models))
    if len(models) == 1:
        return report_html(models[0])
    parts = [_part(model, comparison_figures(model), f"data-{i}-") for i, model in enumerate(models)]
    ranks = None if suite.diagram is None else _plot("overall-ranks", ranks_figure(suite.diagram))
    return _page("suite.html", ", ".join(suite.data), suite=suite, parts=parts, ranks=ranks)


def _part(model: ReportModel, drawn: Mapping[str, go.Figure], prefix: str = "") -> Part:
    """The figures of a data set, those of its best designs added; `prefix` keeps the ids of several apart."""
    fronts = {figure_name(quality): quality.front_words for quality in model.quality_by_cost}
    figures = {**drawn, **found_figures(model)}
    plots = {name: _plot(f"{prefix}{name}", figure, fronts.get(name, "")) for name, figure in figures.items()}
    return Part(model, plots, styles(model.families))


def _plot(place: str, figure: go.Figure, below: str = "") -> Plot:
    # JSON has "<" in texts only, and escaped it cannot close the script element.
    return Plot(place, figure.layout.height, Markup(figure.to_json().replace("<", "\\u003c")), below)


def _page(template: str, title: str, **values: object) -> str:
    from plotly.offline import get_plotlyjs

    plotly, script, style = get_plotlyjs(), _beside("report.js"), _beside("report.css")
    return (
        _templates()
        .get_template(template)
        .render(
            title=title,
            policy=Markup(_policy(plotly, script)),
            plotly=Markup(plotly),
            script=Markup(script),
            style_sheet=Markup(style),
            **values,
        )
    )


def _beside(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


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


@cache
def _templates() -> jinja2.Environment:
    """The templates; whatever they write is `clean` and escaped unless it is markup of ours."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        figure_text=figure_text,
        lines=lambda text: Markup(html_text(text, lines=True)),
        plain=plain,
        unbroken=_unbroken,
    )
    environment.globals.update(
        drawing=_drawing,
        marker=lambda style: Markup(marker_svg(style)),
        open_at_first=OPEN_AT_FIRST,
        smallest_difference=f"{SMALLEST_DIFFERENCE:.4f}",
    )
    return environment


def _shown(value: object) -> str:
    """A value before it is escaped: markup of ours as it is, any other as `clean` text."""
    return value if isinstance(value, Markup) else clean(str(value))


def _unbroken(words: str) -> Markup:
    """A sentence in which a block's name and number stay on one line."""
    return Markup(re.sub(r"\b(cross|deep) (?=\d)", r"\1&nbsp;", html_text(words), flags=re.IGNORECASE))


def _drawing(design: FoundDesign, widest: float | None) -> Markup:
    assert design.fusion is not None, "the template asks"
    return Markup(draw_design(design.fusion, importance=design.importance, widest=widest))
