"""The figure of the searches' fronts: validation AUC against multiply-adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report.escapes import figure_text
from nas_fusion.report.figures.axes import new_figure, set_cost_axis
from nas_fusion.report.figures.series_styles import SeriesStyle, marker
from nas_fusion.report.numbers.costs.search_fronts import FrontPicture, SearchFront, TrainedPoint
from nas_fusion.report.numbers.curves import View, upper_part

if TYPE_CHECKING:
    import plotly.graph_objects as go

_CANDIDATE, _CHOSEN, _TRAINED = 6, 13, 10
"""Sizes of markers: of a candidate, of the one that was handed on, and of a model that was trained to its end."""


def fronts_figure(found: FrontPicture, style: Mapping[str, SeriesStyle]) -> go.Figure:
    """Small markers on a line: a search's front; a large one with a dark edge: handed on; the others: trained to the
    end.

    The axis of costs is logarithmic. The view leaves out what is far below the rest; zooming out shows it.
    """
    figure = new_figure(400)
    for front in found.fronts:
        figure.add_traces(_front_traces(front, style[front.strategy]))
    for point in (*found.hand_made, *found.found):
        figure.add_trace(_trained_trace(point, style[point.strategy]))
    costs = [point.multiply_adds for front in found.fronts for point in front.known]
    trained = (*found.hand_made, *found.found)
    set_cost_axis(figure, "multiply-adds per row", [*costs, *(point.multiply_adds for point in trained)], log=True)
    figure.update_yaxes(title_text="validation AUC", tickformat=".4~f", nticks=7, range=list(_view(found)))
    return figure


def _view(found: FrontPicture) -> View:
    trained = [point.valid_auc for point in (*found.hand_made, *found.found)]
    low, high = upper_part([*trained, *(point.valid_auc for front in found.fronts for point in front.known)])
    margin = max(0.1 * (high - low), 1e-3)
    return low - margin, high + margin


def _front_traces(front: SearchFront, style: SeriesStyle) -> Sequence[go.Scatter]:
    import plotly.graph_objects as go

    name = figure_text(front.strategy)
    line = go.Scatter(
        x=[point.multiply_adds for point in front.known],
        y=[point.valid_auc for point in front.known],
        mode="lines+markers",
        line={"color": style.colour, "width": 1.2, "dash": "dot"},
        marker=marker(style, _CANDIDATE),
        hovertemplate=f"{name}, while searching: %{{y:.4f}} at %{{x:.4~s}}<extra></extra>",
    )
    chosen = [point for point in front.known if point.is_chosen]
    ring = go.Scatter(
        x=[point.multiply_adds for point in chosen],
        y=[point.valid_auc for point in chosen],
        mode="markers",
        marker=marker(style, _CHOSEN, ringed=True),
        hovertemplate=f"{name}, handed on: %{{y:.4f}} at %{{x:.4~s}}<extra></extra>",
    )
    return [trace.update(name=name, legendgroup=name) for trace in (line, ring)]


def _trained_trace(point: TrainedPoint, style: SeriesStyle) -> go.Scatter:
    import plotly.graph_objects as go

    name = figure_text(point.strategy)
    return go.Scatter(
        x=[point.multiply_adds],
        y=[point.valid_auc],
        mode="markers",
        name=name,
        legendgroup=name,
        marker=marker(style, _TRAINED),
        hovertemplate=f"{name}, trained to its end: %{{y:.4f}} at %{{x:.4~s}}<extra></extra>",
    )
