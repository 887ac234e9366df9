"""Where the blocks and connections of a design stand in its drawing: geometry alone, no SVG.

Levels are columns. Cross blocks stand in the top row, deep blocks in the bottom row, embedding and output between
them. A connection to the next column is one curve. A longer one runs along its source's own lane in the band between
the rows, where no block stands, so that no line passes behind a block and lines of one lane have one source. The wire
by which every cross reads the embedding runs above the top row.
"""

from __future__ import annotations

from typing import NamedTuple

from nas_fusion.design import EMBEDDING, OUTPUT, Connection, FusionDesign, block_names

BLOCK_WIDTH = 96.0
GAP = 92.0
LANE = 13.0
MARGIN = 16.0
PORT = 10.0
MIN_HEIGHT = 48.0
BAND_MARGIN = 18.0
WIRE_HEIGHT = 14.0
"""Room above the top row for the wire by which crosses read the embedding."""


class Box(NamedTuple):
    """A block's rectangle: left edge, vertical centre, size."""

    x: float
    y: float
    width: float
    height: float


class Curve(NamedTuple):
    """A connection: from (x0, y0) along the lane at `lane`, if it has one, to (x1, y1)."""

    x0: float
    y0: float
    lane: float | None
    x1: float
    y1: float


class Layout(NamedTuple):
    """The whole drawing: size, the box of every block, the curve of every open connection.

    `run`: how far every connection goes straight before it arrives. `readers`: the crosses that reach the output, each
    of which reads the embedding beside its fused input; `wire`: the height of the line from which they do.
    """

    width: float
    height: float
    boxes: dict[str, Box]
    curves: dict[Connection, Curve]
    run: float
    readers: tuple[str, ...]
    wire: float


def _column(block: str, levels: int) -> int:
    if block == EMBEDDING:
        return 0
    return levels + 2 if block == OUTPUT else int(block.removeprefix("cross").removeprefix("deep")) + 1


def _row(block: str) -> int:
    """-1 for the top row, 0 for the band, 1 for the bottom row."""
    return -1 if block.startswith("cross") else 1 if block.startswith("deep") else 0


def _lane_order(design: FusionDesign) -> list[str]:
    """The sources that need a lane, top lane first.

    Later blocks take the outer lanes, so a line that comes down to its lane crosses no earlier lane.
    """
    columns = {b: _column(b, design.levels) for b in block_names(design.levels)}
    long = {s for s, t in design.connections if columns[t] - columns[s] > 1}
    return sorted(long, key=lambda b: _row(b) * (columns[b] + 1))


def _heights(design: FusionDesign) -> dict[str, float]:
    return {b: max(MIN_HEIGHT, PORT * (len(design.sources(b)) + 1)) for b in block_names(design.levels)}


def _boxes(design: FusionDesign, lanes: int, top: float, gap: float) -> dict[str, Box]:
    heights = _heights(design)
    rows = {r: max(h for b, h in heights.items() if _row(b) == r) for r in (-1, 0, 1)}
    # Two lines may use the band's edges even without lanes: embedding and output stand in it.
    band = max(LANE * (lanes + 1) + 2 * BAND_MARGIN, rows[0] if design.levels > 1 else rows[0] + BAND_MARGIN)
    centres = {
        -1: top + rows[-1] / 2,
        0: top + rows[-1] + band / 2,
        1: top + rows[-1] + band + rows[1] / 2,
    }
    return {
        b: Box(MARGIN + _column(b, design.levels) * (BLOCK_WIDTH + gap), centres[_row(b)], BLOCK_WIDTH, h)
        for b, h in heights.items()
    }


def _ports(design: FusionDesign, box: Box, target: str, origin: dict[str, float]) -> dict[str, float]:
    """The height at which each open input enters `target`: ordered as the lines arrive, so that they do not cross."""
    ordered = sorted(design.sources(target), key=lambda s: origin[s])
    step = min(PORT * 1.4, box.height / (len(ordered) + 1))
    top = box.y - step * (len(ordered) - 1) / 2
    return {s: top + step * i for i, s in enumerate(ordered)}


def lay_out(design: FusionDesign, run: float = 0.0) -> Layout:
    """Place every block and every open connection of `design`; lengths in SVG user units.

    Args:
        design: any.
        run: how far every connection is to go straight before it arrives, so that something can be written there.
    """
    order = _lane_order(design)
    readers = tuple(block for block in design.live_blocks() if _row(block) < 0)
    top = MARGIN + WIRE_HEIGHT * bool(readers)
    boxes = _boxes(design, len(order), top, GAP + run)
    middle = boxes[EMBEDDING].y
    # The embedding's lane leaves it in a straight line; the other lanes are stacked above and below it.
    centre = order.index(EMBEDDING) if EMBEDDING in order else (len(order) - 1) / 2
    lanes = {s: middle + LANE * (i - centre) for i, s in enumerate(order)}
    curves: dict[Connection, Curve] = {}
    for target, box in boxes.items():
        column = _column(target, design.levels)
        lane_of = {s: lanes[s] if column - _column(s, design.levels) > 1 else None for s in design.sources(target)}
        arrival = {s: boxes[s].y if y is None else y for s, y in lane_of.items()}
        ports = _ports(design, box, target, arrival)
        for source, lane in lane_of.items():
            start = boxes[source]
            curves[source, target] = Curve(start.x + start.width, start.y, lane, box.x, ports[source])
    width = boxes[OUTPUT].x + BLOCK_WIDTH + MARGIN
    height = max(b.y + b.height / 2 for b in boxes.values()) + MARGIN
    return Layout(width, height, boxes, curves, run, readers, MARGIN)
