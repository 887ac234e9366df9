"""Figures of many numbers at once: gates and operations over the epochs, and what the seeds agree on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas_fusion.report._agreement import Shares
from nas_fusion.report._curves import History
from nas_fusion.report._plot import new_figure
from nas_fusion.report._text import figure_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEAT_ROW = 17
_OPEN_CLOSED = [(0.0, "#b2182b"), (0.5, "#fde0d2"), (0.5001, "#d6e8f4"), (1.0, "#2166ac")]
"""A visible step at 0, where a gate opens."""


def gates_figure(history: History) -> go.Figure:
    """α of every connection over the epochs: blue is open (α > 0), red is closed."""
    sizes = [abs(v) for row in history.values for v in row if math.isfinite(v)]
    # A few gates run far ahead of the others; twice the median keeps the others' colours apart.
    top = 2 * statistics.median(sizes) if sizes else 0.0
    return _over_epochs(history, _OPEN_CLOSED, (-(top or 1.0), top or 1.0), "α", "connection")


def operations_figure(history: History) -> go.Figure:
    """The weight of every operation of every block over the epochs: the darker, the heavier."""
    return _over_epochs(history, "Blues", (0.0, 1.0), "weight", "block: operation")


def shares_figure(shares: Shares, rows: str) -> go.Figure:
    """The share of the seeds that took a choice (rows), per strategy (columns): the darker, the more seeds."""
    columns = [figure_text(s) for s in shares.strategies]
    figure = _heatmap(shares.labels, columns, shares.values, "Blues", (0.0, 1.0), "share of the seeds", rows)
    figure.data[0].hovertemplate = "%{x}<br>%{y}: %{z:.0%} of the seeds<extra></extra>"
    # The names stand upright below the columns, 7 pixels a letter; plotly moves the title by a part of that alone.
    longest = max(map(len, columns), default=0)
    title = {"text": "strategy", "standoff": 10 + 3 * longest}
    figure.update_xaxes(title=title, type="category", dtick=1, tickangle=-90, tickfont={"size": 11})
    figure.update_layout(height=figure.layout.height + 6 * longest)
    return figure


def _over_epochs(history: History, scale: Any, span: tuple[float, float], name: str, rows: str) -> go.Figure:
    epochs = len(history.values[0]) if history.values else 0
    figure = _heatmap(history.labels, list(range(1, epochs + 1)), history.values, scale, span, name, rows)
    figure.data[0].hovertemplate = f"%{{y}}<br>epoch %{{x}}: {name} %{{z:.3f}}<extra></extra>"
    figure.update_xaxes(title_text="epoch", dtick=max(1, epochs // 8))
    return figure


def _heatmap(
    labels: Sequence[str],
    columns: Sequence[Any],
    values: Sequence[Sequence[float]],
    scale: Any,
    span: tuple[float, float],
    name: str,
    rows: str,
) -> go.Figure:
    import plotly.graph_objects as go

    figure = new_figure(160 + HEAT_ROW * len(labels), margin={"l": 10, "r": 16, "t": 64, "b": 10})
    figure.add_trace(
        go.Heatmap(
            z=values,
            x=columns,
            y=[figure_text(label) for label in labels],
            colorscale=scale,
            zmin=span[0],
            zmax=span[1],
            xgap=1,
            ygap=1,
            colorbar={
                "title": {"text": name, "font": {"size": 12}, "side": "top"},
                "orientation": "h",
                "thickness": 10,
                "len": 0.7,
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
            },
        )
    )
    figure.update_yaxes(title_text=rows, autorange="reversed", type="category", dtick=1, tickfont={"size": 11})
    return figure
