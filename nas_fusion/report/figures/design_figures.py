"""Figures of the found designs: single connections, gates and operations over the epochs, what the seeds agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report.escapes import figure_text
from nas_fusion.report.figures.axes import new_figure, rows_axis
from nas_fusion.report.figures.series_styles import MUTED
from nas_fusion.report.numbers.agreement import Shares
from nas_fusion.report.numbers.found_designs import Bar, History

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LOST, _GAINED = "#0072b2", "#d55e00"
HEAT_ROW = 17

Scale = str | list[tuple[float, str]]
"""A colour scale: one of plotly's by name, or colours from 0 to 1."""
_OPEN_CLOSED = [(0.0, "#b2182b"), (0.5, "#fde0d2"), (0.5001, "#d6e8f4"), (1.0, "#2166ac")]
"""A visible step at 0, where a gate opens."""


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


def gates_figure(history: History) -> go.Figure:
    """α of every connection over the epochs: blue is open (α > 0), red is closed."""
    return _over_epochs(history, _OPEN_CLOSED, (-history.scale, history.scale), "α", "connection")


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


def _over_epochs(history: History, scale: Scale, span: tuple[float, float], name: str, rows: str) -> go.Figure:
    epochs = history.epochs
    figure = _heatmap(history.labels, list(range(1, epochs + 1)), history.values, scale, span, name, rows)
    figure.data[0].hovertemplate = f"%{{y}}<br>epoch %{{x}}: {name} %{{z:.3f}}<extra></extra>"
    figure.update_xaxes(title_text="epoch", dtick=max(1, epochs // 8))
    return figure


def _heatmap(
    labels: Sequence[str],
    columns: Sequence[str] | Sequence[int],
    values: Sequence[Sequence[float]],
    scale: Scale,
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
