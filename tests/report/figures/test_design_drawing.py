"""Drawings of designs: geometry, SVG, words."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from nas_fusion.design import FusionDesign, block_names
from nas_fusion.records import CellRecord
from nas_fusion.report import design_dot, design_text, draw_design
from nas_fusion.report.design_words import design_words
from nas_fusion.report.figures.design_layout import Box, lay_out
from tests.report.report_fakes import cell, comparison_model, open_design, random_design, stacked_design

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


@pytest.mark.parametrize("design", DESIGNS)
def test_the_crosses_read_the_embedding_by_a_wire(design: FusionDesign) -> None:
    text = draw_design(design)
    root = ElementTree.fromstring(text)
    read = {p.attrib["data-reads"] for p in root.iter(f"{SVG}path") if "data-reads" in p.attrib}
    assert read == {block for block in design.live_blocks() if block.startswith("cross")}
    assert ("every cross reads the embedding" in text) == bool(read)
    layout = lay_out(design)
    for block in read:
        assert layout.wire < layout.boxes[block].y - layout.boxes[block].height / 2


def numbers_and_widths(svg: str) -> tuple[list[str], list[float]]:
    root = ElementTree.fromstring(svg)
    texts = [str(t.text) for t in root.iter(f"{SVG}text") if t.attrib.get("class") == "lost"]
    lines = [p for p in root.iter(f"{SVG}path") if "data-connection" in p.attrib]
    return texts, [float(p.attrib["stroke-width"]) for p in lines]


def test_a_line_has_its_number_and_a_width_by_the_scale_that_is_asked_for() -> None:
    design = FusionDesign.build(1, [("embedding", "deep1"), ("deep1", "output")], "add")
    lost = {("embedding", "deep1"): 0.02, ("deep1", "output"): -0.001}
    alone = draw_design(design, importance=lost)
    assert numbers_and_widths(alone) == (["0.0200", "-0.0010"], [0.9, 6.0])  # by source
    assert "the widest of this design is 0.0200" in alone
    shared = draw_design(design, importance=lost, widest=0.08)
    assert numbers_and_widths(shared) == (["0.0200", "-0.0010"], [0.9, pytest.approx(0.9 + 5.1 / 4, abs=0.01)])
    assert "the widest of all designs of this report is 0.0800" in shared
    assert numbers_and_widths(draw_design(design)) == ([], [1.8, 1.8])


def test_the_designs_of_a_report_share_a_scale() -> None:
    def found(name: str, lost: float) -> CellRecord:
        return cell(name, 0, details={"importance": {"embedding -> deep1": lost, "deep1 -> deep2": lost / 2}})

    model = comparison_model([found("tpe", 0.02), found("random", 0.08), cell("darts", 0)])
    assert model.most_lost == 0.08
    assert comparison_model([cell("darts", 0)]).most_lost is None


@pytest.mark.parametrize("design", DESIGNS)
def test_dot_holds_the_same_graph(design: FusionDesign) -> None:
    text = design_dot(design)
    edges = re.findall(r"^  (\w+) -> (\w+) \[(.*)\];$", text, re.MULTILINE)
    wires = {target for _, target, look in edges if 'class="wire"' in look}
    assert {(s, t) for s, t, look in edges if 'class="wire"' not in look} == set(design.connections)
    assert wires == {block for block in design.live_blocks() if block.startswith("cross")}
    nodes = dict(re.findall(r"^  (\w+) \[(label=.*)\];$", text, re.MULTILINE))
    assert list(nodes) == list(block_names(design.levels))
    assert {b for b, look in nodes.items() if "dashed" not in look} == set(design.live_blocks())
    for block, operation in design.operations:
        assert f'\\n{operation}"' in nodes[block]


def test_graphviz_reads_dot() -> None:
    if shutil.which("dot") is None:
        pytest.skip("no Graphviz on this machine")
    odd = 'a "title" \\ with\nlines <b>'
    design = FusionDesign.build(2, [("embedding", "cross1"), ("cross1", "output")], 'o"p\\')
    lost = {("embedding", "cross1"): 0.0123}
    text = design_dot(design, title=odd, importance=lost)
    found = json.loads(subprocess.run(["dot", "-Tjson"], input=text, capture_output=True, text=True, check=True).stdout)
    assert {o["name"] for o in found["objects"] if "nodes" not in o} == set(block_names(2))
    names = {o["_gvid"]: o["name"] for o in found["objects"]}
    drawn = {(names[e["tail"]], names[e["head"]], e.get("label"), e.get("class")) for e in found["edges"]}
    assert drawn == {
        ("embedding", "cross1", "0.0123", None),
        ("cross1", "output", "", None),
        ("embedding", "cross1", "", "wire"),
    }


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
    residual = FusionDesign.build(1, example().connections, "residual-product")
    assert design_words(residual)[1] == "Deep 1 multiplies one plus each of the embedding and cross 0, less one."
    other = FusionDesign.build(
        1, [("cross0", "cross1"), ("embedding", "output"), ("cross1", "output"), ("deep1", "output")], "gated"
    )
    assert design_words(other) == [
        "Cross 0 has no open input.",
        "Cross 1 takes cross 0 alone (gated).",
        "Deep 1 has no open input.",
        "The output merges the embedding, cross 1 and deep 1 by gated.",
    ]
