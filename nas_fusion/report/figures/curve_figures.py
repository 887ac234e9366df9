"""Anytime curves: the AUC that a search had reached at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report.escapes import figure_text
from nas_fusion.report.figures.axes import losses, new_figure, set_auc_axis
from nas_fusion.report.figures.series_styles import SeriesStyle, marker
from nas_fusion.report.number_words import count
from nas_fusion.report.numbers.curves import Cost, Endpoint, Measure, SearchCurve, curves_range

if TYPE_CHECKING:
    import plotly.graph_objects as go

COST_TITLES = {"seconds": "seconds", "samples": "samples (rows)"}
_MEASURES = {"valid": "best validation AUC so far", "test": "test AUC of the best so far"}
_HOVER = "%{customdata:.4f}"


def search_figure(
    curves: Sequence[SearchCurve], style: Mapping[str, SeriesStyle], by: Cost, measure: Measure
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
        mean = curve.line(measure)
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
        y=losses([end.reached(measure)]),
        customdata=[end.reached(measure)],
        mode="markers",
        name=name,
        legendgroup=name,
        marker=marker(style),
        hovertemplate=f"{name}, re-trained: %{{customdata:.4f}} after {count(end.cost)}<extra></extra>",
    )
