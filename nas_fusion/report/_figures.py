"""The report's figures, drawn with plotly from the numbers of `_curves`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from nas_fusion.report._colours import INK, MUTED, REFERENCE, series_style
from nas_fusion.report._curves import Cost, Endpoint, History, SearchCurve, SeedDots
from nas_fusion.report._format import count

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
GRID = "#e4e7eb"
HEAT_ROW = 17
_OPEN_CLOSED = [(0.0, "#b2182b"), (0.5, "#fde0d2"), (0.5001, "#d6e8f4"), (1.0, "#2166ac")]
"""A visible step at 0, where a gate opens."""
_COST_TITLES = {"seconds": "seconds", "samples": "samples seen"}


def _figure(height: int, **layout: Any) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 10, "r": 16, "t": 34, "b": 10},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#b8c0c8", "activecolor": MUTED},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"font": {"family": FONT}},
        **layout,
    )
    figure.update_xaxes(automargin=True, gridcolor=GRID, zeroline=False, linecolor=MUTED)
    figure.update_yaxes(automargin=True, gridcolor=GRID, zeroline=False, linecolor=MUTED)
    return figure


def styles(strategies: Sequence[str], references: set[str]) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and dash of every strategy, the same in all figures; references are grey."""
    searched = [s for s in strategies if s not in references]
    found = {s: series_style(i) for i, s in enumerate(searched)}
    for i, strategy in enumerate(s for s in strategies if s in references):
        _, symbol, dash = series_style(i)
        found[strategy] = (REFERENCE, symbol, dash)
    return found


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


