"""The reliability curve of one model as a self-contained SVG drawing."""

from __future__ import annotations

from collections.abc import Sequence

from nas_fusion.records import ReliabilityBin
from nas_fusion.report.escapes import html_text
from nas_fusion.report.figures.design_drawing import FONT
from nas_fusion.report.figures.series_styles import BACKGROUND, INK, MUTED

WIDTH, HEIGHT = 420, 400
_LEFT, _TOP, _SIZE = 62.0, 40.0, 300.0
"""The square of the curve, in SVG user units."""
_LINE, _GRID = "#0072b2", "#e4e7eb"
_TICKS = 5
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Distances of ticks: the smallest with which `_TICKS` of them are enough."""


def draw_reliability(bins: Sequence[ReliabilityBin], title: str) -> str:
    """Draw the share of clicks against the mean prediction, bin by bin; on the dotted line predictions come true.

    Args:
        bins: at least one; both axes begin at 0 and end above the highest probability.
        title: a line above the drawing.
    """
    highest = max(max(b.predicted, b.observed) for b in bins)
    step = next((s for s in _STEPS if s * _TICKS >= highest), _STEPS[-1])
    ticks = [step * i for i in range(_TICKS + 1)]
    points = [_place(b.predicted, b.observed, ticks[-1]) for b in bins]
    (x0, y0), (x1, y1) = _place(0.0, 0.0, 1.0), _place(1.0, 1.0, 1.0)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'role="img" font-family="{FONT}" font-size="12" fill="{INK}">',
            f"<title>{html_text(title)}</title>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            f'<text x="16" y="24" font-size="15" font-weight="600">{html_text(title)}</text>',
            *(_tick(tick, ticks[-1]) for tick in ticks),
            f'<path d="M{x0:.1f} {y0:.1f} L{x1:.1f} {y1:.1f}" stroke="{MUTED}" stroke-width="1.5" '
            'stroke-dasharray="2 4"/>',
            f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="1.8"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{_LINE}"/>' for x, y in points),
            f'<text x="{_LEFT + _SIZE / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle">predicted probability of a click'
            "</text>",
            f'<text transform="translate(16 {_TOP + _SIZE / 2:.0f}) rotate(-90)" text-anchor="middle">observed share '
            "of clicks</text>",
            "</svg>",
        ]
    )


def _place(predicted: float, observed: float, end: float) -> tuple[float, float]:
    return _LEFT + _SIZE * predicted / end, _TOP + _SIZE * (1 - observed / end)


def _tick(tick: float, end: float) -> str:
    """The lines of both axes at a value, and the value."""
    x, y = _place(tick, tick, end)
    lines = f"M{x:.1f} {_TOP:.1f} V{_TOP + _SIZE:.1f} M{_LEFT:.1f} {y:.1f} H{_LEFT + _SIZE:.1f}"
    grid = f'<path d="{lines}" stroke="{_GRID}"/>'
    below = f'<text x="{x:.1f}" y="{_TOP + _SIZE + 16:.1f}" text-anchor="middle">{tick:.2g}</text>'
    beside = f'<text x="{_LEFT - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:.2g}</text>'
    return grid + below + beside
