"""A design in words: a line per block for the terminal, a sentence per block for the report."""

from __future__ import annotations

from nas_fusion.architecture import Architecture, Found
from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, block_names, fused_blocks
from nas_fusion.report.number_words import listed

_PHRASES = {
    "add": ("adds", ""),
    "product": ("multiplies", ""),
    "residual-product": ("multiplies one plus each of", ", less one"),
    "concat": ("concatenates", ""),
    "attention": ("weighs", " by attention and adds them"),
    "bilinear": ("adds", " and their products by bilinear maps"),
}
"""What stands before and after the inputs."""


def block_label(block: str) -> str:
    """``cross1`` → ``cross 1``."""
    name = block.rstrip("0123456789")
    return f"{name} {block.removeprefix(name)}".strip()


def standing(design: FusionDesign, block: str) -> str:
    """What stands in a block's place, in brackets and behind a blank; nothing where the space leaves no choice."""
    variant = design.variant(block)
    return "" if variant is None else f" [{variant}]"


def dead_blocks(design: FusionDesign) -> tuple[str, ...]:
    """The blocks that cannot reach the output, in the order of the computation."""
    live = set(design.live_blocks())
    return tuple(b for b in block_names(design.levels) if b not in live)


def design_text(design: Found) -> str:
    """A small drawing for terminals: one line per live block, in the order of the computation; an architecture's text.

    ::

        embedding
        cross0    <- embedding
        deep1     <- product(embedding, cross0)
        output    <- concat(embedding, deep1)
        cut: cross1 (cannot reach the output)
    """
    if isinstance(design, Architecture):
        return design.text
    live = design.live_blocks()
    names = {block: f"{block}{standing(design, block)}" for block in live}
    width = max(map(len, names.values()))
    lines = []
    for block in live:
        inputs = ", ".join(design.sources(block))
        if block in fused_blocks(design.levels):
            inputs = f"{design.operation(block)}({inputs})"
        lines.append(block if block == EMBEDDING else f"{names[block]:{width}} <- {inputs or 'nothing'}")
    dead = dead_blocks(design)
    if dead:
        lines.append(f"cut: {', '.join(dead)} (cannot reach the output)")
    return "\n".join(lines)


def design_words(design: FusionDesign) -> list[str]:
    """One sentence per live block but the embedding, then one on what is cut."""
    sentences = [_sentence(design, b) for b in design.live_blocks() if b != EMBEDDING]
    dead = [block_label(b) for b in dead_blocks(design)]
    if dead:
        sentences.append(f"Cut, because no open path leads to the {OUTPUT}: {listed(dead)}.")
    return sentences


def _sentence(design: FusionDesign, block: str) -> str:
    name = _noun(block)
    name = name[0].upper() + name[1:] + standing(design, block)
    inputs = [_noun(s) for s in design.sources(block)]
    if not inputs:
        return f"{name} has no open input."
    if block not in fused_blocks(design.levels):
        return f"{name} takes {inputs[0]}."
    operation = design.operation(block)
    if len(inputs) == 1:
        return f"{name} takes {inputs[0]} alone ({operation})."
    before, behind = _PHRASES.get(operation, ("merges", f" by {operation}"))
    return f"{name} {before} {listed(inputs)}{behind}."


def _noun(block: str) -> str:
    return f"the {block}" if block in (EMBEDDING, OUTPUT) else block_label(block)
