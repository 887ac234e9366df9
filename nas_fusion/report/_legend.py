"""The legend of several figures at once, as HTML: it wraps on a phone, and a click shows or hides a strategy in all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._colours import SeriesStyle
from nas_fusion.report._text import figure_text, html_text

if TYPE_CHECKING:
    from nas_fusion.report._summary import StrategySummary

SHOWN_SEARCHED, SHOWN_HAND_MADE = 6, 2
"""How many strategies of each sort the curves show at first, the best on validation: more could not be told apart."""

_SHAPES = {
    "circle": '<circle cx="7" cy="7" r="5"/>',
    "square": '<rect x="2.5" y="2.5" width="9" height="9"/>',
    "diamond": '<path d="M7 .8 13.2 7 7 13.2 .8 7Z"/>',
    "triangle-up": '<path d="M7 1.5 13 12H1Z"/>',
    "triangle-down": '<path d="M7 12.5 13 2H1Z"/>',
    "cross": '<path d="M5 1h4v4h4v4H9v4H5V9H1V5h4Z"/>',
    "x": '<path d="M3.5 .7 7 4.2 10.5 .7 13.3 3.5 9.8 7l3.5 3.5-2.8 2.8L7 9.8l-3.5 3.5L.7 10.5 4.2 7 .7 3.5Z"/>',
    "star": '<path d="m7 .6 1.7 4.3 4.6.3-3.5 3 1.1 4.5L7 10.3l-3.9 2.4 1.1-4.5-3.5-3 4.6-.3Z"/>',
}


def marker_svg(style: SeriesStyle) -> str:
    """The strategy's marker, in the size of a letter."""
    shape = _SHAPES[style.symbol.removesuffix("-open")]
    fill = "none" if style.is_open else style.colour
    return (
        f'<svg class="mark" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true" fill="{fill}" '
        f'stroke="{style.colour}" stroke-width="1.6">{shape}</svg>'
    )


def first_shown(summaries: Sequence[StrategySummary]) -> set[str]:
    """The strategies that the curves show before anybody clicks.

    Args:
        summaries: best validation AUC first.
    """
    searched = [s.strategy for s in summaries if not s.is_reference]
    hand_made = [s.strategy for s in summaries if s.is_reference]
    return {*searched[:SHOWN_SEARCHED], *hand_made[:SHOWN_HAND_MADE]}


def legend(
    strategies: Sequence[str], style: Mapping[str, SeriesStyle], plots: Sequence[str], shown: Collection[str]
) -> str:
    """Buttons, one per strategy, that show and hide its traces in `plots` (ids)."""
    chips = "".join(
        f'<button type="button" data-strategy="{html_text(figure_text(name))}" '
        f'aria-pressed="{"true" if name in shown else "false"}">{marker_svg(style[name])}{html_text(name)}</button>'
        for name in strategies
    )
    every = "" if len(shown) == len(strategies) else '<button type="button" class="every">show all</button>'
    return f'<div class="legend" data-plots="{" ".join(plots)}">{chips}{every}</div>'
