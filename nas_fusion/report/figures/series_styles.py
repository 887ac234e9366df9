"""How strategies, blocks and operations look: Okabe and Ito's colours, safe for colour-blind readers, and markers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from nas_fusion.design import EMBEDDING
from nas_fusion.report.numbers.summaries import Family

BACKGROUND = "#fcfcfb"
INK = "#1f2933"
MUTED = "#7b8794"
DEAD = "#b8c0c8"
REFERENCE = "#8a8f98"

OPERATION_COLOURS = {
    "add": "#0072b2",
    "product": "#d55e00",
    "concat": "#009e73",
    "attention": "#cc79a7",
    "residual-product": "#e69f00",
    "bilinear": "#6a3d9a",
}
_OPERATION_TINTS = {
    "add": "#e3f0fa",
    "product": "#fdeadd",
    "concat": "#ddf3ea",
    "attention": "#f8e8f1",
    "residual-product": "#fdf3dc",
    "bilinear": "#ece4f4",
}
_OTHER = ("#56b4e9", "#e8f5fd")
"""Edge and fill of an operation that a plug-in brought."""
_PLAIN = ("#52606d", "#eceff2")
"""Edge and fill of the embedding and ``cross0``, which merge nothing."""

_SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#8c564b")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
_DASHES = ("solid", "dash", "dot", "dashdot")
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
"""The symbols as SVG, 14 units wide."""


def operation_colours(operation: str | None) -> tuple[str, str]:
    """Edge and fill of a block that merges by `operation`; None: the block merges nothing."""
    if operation is None:
        return _PLAIN
    if operation not in OPERATION_COLOURS:
        return _OTHER
    return OPERATION_COLOURS[operation], _OPERATION_TINTS[operation]


def source_colour(block: str) -> str:
    """The colour of the lines that leave `block`: by its row, so that a lane's lines are told from its neighbours'."""
    if block == EMBEDDING:
        return "#3e4c59"
    return "#2f6f9f" if block.startswith("cross") else "#9a5b13"


class SeriesStyle(NamedTuple):
    """How one strategy looks in every figure: a colour, one of plotly's symbols, one of its dashes."""

    colour: str
    symbol: str
    dash: str

    @property
    def is_open(self) -> bool:
        """Whether the marker is an outline."""
        return self.symbol.endswith("-open")


def series_style(number: int) -> SeriesStyle:
    """The style of the strategy with this number: the markers of any two of the first 64 differ."""
    turn = number // len(_SERIES)
    return SeriesStyle(
        _SERIES[number % len(_SERIES)], _SYMBOLS[(number + turn) % len(_SYMBOLS)], _DASHES[turn % len(_DASHES)]
    )


def styles(families: Mapping[str, Family]) -> dict[str, SeriesStyle]:
    """The style of every strategy, the same in all figures.

    Searched strategies have full markers, hand-made models outlines, what is no network and
    hand-made designs of the space are grey.
    """
    seen: Counter[Family] = Counter()
    found = {}
    for strategy, family in families.items():
        style = series_style(seen[family])
        if family == "hand-made model":
            style = style._replace(symbol=f"{style.symbol}-open")
        elif family == "general model":
            style = style._replace(colour=REFERENCE, symbol=f"{style.symbol}-open")
        elif family == "hand-made design":
            style = style._replace(colour=REFERENCE)
        found[strategy] = style
        seen[family] += 1
    return found


def marker(style: SeriesStyle, size: int = 11, *, ringed: bool = False) -> dict[str, Any]:
    """Plotly's marker; `ringed` draws it with a dark edge."""
    edge: dict[str, Any] = {"color": style.colour if style.is_open else "white", "width": 2 if style.is_open else 1}
    if ringed:
        edge = {"color": INK, "width": 2.5}
    return {"color": style.colour, "symbol": style.symbol, "size": size, "line": edge}


def marker_svg(style: SeriesStyle) -> str:
    """The strategy's marker, in the size of a letter."""
    shape = _SHAPES[style.symbol.removesuffix("-open")]
    fill = "none" if style.is_open else style.colour
    return (
        f'<svg class="mark" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true" fill="{fill}" '
        f'stroke="{style.colour}" stroke-width="1.6">{shape}</svg>'
    )
