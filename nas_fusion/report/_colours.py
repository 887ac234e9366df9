"""The colours of tables, figures and drawings: Okabe and Ito's set, safe for colour-blind readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.design import EMBEDDING

if TYPE_CHECKING:
    from nas_fusion.report._summary import Family

BACKGROUND = "#fcfcfb"
INK = "#1f2933"
MUTED = "#7b8794"
DEAD = "#b8c0c8"
REFERENCE = "#8a8f98"

OPERATION_COLOURS = {"add": "#0072b2", "product": "#d55e00", "concat": "#009e73", "attention": "#cc79a7"}
_OPERATION_TINTS = {"add": "#e3f0fa", "product": "#fdeadd", "concat": "#ddf3ea", "attention": "#f8e8f1"}
_OTHER = ("#56b4e9", "#e8f5fd")
"""Edge and fill of an operation that a plug-in brought."""
_PLAIN = ("#52606d", "#eceff2")
"""Edge and fill of the embedding and ``cross0``, which merge nothing."""

_SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#8c564b")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
_DASHES = ("solid", "dash", "dot", "dashdot")


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

    Searched strategies have full markers, hand-made models outlines, hand-made designs of the space are grey.
    """
    seen: Counter[Family] = Counter()
    found = {}
    for strategy, family in families.items():
        style = series_style(seen[family])
        if family == "hand-made model":
            style = style._replace(symbol=f"{style.symbol}-open")
        elif family == "hand-made design":
            style = style._replace(colour=REFERENCE)
        found[strategy] = style
        seen[family] += 1
    return found
