"""An AUC axis that shows both a search's first steps and differences between good models: logarithmic in 1 − AUC."""

from __future__ import annotations

import math
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