def auc_figure(
    dots: Sequence[SeedDots], style: Mapping[str, tuple[str, str, str]], attainable: float | None
) -> go.Figure:
    """Every seed's test AUC as a dot, mean and standard deviation as a diamond with a bar; best validation on top."""
    import plotly.graph_objects as go

    figure = _figure(90 + 34 * len(dots), showlegend=False)
    for dot in dots:
        colour = style[dot.strategy][0]
        name = escape(dot.strategy)
        figure.add_trace(
            go.Scatter(
                x=dot.values,
                y=[name] * len(dot.values),
                mode="markers",
                marker={"color": colour, "size": 9, "opacity": 0.45},
                text=[f"seed {s}" for s in dot.seeds],
                hovertemplate="%{y}, %{text}: %{x:.4f}<extra></extra>",
            )
        )
        bar = {"array": [dot.sd], "thickness": 2, "width": 6} if dot.sd is not None else None
        figure.add_trace(
            go.Scatter(
                x=[dot.mean],
                y=[name],
                mode="markers",
                error_x=bar,
                marker={"color": colour, "size": 11, "symbol": "diamond", "line": {"color": "white", "width": 1}},
                hovertemplate=f"%{{y}}: mean %{{x:.4f}}, {len(dot.values)} seeds<extra></extra>",
            )
        )
    figure.update_yaxes(autorange="reversed", type="category", ticklabelstandoff=6)
    figure.update_xaxes(title="test AUC", tickformat=".4~f", nticks=7)
    if attainable is not None:
        figure.add_vline(x=attainable, line={"color": MUTED, "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=attainable, y=1, yref="paper", yanchor="bottom", xanchor="right", text="attainable", showarrow=False
        )
    _add_zoom(figure, close_range(dots))
    return figure


def _add_zoom(figure: go.Figure, close: tuple[float, float] | None) -> None:
    """Two buttons under the axis, where one strategy far below the others would hide their differences."""
    if close is None:
        return
    buttons = [
        {"label": "all", "method": "relayout", "args": [{"xaxis.autorange": True}]},
        {"label": "upper half", "method": "relayout", "args": [{"xaxis.range": list(close)}]},
    ]
    menu = {"type": "buttons", "direction": "right", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    figure.update_layout(updatemenus=[{**menu, "buttons": buttons, "pad": {"b": 22}}], margin={"t": 84})


def curves_range(curves: Sequence[SearchCurve]) -> tuple[float, float] | None:
    """The part of the AUC axis where the searches end: first steps, and ends far below the others, are left out."""
    ends = [c.mean.y[-1] for c in curves if c.mean.y]
    ends += [e.valid_auc for c in curves for e in c.ends.values() if math.isfinite(e.valid_auc)]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if high - low > 3 * (high - statistics.median(ends)):
        low = statistics.median(ends)
    spread = max(high - low, 1e-3)
    return low - spread, high + 0.1 * spread


def search_figure(curves: Sequence[SearchCurve], style: Mapping[str, tuple[str, str, str]], by: Cost) -> go.Figure:
    """Best validation AUC so far against cost: a thin line per seed, a thick one for the mean.

    The large markers stand at the cost of search and re-training together and show the re-trained AUC.
    """
    import plotly.graph_objects as go

    figure = _figure(
        500, legend={"orientation": "h", "y": -0.26, "yanchor": "top", "x": 0, "xanchor": "left", "font": {"size": 12}}
    )
    for curve in curves:
        colour, _, dash = style[curve.strategies[0]]
        line = {"color": colour, "shape": "hv", "dash": dash}
        group = curve.strategies[0]
        for steps in curve.seeds if len(curve.seeds) > 1 else ():
            thin = go.Scatter(x=steps.x, y=steps.y, mode="lines", line={**line, "width": 1}, opacity=0.28)
            figure.add_trace(thin.update(legendgroup=group, showlegend=False, hoverinfo="skip"))
        if curve.mean.x:
            mean = go.Scatter(x=curve.mean.x, y=curve.mean.y, mode="lines", line={**line, "width": 2.6})
            figure.add_trace(mean.update(name=escape(group), legendgroup=group, hovertemplate="%{y:.4f}"))
        for strategy, end in curve.ends.items():
            marker = _end_marker(strategy, end, style[strategy])
            own = strategy == group and bool(curve.mean.x)
            figure.add_trace(marker.update(legendgroup=group if own else strategy, showlegend=not own))
    figure.update_xaxes(title=_COST_TITLES[by], rangemode="tozero", nticks=7)
    figure.update_yaxes(title="best validation AUC", tickformat=".4~f", range=curves_range(curves), nticks=7)
    return figure


def _end_marker(strategy: str, end: Endpoint, style: tuple[str, str, str]) -> go.Scatter:
    import plotly.graph_objects as go

    colour, symbol, _ = style
    name = escape(strategy)
    return go.Scatter(
        x=[end.cost],
        y=[end.valid_auc],
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": 11, "line": {"color": "white", "width": 1}},
        hovertemplate=f"{name}, re-trained: %{{y:.4f}} after {count(end.cost)}<extra></extra>",
    )


def gates_figure(history: History) -> go.Figure:
    """α of every connection over the epochs: blue is open (α > 0), red is closed."""
    sizes = [abs(v) for row in history.values for v in row if math.isfinite(v)]
    # A few gates run far ahead of the others; twice the median keeps the others' colours apart.
    top = 2 * statistics.median(sizes) if sizes else 0.0
    return _heatmap(history, _OPEN_CLOSED, -(top or 1.0), top or 1.0, "α")


def operations_figure(history: History) -> go.Figure:
    """The weight of every operation of every block over the epochs: the darker, the heavier."""
    return _heatmap(history, "Blues", 0.0, 1.0, "weight")


def _heatmap(history: History, scale: str | list[tuple[float, str]], low: float, high: float, name: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = _figure(90 + HEAT_ROW * len(history.labels))
    figure.add_trace(
        go.Heatmap(
            z=history.values,
            x=list(range(1, len(history.values[0]) + 1)) if history.values else [],
            y=[escape(label) for label in history.labels],
            colorscale=scale,
            zmin=low,
            zmax=high,
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": name}, "thickness": 12, "len": 0.6},
            hovertemplate=f"%{{y}}<br>epoch %{{x}}: {name} %{{z:.3f}}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", type="category", dtick=1, tickfont={"size": 11})
    figure.update_xaxes(title="epoch", dtick=max(1, len(history.values[0]) // 10 if history.values else 1))
    return figure
