"""A design in DOT, the language of Graphviz, for whoever draws graphs with tools of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas_fusion.design import EMBEDDING, Connection, FusionDesign, block_names, fused_blocks
from nas_fusion.report.design_words import block_label, dead_blocks
from nas_fusion.report.escapes import dot_text
from nas_fusion.report.figures.design_drawing import LINE, THICK, THIN
from nas_fusion.report.figures.series_styles import DEAD, MUTED, operation_colours, source_colour
from nas_fusion.report.numbers.found_designs import widths


def design_dot(
    design: FusionDesign,
    *,
    title: str = "fusion design",
    importance: Mapping[Connection, float] | None = None,
    widest: float | None = None,
) -> str:
    """Write the graph that `draw_design` draws: blocks, open connections, and the dotted wires of the crosses.

    Nodes have the blocks' names as identifiers and their labels and operations as labels; an edge that reads the
    embedding has ``class="wire"``. ``dot -Tsvg`` draws it from left to right.

    Args:
        design: any design, legal or not.
        title: of the graph.
        importance, widest: as of `draw_design`; the number is the edge's label.
    """
    dead = set(dead_blocks(design))
    lost = importance or {}
    wide = widths(lost, THIN, THICK, max(lost.values(), default=0.0) if widest is None else widest)
    lines = [
        f"digraph {dot_text(title)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=9];',
        *(_node(design, block, block in dead) for block in block_names(design.levels)),
        *(f"  {{ rank=same; {'; '.join(level)}; }}" for level in _levels(design)),
        *(_edge(c, c[1] in dead, wide.get(c, LINE), lost.get(c)) for c in design.connections),
        *(_wire(block) for block in design.live_blocks() if block.startswith("cross")),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _levels(design: FusionDesign) -> Sequence[tuple[str, str]]:
    return [(f"cross{level}", f"deep{level}") for level in range(1, design.levels + 1)]


def _attributes(values: Mapping[str, str | float]) -> str:
    return ", ".join(f"{n}={dot_text(v) if isinstance(v, str) else f'{v:.2f}'}" for n, v in values.items())


def _node(design: FusionDesign, block: str, dead: bool) -> str:
    operation = design.operation(block) if block in fused_blocks(design.levels) else None
    lines = (block_label(block), design.variant(block), operation)
    label = "\n".join(line for line in lines if line is not None)
    edge, fill = operation_colours(operation)
    look = {"color": edge, "fillcolor": fill}
    if dead:
        look = {"style": "rounded,dashed", "color": DEAD, "fontcolor": MUTED}
    return f"  {block} [{_attributes({'label': label, **look})}];"


def _edge(connection: Connection, dead: bool, width: float, lost: float | None) -> str:
    source, target = connection
    look: dict[str, str | float] = {"color": DEAD, "style": "dashed"} if dead else {"color": source_colour(source)}
    number = {} if lost is None else {"label": f"{lost:.4f}"}
    return f"  {source} -> {target} [{_attributes({**look, 'penwidth': width, **number})}];"


def _wire(block: str) -> str:
    """A cross reads the embedding beside what it takes; only the first one's place in the drawing comes from that."""
    look = {"class": "wire", "style": "dotted", "color": source_colour(EMBEDDING)}
    look |= {} if block == "cross0" else {"constraint": "false"}
    return f"  {EMBEDDING} -> {block} [{_attributes(look)}];"
