"""Figures of strategies: test AUC, ranks, anytime curves, quality against cost, and the discretisation gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report.escapes import figure_text
from nas_fusion.report.figures.axes import ROW, losses, new_figure, rows_axis, set_auc_axis, set_cost_axis
from nas_fusion.report.figures.series_styles import INK, MUTED, SeriesStyle, marker
from nas_fusion.report.number_words import count
from nas_fusion.report.numbers.costs.pareto import QualityAgainstCost
from nas_fusion.report.numbers.curves import CurveSet, Endpoint, Measure, SeedAucs, SeedDots, View
from nas_fusion.report.numbers.decision import NOT_LEARNED
from nas_fusion.report.numbers.rank_diagram import RankDiagram
from nas_fusion.report.numbers.search_gap import Stages

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SEARCH_COSTS = {"seconds": "seconds", "samples": "samples (rows)"}
_MEASURES = {"valid": "best validation AUC so far", "test": "test AUC of the best so far"}
_HOVER = "%{customdata:.4f}"
_STAGES = {
    "search": ("while searching", "#0072b2", "circle-open"),
    "derived": ("derived, with the supernet's weights", "#d55e00", "diamond"),
    "retrained": ("re-trained", "#009e73", "square"),
}


def auc_figure(found: SeedAucs, style: Mapping[str, SeriesStyle]) -> go.Figure:
    """Every seed's test AUC as a dot, mean and standard deviation as a diamond with a bar; best validation on top."""
    import plotly.graph_objects as go

    figure = new_figure(110 + ROW * len(found.dots))
    for dot in found.dots:
        colour = style[dot.strategy].colour
        name = figure_text(f"{dot.strategy} {NOT_LEARNED * bool(dot.not_learned)}".strip())
        figure.add_trace(
            go.Scatter(
                x=dot.values,
                y=[name] * len(dot.values),
                mode="markers",
                # A cross is a model that did not learn.
                marker={"color": colour, "size": 8, "opacity": 0.45, "symbol": _symbols(dot)},
                text=[f"seed {s}{', did not learn' if s in dot.not_learned else ''}" for s in dot.seeds],
                hovertemplate="%{y}, %{text}: %{x:.4f}<extra></extra>",
            )
        )
        bar = {"array": [dot.sd], "thickness": 2, "width": 5} if dot.sd is not None else None
        figure.add_trace(
            go.Scatter(
                x=[dot.mean],
                y=[name],
                mode="markers",
                error_x=bar,
                marker={"color": colour, "size": 10, "symbol": "diamond", "line": {"color": "white", "width": 1}},
                hovertemplate=f"%{{y}}: mean %{{x:.4f}}, {len(dot.values)} seeds<extra></extra>",
            )
        )
    rows_axis(figure, "strategy")
    odd = " (a cross: did not learn)" if any(d.not_learned for d in found.dots) else ""
    figure.update_xaxes(title_text=f"test AUC{odd}", tickformat=".4~f", nticks=7)
    if found.attainable is not None:
        figure.add_vline(x=found.attainable, line={"color": MUTED, "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=found.attainable, y=1, yref="paper", yanchor="bottom", xanchor="right", text="attainable", showarrow=False
        )
    _add_zoom(figure, found.close_view)
    return figure


def _symbols(dot: SeedDots) -> list[str]:
    return ["x" if seed in dot.not_learned else "circle" for seed in dot.seeds]


def _add_zoom(figure: go.Figure, close: View | None) -> None:
    """Two buttons over the axis, where one strategy far below the others would hide their differences."""
    if close is None:
        return
    buttons = [
        {"label": "upper half", "method": "relayout", "args": [{"xaxis.range": list(close)}]},
        {"label": "all", "method": "relayout", "args": [{"xaxis.autorange": True}]},
    ]
    menu = {"type": "buttons", "direction": "right", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    figure.update_layout(updatemenus=[{**menu, "buttons": buttons, "pad": {"b": 22}}], margin={"t": 84})
    figure.update_xaxes(range=list(close))


def ranks_figure(diagram: RankDiagram) -> go.Figure:
    """Average ranks, best on top; a bar at the right joins strategies that cannot be told apart.

    Demšar's diagram turned on its side: with many strategies the names need a line each. The bar above the first row
    is as long as the critical difference.
    """
    import plotly.graph_objects as go

    names = [figure_text(s) for s in diagram.strategies]
    figure = new_figure(130 + ROW * len(names), margin={"l": 10, "r": 16, "t": 56, "b": 10})
    dots = go.Scatter(x=diagram.ranks, y=names, mode="markers", marker={"color": INK, "size": 9})
    figure.add_trace(dots.update(hovertemplate="%{y}: rank %{x:.2f}<extra></extra>"))
    for lane, (first, last) in enumerate(diagram.groups):
        bar = go.Scatter(x=[lane, lane], y=[names[first], names[last]], mode="lines+markers", xaxis="x2")
        bar.update(line={"color": INK, "width": 4}, marker={"size": 6, "symbol": "square"})
        group = f"{names[first]} … {names[last]}: not told apart<extra></extra>"
        figure.add_trace(bar.update(hovertemplate=group))
    _add_critical_difference(figure, diagram.cd)
    rows_axis(figure, "strategy")
    lanes = max(len(diagram.groups), 1)
    share = min(0.3, 0.05 + 0.03 * lanes)
    figure.update_layout(
        xaxis={
            "title": {"text": "average rank"},
            "domain": [0, 1 - share],
            "range": [0.6, max(len(names), 1 + diagram.cd) + 0.4],
            "nticks": 8,
        },
        xaxis2={
            "title": {"text": "not told<br>apart", "standoff": 10},
            "domain": [1 - share, 1],
            "range": [-0.8, lanes - 0.2],
            "anchor": "y",
            "showgrid": False,
            "showticklabels": False,
            "zeroline": False,
            "automargin": True,
        },
    )
    return figure


def _add_critical_difference(figure: go.Figure, cd: float) -> None:
    """A bar of this length, from rank 1 on, above the first row."""
    line = {"color": "#d55e00", "width": 4}
    figure.add_shape(type="line", x0=1, x1=1 + cd, y0=1.012, y1=1.012, yref="paper", line=line)
    figure.add_annotation(
        x=1,
        y=1.02,
        yref="paper",
        yanchor="bottom",
        xanchor="left",
        showarrow=False,
        font={"color": "#a34700"},
        text=f"critical difference {cd:.2f}",
    )


def search_figure(found: CurveSet, style: Mapping[str, SeriesStyle], measure: Measure) -> go.Figure:
    """The AUC so far against cost: on validation a thin line per seed and a thick one for the mean, on test the mean.

    The markers stand at the cost of search and re-training together and show the AUC of the re-trained model. The
    traces hold 1 − AUC: the axis is logarithmic in it.
    """
    import plotly.graph_objects as go

    legend = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "xanchor": "left", "font": {"size": 12}}
    figure = new_figure(440, showlegend=True, legend=legend)
    for curve in found.curves:
        group = curve.strategies[0]
        line = {"color": style[group].colour, "shape": "hv", "dash": style[group].dash}
        for steps in curve.seeds if measure == "valid" and len(curve.seeds) > 1 else ():
            thin = go.Scatter(x=steps.x, y=losses(steps.y), mode="lines", line={**line, "width": 1}, opacity=0.28)
            figure.add_trace(thin.update(legendgroup=figure_text(group), showlegend=False, hoverinfo="skip"))
        mean = curve.line(measure)
        if mean.x:
            thick = go.Scatter(x=mean.x, y=losses(mean.y), mode="lines", line={**line, "width": 2.6})
            thick.update(customdata=mean.y, hovertemplate=_HOVER)
            figure.add_trace(thick.update(name=figure_text(group), legendgroup=figure_text(group), showlegend=False))
        for strategy, end in curve.ends.items():
            figure.add_trace(_end_marker(strategy, end, style[strategy], measure))
    figure.update_xaxes(title_text=_SEARCH_COSTS[found.by], rangemode="tozero", nticks=6)
    set_auc_axis(figure, _MEASURES[measure], found.view(measure))
    return figure


def _end_marker(strategy: str, end: Endpoint, style: SeriesStyle, measure: Measure) -> go.Scatter:
    import plotly.graph_objects as go

    name = figure_text(strategy)
    return go.Scatter(
        x=[end.cost],
        y=losses([end.reached(measure)]),
        customdata=[end.reached(measure)],
        mode="markers",
        name=name,
        legendgroup=name,
        marker=marker(style),
        hovertemplate=f"{name}, re-trained: %{{customdata:.4f}} after {count(end.cost)}<extra></extra>",
    )


def pareto_figure(quality: QualityAgainstCost, style: Mapping[str, SeriesStyle]) -> go.Figure:
    """Mean test AUC against a cost of the model; the front as a line, its strategies with a dark edge.

    The view leaves out strategies far below the others; zooming out shows them.
    """
    import plotly.graph_objects as go

    figure = new_figure(340)
    figure.add_trace(
        go.Scatter(
            x=[p.cost for p in quality.front],
            y=[p.test_auc for p in quality.front],
            mode="lines",
            line={"color": INK, "width": 1.5, "dash": "dot", "shape": "hv"},
            hoverinfo="skip",
        )
    )
    for point in quality.points:
        name = figure_text(point.strategy)
        figure.add_trace(
            go.Scatter(
                x=[point.cost],
                y=[point.test_auc],
                mode="markers",
                name=name,
                legendgroup=name,
                marker=marker(style[point.strategy], 10, ringed=point.on_front),
                hovertemplate=f"{name}: %{{y:.4f}} at %{{x:.4~s}}<extra></extra>",
            )
        )
    set_cost_axis(figure, quality.title, [p.cost for p in quality.points])
    figure.update_yaxes(title_text="test AUC", tickformat=".4~f", nticks=7, range=list(quality.view))
    return figure


def stages_figure(found: Sequence[Stages]) -> go.Figure:
    """Validation AUC while searching, derived and re-trained, side by side: a row per strategy."""
    import plotly.graph_objects as go

    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left", "font": {"size": 12}}
    figure = new_figure(
        150 + ROW * len(found), showlegend=True, legend=legend, margin={"l": 10, "r": 16, "t": 60, "b": 10}
    )
    names = [figure_text(s.strategy) for s in found]
    for stage, name in zip(found, names, strict=True):
        low, high = min(stage.measured), max(stage.measured)
        line = go.Scatter(x=[low, high], y=[name, name], mode="lines", line={"color": MUTED, "width": 1.5})
        figure.add_trace(line.update(showlegend=False, hoverinfo="skip"))
    for attribute, (words, colour, symbol) in _STAGES.items():
        values = [getattr(s, attribute) for s in found]
        if all(v is None for v in values):
            continue
        points = go.Scatter(x=values, y=names, mode="markers", name=words)
        points.marker = {"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2 if "open" in symbol else 0}}
        figure.add_trace(points.update(hovertemplate=f"%{{y}}, {words}: %{{x:.4f}}<extra></extra>"))
    rows_axis(figure, "strategy")
    figure.update_xaxes(title_text="validation AUC", tickformat=".4~f", nticks=6)
    return figure
