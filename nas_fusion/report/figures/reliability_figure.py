"""The reliability curve: what was predicted against what came true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nas_fusion.report.escapes import figure_text
from nas_fusion.report.figures.axes import new_figure
from nas_fusion.report.figures.series_styles import MUTED, SeriesStyle, marker
from nas_fusion.report.number_words import count
from nas_fusion.report.numbers.curves import ReliabilityCurves

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ROOM = 1.04
"""The axes end so much above the highest probability."""


def reliability_figure(found: ReliabilityCurves, style: Mapping[str, SeriesStyle]) -> go.Figure:
    """The share of clicks against the mean prediction, bin by bin; on the dotted line predictions come true."""
    import plotly.graph_objects as go

    figure = new_figure(420)
    end = min(1.0, found.highest * _ROOM)
    line = {"color": MUTED, "width": 1.5, "dash": "dot"}
    figure.add_trace(go.Scatter(x=[0, end], y=[0, end], mode="lines", line=line, hoverinfo="skip"))
    for curve in found.curves:
        name, look = figure_text(curve.strategy), style[curve.strategy]
        words = f"{name}, seed {curve.seed}: predicted %{{x:.4f}}, observed %{{y:.4f}}, %{{text}} rows"
        trace = go.Scatter(
            x=[b.predicted for b in curve.bins],
            y=[b.observed for b in curve.bins],
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": look.colour, "width": 1.5, "dash": look.dash},
            marker=marker(look, 7),
            text=[count(b.weight) for b in curve.bins],
            hovertemplate=f"{words}<extra></extra>",
        )
        figure.add_trace(trace)
    figure.update_xaxes(title_text="predicted probability of a click", range=[0, end], nticks=7)
    figure.update_yaxes(title_text="observed share of clicks", range=[0, end], nticks=7)
    return figure
