"""A design as a self-contained SVG drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import NamedTuple

from nas_fusion.design import EMBEDDING, OUTPUT, Connection, FusionDesign, fused_blocks
from nas_fusion.report.design_words import block_label, dead_blocks, design_words
from nas_fusion.report.escapes import html_text
from nas_fusion.report.figures.design_layout import GAP, Box, Curve, Layout, lay_out
from nas_fusion.report.figures.series_styles import BACKGROUND, DEAD, INK, MUTED, operation_colours, source_colour
from nas_fusion.report.numbers.found_designs import widths

ARROW = 6.0
TITLE_HEIGHT = 30.0
LEGEND_HEIGHT = 24.0
LINE, THIN, THICK = 1.8, 0.9, 6.0
"""Width of a line, and its bounds where it says how important the connection is."""
RUN, NUMBER_SIZE = 42.0, 9.0
"""Where connections have numbers: how far each goes straight before it arrives, for a number of this size."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def draw_design(
    design: FusionDesign,
    *,
    title: str | None = None,
    importance: Mapping[Connection, float] | None = None,
    widest: float | None = None,
) -> str:
    """Draw the fusion graph, embedding on the left, output on the right, closed connections left out.

    A block shows its name and its operation; blocks that cannot reach the output are dashed and grey. Crosses read the
    embedding beside their fused input: by the dotted wire above them. Colours are safe for colour-blind readers, and
    nothing is said by colour alone.

    Args:
        design: any design, legal or not.
        title: a line above the drawing.
        importance: validation AUC lost when a connection is closed; the more, the wider its line, with the number at
            its end.
        widest: the loss that is drawn as the widest line, the same for drawings that are to be compared; the largest
            of `importance` if not given.

    Returns:
        A complete ``<svg>`` element that needs nothing from outside; write it to a file or put it into a page.
    """
    layout = lay_out(design, RUN if importance else 0.0)
    dead = set(dead_blocks(design))
    lost = _Lost(importance or {}, widest)
    top = TITLE_HEIGHT if title else 0.0
    remarks = _remarks(layout, dead, lost)
    height = layout.height + top + LEGEND_HEIGHT * len(remarks)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.width:.0f} {height:.0f}" '
        f'width="{layout.width:.0f}" height="{height:.0f}" role="img" font-family="{FONT}">',
        f"<title>{html_text(title or 'Fusion design')}</title>",
        f"<desc>{html_text(' '.join(design_words(design)))}</desc>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
    ]
    if title:
        parts.append(_text(16, 24, title, size=15, weight=600, anchor="start"))
    parts.append(f'<g transform="translate(0 {top:.0f})">')
    parts += _wire(layout)
    parts += _connections(layout, dead, lost)
    parts += [_block(design, block, box, block in dead) for block, box in layout.boxes.items()]
    parts += [
        _text(16, layout.height + 6 + LEGEND_HEIGHT * i, text, size=12, anchor="start")
        for i, text in enumerate(remarks)
    ]
    return "\n".join([*parts, "</g>", "</svg>"])


class _Lost(NamedTuple):
    """The AUC lost per connection, and the loss of the widest line where others are drawn by the same scale."""

    by_connection: Mapping[Connection, float]
    shared: float | None

    @property
    def widest(self) -> float:
        """The loss of the widest line."""
        return max(self.by_connection.values(), default=0.0) if self.shared is None else self.shared


def _remarks(layout: Layout, dead: set[str], lost: _Lost) -> list[str]:
    lines = [f"dotted: every cross reads the {EMBEDDING} beside what it takes"] if layout.readers else []
    lines += [f"dashed: cut, cannot reach the {OUTPUT}"] if dead else []
    if lost.by_connection:
        scale = "of all designs of this report" if lost.shared is not None else "of this design"
        lines.append(
            f"numbers and widths: validation AUC lost without the line; the widest {scale} is {lost.widest:.4f}"
        )
    return lines


def _wire(layout: Layout) -> list[str]:
    """The dotted wire: from the embedding up, along the top, and down to every cross."""
    if not layout.readers:
        return []
    start, y = layout.boxes[EMBEDDING], layout.wire
    ends = [(box.x + box.width / 2, box.y - box.height / 2) for box in map(layout.boxes.__getitem__, layout.readers)]
    x, top = start.x + start.width / 2, start.y - start.height / 2
    last = max(x for x, _ in ends)
    style = f'fill="none" stroke="{source_colour(EMBEDDING)}" stroke-width="1.2" stroke-dasharray="1.2 3.2"'
    parts = [f'<path class="wire" d="M{x:.1f} {top:.1f} V{y:.1f} H{last:.1f}" {style}/>']
    for block, (at, end) in zip(layout.readers, ends, strict=True):
        tip = f"{at:.1f},{end:.1f} {at - 3:.1f},{end - 5:.1f} {at + 3:.1f},{end - 5:.1f}"
        parts += [
            f'<path class="wire" data-reads="{block}" d="M{at:.1f} {y:.1f} V{end - 4:.1f}" {style}/>',
            f'<polygon points="{tip}" fill="{source_colour(EMBEDDING)}"/>',
        ]
    return parts


