"""What all figures share: the empty figure, and markers in a strategy's style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas_fusion.report._colours import INK, MUTED, SeriesStyle

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
GRID = "#e4e7eb"
ROW = 24
"""Height of a strategy's row, in pixels."""


def new_figure(height: int, **layout: Any) -> go.Figure:
    """An empty figure without legend; its axes make room for their labels."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        **{
            "template": "none",
            "height": height,
            "font": {"family": FONT, "size": 13, "color": INK},
            "margin": {"l": 10, "r": 16, "t": 34, "b": 10},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#b8c0c8", "activecolor": MUTED},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hoverlabel": {"font": {"family": FONT}},
            "showlegend": False,
            **layout,
        }
    )
    # A title with a standoff is moved out of the way of long labels; one without stays where it is.
    axis = {"automargin": True, "gridcolor": GRID, "zeroline": False, "linecolor": MUTED, "title": {"standoff": 10}}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    return figure


def marker(style: SeriesStyle, size: int = 11, *, ringed: bool = False) -> dict[str, Any]:
    """Plotly's marker; `ringed` draws it with a dark edge."""
    edge: dict[str, Any] = {"color": style.colour if style.is_open else "white", "width": 2 if style.is_open else 1}
    if ringed:
        edge = {"color": INK, "width": 2.5}
    return {"color": style.colour, "symbol": style.symbol, "size": size, "line": edge}


def rows_axis(figure: go.Figure, title: str) -> None:
    """One row per category, the first on top."""
    figure.update_yaxes(title_text=title, autorange="reversed", type="category", dtick=1, ticklabelstandoff=6)
