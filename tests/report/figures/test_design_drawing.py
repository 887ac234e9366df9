"""Drawings of designs: geometry, SVG, words."""

from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from nas_fusion.design import FusionDesign, block_names
from nas_fusion.report import design_text, draw_design
from nas_fusion.report.design_words import design_words
from nas_fusion.report.figures.design_layout import Box, lay_out
from tests.report.report_fakes import open_design, random_design, stacked_design

SVG = "{http://www.w3.org/2000/svg}"
DESIGNS = [
    *(random_design(levels, seed, 0.4) for levels in (1, 2, 3, 5) for seed in range(3)),
    *(open_design(levels) for levels in (1, 3, 6)),
    stacked_design(3),
]


def overlap(a: Box, b: Box) -> bool:
    return abs(a.x - b.x) < a.width and abs(a.y - b.y) < (a.height + b.height) / 2


@pytest.mark.parametrize("design", DESIGNS)
def test_svg_is_well_formed_and_complete(design: FusionDesign) -> None:
    root = ElementTree.fromstring(draw_design(design, title="a < b & c"))
    blocks = {g.attrib["data-block"]: g for g in root.iter(f"{SVG}g") if "data-block" in g.attrib}
    assert set(blocks) == set(block_names(design.levels))
    live = {b for b, g in blocks.items() if g.attrib["class"] == "block"}
    assert live == set(design.live_blocks())
    for block, operation in design.operations:
        assert operation in [t.text for t in blocks[block].iter(f"{SVG}text")]
    drawn = {p.attrib["data-connection"] for p in root.iter(f"{SVG}path") if "data-connection" in p.attrib}
    assert drawn == {f"{s}-{t}" for s, t in design.connections}
    assert root.findtext(f"{SVG}title") == "a < b & c"


@pytest.mark.parametrize("design", DESIGNS)
def test_nothing_overlaps(design: FusionDesign) -> None:
    layout = lay_out(design)
    boxes = list(layout.boxes.values())
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    for box in boxes:
        assert box.x > 0
        assert box.x + box.width < layout.width
        assert box.y - box.height / 2 > 0
        assert box.y + box.height / 2 < layout.height


@pytest.mark.parametrize("design", DESIGNS)
def test_lines_keep_apart(design: FusionDesign) -> None:
    layout = lay_out(design)
    lanes: dict[float, str] = {}
    for (source, target), curve in layout.curves.items():
        box = layout.boxes[target]
        assert abs(curve.y1 - box.y) < box.height / 2
        if curve.lane is not None:
            assert lanes.setdefault(curve.lane, source) == source
            passed = [b for b in layout.boxes.values() if curve.x0 < b.x < curve.x1 - 1]
            assert all(abs(b.y - curve.lane) > b.height / 2 for b in passed)
    assert all(b - a > 8 for a, b in pairwise(sorted(lanes)))
    for block in layout.boxes:
        ports = sorted(c.y1 for (_, target), c in layout.curves.items() if target == block)
        assert all(b - a > 7 for a, b in pairwise(ports))


def test_a_long_operation_name_is_shrunk_to_its_block() -> None:
    design = FusionDesign.build(1, [("embedding", "output")], "a-very-long-operation-of-a-plug-in")
    sizes = {float(t.attrib["font-size"]) for t in ElementTree.fromstring(draw_design(design)).iter(f"{SVG}text")}
    assert min(sizes) * 0.6 * 34 <= 96


def test_drawing_needs_nothing_from_outside() -> None:
    text = draw_design(open_design(3)).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in text
    assert "url(" not in text


def example() -> FusionDesign:
    connections = [
        ("embedding", "cross0"),
        ("embedding", "deep1"),
        ("cross0", "deep1"),
        ("embedding", "cross1"),
        ("embedding", "output"),
        ("deep1", "output"),
    ]
    return FusionDesign.build(1, connections, {"cross1": "add", "deep1": "product", "output": "attention"})


def test_design_text() -> None:
    assert design_text(example()).splitlines() == [
        "embedding",
        "cross0    <- embedding",
        "deep1     <- product(embedding, cross0)",
        "output    <- attention(embedding, deep1)",
        "cut: cross1 (cannot reach the output)",
    ]


def test_design_words() -> None:
    assert design_words(example()) == [
        "Cross 0 takes the embedding.",
        "Deep 1 multiplies the embedding and cross 0.",
        "The output weighs the embedding and deep 1 by attention and adds them.",
        "Cut, because no open path leads to the output: cross 1.",
    ]
    other = FusionDesign.build(
        1, [("cross0", "cross1"), ("embedding", "output"), ("cross1", "output"), ("deep1", "output")], "gated"
    )
    assert design_words(other) == [
        "Cross 0 has no open input.",
        "Cross 1 takes cross 0 alone (gated).",
        "Deep 1 has no open input.",
        "The output merges the embedding, cross 1 and deep 1 by gated.",
    ]
