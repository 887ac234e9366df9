"""Figures of cost, of the discretisation gap, of importance and of ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._axes import set_cost_axis, upper_part
from nas_fusion.report._colours import INK, MUTED, SeriesStyle
from nas_fusion.report._importance import Bar
from nas_fusion.report._pareto import CostPoint, ModelCost
from nas_fusion.report._plot import ROW, marker, new_figure, rows_axis
from nas_fusion.report._ranks import RankDiagram
from nas_fusion.report._stages import Stages
from nas_fusion.report._text import figure_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

COST_TITLES: Mapping[ModelCost, str] = {
    "parameters": "parameters",
    "multiply_adds": "multiply-adds per row",
    "latency_ms_1": "milliseconds per batch of 1",
    "latency_ms_4096": "milliseconds per batch of 4096",
}
_STAGES = {
    "search": ("while searching", "#0072b2", "circle-open"),
    "derived": ("derived, with the supernet's weights", "#d55e00", "diamond"),
    "retrained": ("re-trained", "#009e73", "square"),
}
_LOST, _GAINED = "#0072b2", "#d55e00"


def pareto_figure(points: Sequence[CostPoint], style: Mapping[str, SeriesStyle], cost: ModelCost) -> go.Figure:
    """Mean test AUC against a cost of the model; the front as a line, its strategies with a dark edge.

    The view leaves out strategies far below the others; zooming out shows them.
    """
    import plotly.graph_objects as go

    figure = new_figure(340)
    ahead = sorted((p for p in points if p.on_front), key=lambda p: (p.cost, p.test_auc))
    figure.add_trace(
        go.Scatter(
            x=[p.cost for p in ahead],
            y=[p.test_auc for p in ahead],
            mode="lines",
            line={"color": INK, "width": 1.5, "dash": "dot", "shape": "hv"},
            hoverinfo="skip",
        )
    )
    for point in points:
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
    set_cost_axis(figure, COST_TITLES[cost], [p.cost for p in points])
    low, high = upper_part([p.test_auc for p in points])
    margin = max(0.1 * (high - low), 1e-3)
    figure.update_yaxes(title_text="test AUC", tickformat=".4~f", nticks=7, range=[low - margin, high + margin])
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
        values = [v for v in (stage.search, stage.derived, stage.retrained) if v is not None]
        line = go.Scatter(
            x=[min(values), max(values)], y=[name, name], mode="lines", line={"color": MUTED, "width": 1.5}
        )
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


def importance_figure(found: Sequence[Bar]) -> go.Figure:
    """The validation AUC lost when a connection is closed, the largest loss on top."""
    import plotly.graph_objects as go

    figure = new_figure(100 + 20 * len(found))
    figure.add_trace(
        go.Bar(
            x=[b.lost for b in found],
            y=[figure_text(b.label) for b in found],
            orientation="h",
            marker={
                "color": [_LOST if b.lost >= 0 else _GAINED for b in found],
                "pattern": {"shape": ["" if b.lost >= 0 else "/" for b in found]},
            },
            hovertemplate="%{y}: %{x:.5f}<extra></extra>",
        )
    )
    rows_axis(figure, "connection")
    figure.update_yaxes(tickfont={"size": 12})
    figure.update_xaxes(title_text="validation AUC lost when closed", nticks=5, zeroline=True, zerolinecolor=MUTED)
    return figure


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
