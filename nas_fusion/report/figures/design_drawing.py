"""A design as a self-contained SVG drawing."""

from __future__ import annotations

from collections.abc import Mapping

from nas_fusion.design import OUTPUT, Connection, FusionDesign, fused_blocks
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
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def draw_design(
    design: FusionDesign, *, title: str | None = None, importance: Mapping[Connection, float] | None = None
) -> str:
    """Draw the fusion graph, embedding on the left, output on the right, closed connections left out.

    A block shows its name and its operation; blocks that cannot reach the output are dashed and grey. Colours are
    safe for colour-blind readers, and nothing is said by colour alone.

    Args:
        design: any design, legal or not.
        title: a line above the drawing.
        importance: validation AUC lost when a connection is closed; the more, the wider its line.

    Returns:
        A complete ``<svg>`` element that needs nothing from outside; write it to a file or put it into a page.
    """
    layout = lay_out(design)
    dead = set(dead_blocks(design))
    top = TITLE_HEIGHT if title else 0.0
    remarks = _remarks(dead, importance)
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
    parts += _connections(layout, dead, widths(importance or {}, THIN, THICK))
    parts += [_block(design, block, box, block in dead) for block, box in layout.boxes.items()]
    parts += [
        _text(16, layout.height + 6 + LEGEND_HEIGHT * i, text, size=12, anchor="start")
        for i, text in enumerate(remarks)
    ]
    return "\n".join([*parts, "</g>", "</svg>"])


def _remarks(dead: set[str], importance: Mapping[Connection, float] | None) -> list[str]:
    lines = [f"dashed: cut, cannot reach the {OUTPUT}"] if dead else []
    if importance:
        lines.append(f"the wider a line, the more AUC is lost without it (widest: {max(importance.values()):.4f})")
    return lines


def _text(x: float, y: float, text: str, *, size: float, weight: int = 400, fill: str = INK, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{html_text(text)}</text>'
    )


def _connections(layout: Layout, dead: set[str], wide: Mapping[Connection, float]) -> list[str]:
    """All curves, cut ones first; each over a halo of the background, so that crossings do not look like junctions."""
    parts = []
    for (source, target), curve in sorted(layout.curves.items(), key=lambda item: item[0][1] not in dead):
        cut = target in dead
        colour = DEAD if cut else source_colour(source)
        width = wide.get((source, target), LINE)
        path, dash = _path(curve), ' stroke-dasharray="5 4"' if cut else ""
        parts += [
            f'<path d="{path}" fill="none" stroke="{BACKGROUND}" stroke-width="{width + 2.7:.2f}"/>',
            f'<path class="connection" data-connection="{source}-{target}" d="{path}" fill="none" '
            f'stroke="{colour}" stroke-width="{width:.2f}"{dash}/>',
            _arrow(curve, colour, max(3.2, width * 0.8)),
        ]
    return parts


def _path(curve: Curve) -> str:
    x1 = curve.x1 - ARROW + 1
    if curve.lane is None:
        return f"M{curve.x0:.1f} {curve.y0:.1f} {_bend(curve.x0, curve.y0, x1, curve.y1)}"
    leave, join = curve.x0 + GAP * 0.5, curve.x1 - GAP * 0.6
    return (
        f"M{curve.x0:.1f} {curve.y0:.1f} {_bend(curve.x0, curve.y0, leave, curve.lane)} "
        f"H{join:.1f} {_bend(join, curve.lane, x1, curve.y1)}"
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
    name_y = box.y + 4.5 if operation is None else box.y - 4
    parts = [
        f'<g class="block{" dead" if dead else ""}" data-block="{block}">',
        f'<rect x="{box.x:.1f}" y="{box.y - box.height / 2:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="7" fill="{fill}" stroke="{edge}" stroke-width="1.6"{dash}/>',
        _text(centre, name_y, block_label(block), size=13, weight=600, fill=ink, anchor="middle"),
    ]
    if operation is not None:
        # A plug-in's operation may have a long name: shrink it to the block (0.6 em is a wide letter).
        size = min(12.5, (box.width - 10) / (0.6 * max(len(operation), 1)))
        parts.append(_text(centre, box.y + 13, operation, size=round(size, 1), fill=ink, anchor="middle"))
    return "".join([*parts, "</g>"])