def _text(x: float, y: float, text: str, *, size: float, weight: int = 400, fill: str = INK, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{html_text(text)}</text>'
    )


def _connections(layout: Layout, dead: set[str], lost: _Lost) -> list[str]:
    """All curves, cut ones first; each source's over a halo of the background, so that no crossing is a junction."""
    wide = widths(lost.by_connection, THIN, THICK, lost.widest)
    parts: list[str] = []
    for (alive, _), group in groupby(sorted(layout.curves, key=_order(dead)), key=_order(dead)):
        lines = [(c, layout.curves[c], wide.get(c, LINE)) for c in group]
        # The halos of all lines of a lane before its lines: one line's halo would cut into another's.
        parts += [_halo(_path(curve, layout.run), width) for _, curve, width in lines]
        parts += [_line(c, curve, layout.run, width, cut=not alive) for c, curve, width in lines]
    return parts + [_number(layout.curves[c], value) for c, value in lost.by_connection.items() if c in layout.curves]


def _order(dead: set[str]) -> Callable[[Connection], tuple[bool, str]]:
    """A sort key: whether a connection is alive, so that cut ones are drawn first; then its source."""
    return lambda connection: (connection[1] not in dead, connection[0])


def _halo(path: str, width: float) -> str:
    return f'<path d="{path}" fill="none" stroke="{BACKGROUND}" stroke-width="{width + 2.7:.2f}"/>'


def _line(connection: Connection, curve: Curve, run: float, width: float, *, cut: bool) -> str:
    source, target = connection
    colour = DEAD if cut else source_colour(source)
    dash = ' stroke-dasharray="5 4"' if cut else ""
    return (
        f'<path class="connection" data-connection="{source}-{target}" d="{_path(curve, run)}" fill="none" '
        f'stroke="{colour}" stroke-width="{width:.2f}"{dash}/>{_arrow(curve, colour, max(3.2, width * 0.8))}'
    )


def _number(curve: Curve, value: float) -> str:
    """The AUC lost, on the straight end of a line."""
    x = curve.x1 - ARROW - RUN / 2
    return (
        f'<text class="lost" x="{x:.1f}" y="{curve.y1 + 0.35 * NUMBER_SIZE:.1f}" font-size="{NUMBER_SIZE:g}" '
        f'fill="{INK}" text-anchor="middle" stroke="{BACKGROUND}" stroke-width="4" paint-order="stroke">'
        f"{value:.4f}</text>"
    )


def _path(curve: Curve, run: float) -> str:
    bent, straight = curve.x1 - run - ARROW + 1, f" H{curve.x1 - ARROW + 1:.1f}" if run else ""
    if curve.lane is None:
        return f"M{curve.x0:.1f} {curve.y0:.1f} {_bend(curve.x0, curve.y0, bent, curve.y1)}{straight}"
    leave, join = curve.x0 + GAP * 0.5, curve.x1 - run - GAP * 0.6
    return (
        f"M{curve.x0:.1f} {curve.y0:.1f} {_bend(curve.x0, curve.y0, leave, curve.lane)} "
        f"H{join:.1f} {_bend(join, curve.lane, bent, curve.y1)}{straight}"
    )


def _bend(x0: float, y0: float, x1: float, y1: float) -> str:
    """A cubic that leaves and arrives horizontally."""
    middle = (x0 + x1) / 2
    return f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"


def _arrow(curve: Curve, colour: str, half: float) -> str:
    x, y = curve.x1, curve.y1
    points = f"{x:.1f},{y:.1f} {x - ARROW:.1f},{y - half:.1f} {x - ARROW:.1f},{y + half:.1f}"
    return f'<polygon points="{points}" fill="{colour}"/>'


def _block(design: FusionDesign, block: str, box: Box, dead: bool) -> str:
    operation = design.operation(block) if block in fused_blocks(design.levels) else None
    edge, fill = (DEAD, BACKGROUND) if dead else operation_colours(operation)
    ink = MUTED if dead else INK
    dash = ' stroke-dasharray="5 4"' if dead else ""
    centre = box.x + box.width / 2
    name_y = box.y + 4.5 if operation is None and design.variant(block) is None else box.y - 4
    parts = [
        f'<g class="block{" dead" if dead else ""}" data-block="{block}">',
        f'<rect x="{box.x:.1f}" y="{box.y - box.height / 2:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="7" fill="{fill}" stroke="{edge}" stroke-width="1.6"{dash}/>',
        _text(centre, name_y, block_label(block), size=13, weight=600, fill=ink, anchor="middle"),
    ]
    below = " · ".join(word for word in (design.variant(block), operation) if word is not None)
    if below:
        # A plug-in's operation may have a long name: shrink it to the block (0.6 em is a wide letter).
        size = min(12.5, (box.width - 10) / (0.6 * len(below)))
        parts.append(_text(centre, box.y + 13, below, size=round(size, 1), fill=ink, anchor="middle"))
    return "".join([*parts, "</g>"])
