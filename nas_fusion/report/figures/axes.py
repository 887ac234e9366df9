"""What all figures share: the empty figure, and axes on which far apart and close together are both seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report.figures.series_styles import INK, MUTED
from nas_fusion.report.numbers.curves import View

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
GRID = "#e4e7eb"
ROW = 24
"""Height of a strategy's row, in pixels."""

NEAREST_TO_ONE = 1e-5
"""Smaller losses are drawn as this one, since a logarithm has no zero."""

_STEPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_CLOSEST_TICKS = 0.11
_HEADROOM = 0.06
"""Shares of the axis' length: ticks stand no closer, and a marker at the upper end is seen whole."""

_WIDE, _ROOM, _MOST_TICKS = 8, 1.25, 6
"""Costs so many times apart are drawn on a logarithmic axis, with so much room at its ends."""


def new_figure(height: int, **layout: object) -> go.Figure:
    """An empty figure without legend; its axes make room for their labels."""
    import plotly.graph_objects as go

    # A title with a standoff is moved out of the way of long labels; one without stays where it is.
    axis = {"automargin": True, "gridcolor": GRID, "zeroline": False, "linecolor": MUTED, "title": {"standoff": 10}}
    # All at once: plotly takes ten times as long to change a figure as to make it.
    return go.Figure(
        layout={
            "template": "none",
            "height": height,
            "font": {"family": FONT, "size": 13, "color": INK},
            "margin": {"l": 10, "r": 16, "t": 34, "b": 10},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#b8c0c8", "activecolor": MUTED},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hoverlabel": {"font": {"family": FONT}},
            "showlegend": False,
            "xaxis": axis,
            "yaxis": axis,
            **layout,
        }
    )


def rows_axis(figure: go.Figure, title: str) -> None:
    """One row per category, the first on top."""
    figure.update_yaxes(title_text=title, autorange="reversed", type="category", dtick=1, ticklabelstandoff=6)


def losses(aucs: Sequence[float]) -> list[float]:
    """1 − AUC of each: what such an axis draws."""
    return [max(1 - auc, NEAREST_TO_ONE) for auc in aucs]


def auc_ticks(low: float, high: float) -> list[float]:
    """Round AUCs between `low` and `high`, ascending: those of coarse steps first, finer ones where there is room."""
    top, bottom = (math.log(loss) for loss in losses((high, low)))
    room = _CLOSEST_TICKS * (bottom - top)
    chosen: dict[float, float] = {}
    for step in (s for s in _STEPS if s >= (high - low) / 10):
        for i in range(math.ceil(low / step), math.floor(high / step) + 1):
            (loss,) = losses((i * step,))
            if all(abs(math.log(loss) - other) >= room for other in chosen.values()):
                chosen[round(i * step, 3)] = math.log(loss)
    return sorted(chosen)


def set_auc_axis(figure: go.Figure, title: str, view: View | None) -> None:
    """Make the y axis of traces that draw `losses` an AUC axis, upwards better.

    Args:
        figure: changed.
        title: of the axis.
        view: the AUCs at its lower and its upper end; whatever fits if not given.
    """
    axis = {"title_text": title, "type": "log"}
    if view is None:
        figure.update_yaxes(autorange="reversed", **axis)
        return
    ticks = auc_ticks(*view)
    bottom, top = (math.log10(loss) for loss in losses(view))
    figure.update_yaxes(
        range=[bottom, top - _HEADROOM * (bottom - top)],
        tickvals=losses(ticks),
        ticktext=[f"{tick:.3f}".rstrip("0") for tick in ticks],
        **axis,
    )


def cost_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten from `low` to `high`; only the powers, where those would be many."""
    powers = [10.0**k for k in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)]
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{digit * power:.1g}") for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    return ticks


def set_cost_axis(figure: go.Figure, title: str, costs: Sequence[float], *, log: bool = False) -> None:
    """Make the x axis one of costs: logarithmic where they lie far apart, else from 0.

    Args:
        figure: changed.
        title: of the axis.
        costs: what is drawn.
        log: logarithmic however near they lie; for costs above 0.
    """
    if not costs or min(costs) <= 0 or (max(costs) < _WIDE * min(costs) and not log):
        figure.update_xaxes(title_text=title, nticks=6, rangemode="tozero")
        return
    low, high = min(costs) / _ROOM, max(costs) * _ROOM
    ticks = cost_ticks(low, high)
    figure.update_xaxes(
        title_text=title,
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[_tick_words(tick) for tick in ticks],
    )


def _tick_words(tick: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if tick >= size:
            return f"{tick / size:g}{unit}"
    return f"{tick:g}"
