"""Axes on which far apart and close together are both seen: AUCs logarithmic in 1 − AUC, costs over decades."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

NEAREST_TO_ONE = 1e-5
"""Smaller losses are drawn as this one, since a logarithm has no zero."""

_STEPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_CLOSEST_TICKS = 0.11
_HEADROOM = 0.06
"""Shares of the axis' length: ticks stand no closer, and a marker at the upper end is seen whole."""


_WIDE, _ROOM, _MOST_TICKS = 8, 1.25, 6
"""Costs so many times apart are drawn on a logarithmic axis, with so much room at its ends."""


def upper_part(aucs: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest AUC to show: all, but where some lie far below the upper half, the upper half."""
    low, high, median = min(aucs), max(aucs), statistics.median(aucs)
    return (median if high - low > 3 * (high - median) else low), high


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


def set_auc_axis(figure: go.Figure, title: str, view: tuple[float, float] | None) -> None:
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


def set_cost_axis(figure: go.Figure, title: str, costs: Sequence[float]) -> None:
    """Make the x axis one of costs: logarithmic where they lie far apart, else from 0.

    Args:
        figure: changed.
        title: of the axis.
        costs: what is drawn.
    """
    if not costs or min(costs) <= 0 or max(costs) < _WIDE * min(costs):
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
