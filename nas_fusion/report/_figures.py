"""The figures of quality: every seed's test AUC, and the AUC that was reached at what cost; drawn with plotly."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from nas_fusion.report._axes import losses, set_auc_axis, upper_part
from nas_fusion.report._colours import MUTED, SeriesStyle
from nas_fusion.report._curves import Cost, Endpoint, SearchCurve, SeedDots
from nas_fusion.report._format import count
from nas_fusion.report._model import NOT_LEARNED
from nas_fusion.report._plot import ROW, marker, new_figure, rows_axis
from nas_fusion.report._text import figure_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

Measure = Literal["valid", "test"]

COST_TITLES = {"seconds": "seconds", "samples": "samples (rows)"}
_MEASURES = {"valid": "best validation AUC so far", "test": "test AUC of the best so far"}
_HOVER = "%{customdata:.4f}"


def close_range(dots: Sequence[SeedDots]) -> tuple[float, float] | None:
    """The axis range that shows the upper half of the strategies, where it is far narrower than all; else None."""
    values = [v for d in dots for v in d.values if math.isfinite(v)]
    means = sorted((d.mean for d in dots if math.isfinite(d.mean)), reverse=True)
    if len(means) < 3:
        return None
    cut = means[(len(means) - 1) // 2]
    upper = [v for d in dots if d.mean >= cut for v in d.values]
    margin = 0.1 * (max(upper) - min(upper)) + 1e-4
    low, high = min(upper) - margin, max(upper) + margin
    return (low, high) if max(values) - min(values) > 3 * (high - low) else None


def auc_figure(dots: Sequence[SeedDots], style: Mapping[str, SeriesStyle], attainable: float | None) -> go.Figure:
    """Every seed's test AUC as a dot, mean and standard deviation as a diamond with a bar; best validation on top."""
    import plotly.graph_objects as go

    figure = new_figure(110 + ROW * len(dots))
    for dot in dots:
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
    odd = " (a cross: did not learn)" if any(d.not_learned for d in dots) else ""
    figure.update_xaxes(title_text=f"test AUC{odd}", tickformat=".4~f", nticks=7)
    if attainable is not None:
        figure.add_vline(x=attainable, line={"color": MUTED, "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=attainable, y=1, yref="paper", yanchor="bottom", xanchor="right", text="attainable", showarrow=False
        )
    _add_zoom(figure, close_range(dots))
    return figure


def _symbols(dot: SeedDots) -> list[str]:
    return ["x" if seed in dot.not_learned else "circle" for seed in dot.seeds]


def _add_zoom(figure: go.Figure, close: tuple[float, float] | None) -> None:
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


def curves_range(curves: Sequence[SearchCurve], measure: Measure = "valid") -> tuple[float, float] | None:
    """The part of the AUC axis from where half of the searches begin to the best end; ends far below are left out."""
    lines = [line for c in curves if (line := c.mean if measure == "valid" else c.test).y]
    ends = [line.y[-1] for line in lines]
    ends += [v for c in curves for e in c.ends.values() if math.isfinite(v := _reached(e, measure))]
    if not ends:
        return None
    low, high = upper_part(ends)
    spread = max(high - low, 1e-3)
    begin = statistics.median_low([line.y[0] for line in lines]) if lines else high
    return min(low - spread, begin), high


def _reached(end: Endpoint, measure: Measure) -> float:
    return end.valid_auc if measure == "valid" else end.test_auc


def search_figure(
    curves: Sequence[SearchCurve], style: Mapping[str, SeriesStyle], by: Cost, measure: Measure = "valid"
) -> go.Figure:
    """The AUC so far against cost: on validation a thin line per seed and a thick one for the mean, on test the mean.

    The markers stand at the cost of search and re-training together and show the AUC of the re-trained model. The
    traces hold 1 − AUC: the axis is logarithmic in it.
    """
    import plotly.graph_objects as go

    legend = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "xanchor": "left", "font": {"size": 12}}
    figure = new_figure(440, showlegend=True, legend=legend)
    for curve in curves:
        group = curve.strategies[0]
        line = {"color": style[group].colour, "shape": "hv", "dash": style[group].dash}
        for steps in curve.seeds if measure == "valid" and len(curve.seeds) > 1 else ():
            thin = go.Scatter(x=steps.x, y=losses(steps.y), mode="lines", line={**line, "width": 1}, opacity=0.28)
            figure.add_trace(thin.update(legendgroup=figure_text(group), showlegend=False, hoverinfo="skip"))
        mean = curve.mean if measure == "valid" else curve.test
        if mean.x:
            thick = go.Scatter(x=mean.x, y=losses(mean.y), mode="lines", line={**line, "width": 2.6})
            thick.update(customdata=mean.y, hovertemplate=_HOVER)
            figure.add_trace(thick.update(name=figure_text(group), legendgroup=figure_text(group), showlegend=False))
        for strategy, end in curve.ends.items():
            figure.add_trace(_end_marker(strategy, end, style[strategy], measure))
    figure.update_xaxes(title_text=COST_TITLES[by], rangemode="tozero", nticks=6)
    set_auc_axis(figure, _MEASURES[measure], curves_range(curves, measure))
    return figure


def _end_marker(strategy: str, end: Endpoint, style: SeriesStyle, measure: Measure) -> go.Scatter:
    import plotly.graph_objects as go

    name = figure_text(strategy)
    return go.Scatter(
        x=[end.cost],
        y=losses([_reached(end, measure)]),
        customdata=[_reached(end, measure)],
        mode="markers",
        name=name,
        legendgroup=name,
        marker=marker(style),
        hovertemplate=f"{name}, re-trained: %{{customdata:.4f}} after {count(end.cost)}<extra></extra>",
    )
