"""The figure of replayed searches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.lab.regret_curves import LEVEL, RegretCurve
from nas_fusion.report.figures.axes import new_figure
from nas_fusion.report.figures.series_styles import series_style
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 420
_BAND = 0.15


def regret_figure(curves: Sequence[RegretCurve], log: str) -> go.Figure:
    """Mean regret against the number of candidates, a line with a band for each strategy."""
    figure = new_figure(HEIGHT, showlegend=True, title=f"Regret on {log}; bands: {LEVEL:.0%} intervals of the mean")
    for number, curve in enumerate(curves):
        colour = series_style(number).colour
        candidates = list(range(1, len(curve.mean) + 1))
        figure.add_scatter(
            x=candidates + candidates[::-1], y=[*curve.high, *curve.low[::-1]], fill="toself", fillcolor=colour,
            opacity=_BAND, mode="none", hoverinfo="skip", showlegend=False, legendgroup=curve.strategy,
        )  # fmt: skip
        figure.add_scatter(
            x=candidates, y=curve.mean, mode="lines", name=curve.strategy, legendgroup=curve.strategy,
            line={"color": colour, "dash": series_style(number).dash},
        )  # fmt: skip
    figure.update_xaxes(title_text="candidates")
    figure.update_yaxes(title_text="test AUC below the best design's", rangemode="tozero")
    return figure


def write_regret_page(out: Path, curves: Sequence[RegretCurve], log: str) -> None:
    """Write the figure as an HTML page that needs nothing else.

    Raises:
        WriteError: it cannot be written.
    """
    write_text(out, regret_figure(curves, log).to_html(include_plotlyjs=True))
