"""The drawing of the architecture: the parts by layers, and the fewest imports from which all others follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise

from tests.structure.import_graph import ImportGraph, reduced
from tests.structure.layers import layers_of
from tests.structure.source_tree import Checkout

ROW, BOX_HEIGHT, GAP, MARGIN, LETTER, THREAD = 62, 30, 18, 24, 8.2, 10
"""In SVG units: from row to row, a box, between neighbours, around all, a letter, a line that passes a row."""
SWEEPS = 24
"""So many rounds settle the order and the places of this graph."""

HUES = {"studies": "#e6f1ea", "search_spaces": "#e6f1ea", "baselines": "#e6f1ea"}
"""Rooms that lie at the top of the repository, apart from ``nas_fusion/``."""
PLAIN = "#eef2f7"

Node = tuple[str, int]
"""A part in its row, or an arrow (``importer -> imported``) where it passes a row."""


def drawing(checkout: Checkout) -> str:
    """The drawing as SVG, the same text for the same imports."""
    layers = layers_of(checkout.root)
    arrows = reduced({part: others for part, others in ImportGraph(checkout).by_part.items() if part != "__init__"})
    row = {part: len(layers) - 1 - level for level, parts in enumerate(layers) for part in parts if part in arrows}
    paths = {
        (part, other): [(part, row[part]), *_passing(part, other, row), (other, row[other])]
        for part in sorted(arrows)
        for other in sorted(arrows[part])
        if other in row
    }
    rows = _ordered(row, list(paths.values()))
    x = _placed(rows, list(paths.values()))
    width = max(x[node] + _width(node) / 2 for nodes in rows for node in nodes) + MARGIN
    height = ROW * (len(rows) - 1) + BOX_HEIGHT + 2 * MARGIN
    lines = [_line([(x[node], node[1]) for node in path]) for path in paths.values()]
    boxes = [_box(part, x[part, r], r) for part, r in sorted(row.items(), key=lambda item: (item[1], item[0]))]
    return "\n".join([*_head(width, height, arrows), *lines, *boxes, "</svg>", ""])


def _passing(part: str, other: str, row: Mapping[str, int]) -> list[Node]:
    return [(f"{part} -> {other}", r) for r in range(row[part] + 1, row[other])]


def _width(node: Node) -> float:
    return THREAD if "->" in node[0] else len(node[0]) * LETTER + 24


def _neighbours(paths: Sequence[Sequence[Node]]) -> dict[Node, list[Node]]:
    found: dict[Node, list[Node]] = {}
    for path in paths:
        for upper, lower in pairwise(path):
            found.setdefault(upper, []).append(lower)
            found.setdefault(lower, []).append(upper)
    return found


def _ordered(row: Mapping[str, int], paths: Sequence[Sequence[Node]]) -> list[list[Node]]:
    """The nodes of every row, so that few lines cross: each by the mean place of its neighbours (Sugiyama 1981)."""
    nodes = sorted({(part, r) for part, r in row.items()} | {node for path in paths for node in path})
    rows = [[node for node in nodes if node[1] == r] for r in range(max(row.values()) + 1)]
    near = _neighbours(paths)
    place = {node: (number + 0.5) / len(row_nodes) for row_nodes in rows for number, node in enumerate(row_nodes)}
    for sweep in range(SWEEPS):
        for row_nodes in rows if sweep % 2 else reversed(rows):
            mean = {n: sum(place[o] for o in near[n]) / len(near[n]) if n in near else place[n] for n in row_nodes}
            row_nodes.sort(key=lambda n: (mean[n], n))
            place |= {node: (number + 0.5) / len(row_nodes) for number, node in enumerate(row_nodes)}
    return rows


def _placed(rows: Sequence[Sequence[Node]], paths: Sequence[Sequence[Node]]) -> dict[Node, float]:
    """Where the middle of every node is: near its neighbours, in the order of its row, none over another."""
    near = _neighbours(paths)
    x: dict[Node, float] = {}
    for row in rows:
        x |= _spread(row, dict.fromkeys(row, 0.0))
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            x |= _spread(row, {n: sum(x[o] for o in near[n]) / len(near[n]) if n in near else x[n] for n in row})
    left = min(x[node] - _width(node) / 2 for row in rows for node in row)
    return {node: round(place - left + MARGIN, 1) for node, place in x.items()}


def _spread(row: Sequence[Node], wanted: Mapping[Node, float]) -> dict[Node, float]:
    """The wanted places, moved apart as far as the widths need; groups that touch keep their mean."""
    groups: list[list[Node]] = []
    starts: list[float] = []
    for node in row:
        groups.append([node])
        starts.append(wanted[node] - _width(node) / 2)
        while len(groups) > 1 and starts[-2] + _extent(groups[-2]) + GAP > starts[-1]:
            group = groups[-2] + groups[-1]
            del groups[-1], starts[-1]
            groups[-1] = group
            starts[-1] = sum(wanted[n] - offset for n, offset in _offsets(group)) / len(group)
    return {n: start + offset for group, start in zip(groups, starts, strict=True) for n, offset in _offsets(group)}


def _extent(group: Sequence[Node]) -> float:
    return sum(map(_width, group)) + GAP * (len(group) - 1)


def _offsets(group: Sequence[Node]) -> Iterator[tuple[Node, float]]:
    at = 0.0
    for node in group:
        yield node, at + _width(node) / 2
        at += _width(node) + GAP


def _head(width: float, height: float, arrows: Mapping[str, frozenset[str]]) -> Iterator[str]:
    told = "; ".join(f"{part} imports {', '.join(sorted(others))}" for part, others in sorted(arrows.items()) if others)
    size = f'viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="14"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>'
    yield "<title>Which part of nas-fusion imports which</title>"
    yield f"<desc>{escape(told)}.</desc>"
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'


def _line(points: Sequence[tuple[float, int]]) -> str:
    (x, row), *others = points
    y = MARGIN + row * ROW + BOX_HEIGHT
    text = f"M{x:g} {y}"
    for at, lower in others:
        top = MARGIN + lower * ROW
        bend = (top - y) / 2
        text += f"C{x:g} {y + bend:g} {at:g} {top - bend:g} {at:g} {top}"
        if (at, lower) != others[-1]:
            text += f"V{top + BOX_HEIGHT}"
        x, y = at, top + BOX_HEIGHT
    return f'<path d="{text}" fill="none" stroke="#7b8794" stroke-width="1.2"/>'


def _box(part: str, x: float, row: int) -> str:
    width, y = _width((part, row)), MARGIN + row * ROW
    shape = f'<rect x="{x - width / 2:g}" y="{y}" width="{width:g}" height="{BOX_HEIGHT}" rx="6"'
    words = f'<text x="{x:g}" y="{y + 20}" text-anchor="middle" fill="#1f2933">{part}</text>'
    return f'{shape} fill="{HUES.get(part, PLAIN)}" stroke="#52606d"/>{words}'
