"""Deriving a legal design from choices that were made one by one."""

from __future__ import annotations

from collections.abc import Mapping

from nas_fusion.design import EMBEDDING, Connection, FusionDesign, candidate_sources


def make_legal(design: FusionDesign, scores: Mapping[Connection, float]) -> FusionDesign:
    """Open as few connections as needed for the embedding to reach the output.

    A block on the way to the output that has no open input gets its candidate input with the largest score (for
    OptFusion the gate's α, for DARTS the probability of being open), output first, then upstream, until the
    embedding is reached. A legal design is returned as it is.
    """
    while not design.is_legal:
        live = design.live_blocks()
        block = next(b for b in reversed(live) if b != EMBEDDING and not design.sources(b))
        best = max(candidate_sources(block, design.levels), key=lambda source: scores[source, block])
        design = FusionDesign(design.levels, (*design.connections, (best, block)), design.operations)
    return design
