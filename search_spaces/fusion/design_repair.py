"""Repairing a design whose choices were made one by one: open what it lacks, close what costs much for its worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nas_fusion.design import EMBEDDING, Connection, FusionDesign, candidate_sources
from nas_fusion.errors import DesignError
from nas_fusion.measures import Limits, Mode

OperationScores = Mapping[str, Mapping[str, float]]
"""How good each operation is, by block and name, from 0 to 1."""


@dataclass(frozen=True)
class Scores:
    """What a search thinks of every choice.

    Args:
        connections: how much each should be open, 0 being undecided (OptFusion's α, DARTS' log-odds); 0 if missing.
        operations: see `OperationScores`; 0 if missing.
        variants: the same of what may stand in a block's place.
    """

    connections: Mapping[Connection, float]
    operations: OperationScores
    variants: OperationScores = field(default_factory=dict)

    def worth(self, design: FusionDesign) -> float:
        """What a design keeps: σ(score) of every connection, the score of every operation and variant that it uses."""
        live = set(design.live_blocks())
        kept = sum(_sigmoid(self.connections.get(c, 0.0)) for c in design.connections if c[1] in live)
        for scores, chosen in ((self.operations, design.operations), (self.variants, design.variants)):
            kept += sum(scores.get(block, {}).get(name, 0.0) for block, name in chosen if block in live)
        return kept


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
        design = design.changed(connections=(*design.connections, (best, block)))
    return design


def make_affordable(design: FusionDesign, scores: Scores, limits: Limits, mode: Mode = "hard") -> FusionDesign:
    """Bring a legal design below its limits, step by step; one that keeps them is returned as it is.

    A step closes one connection (and, where that was a block's last input, those out of the block, which would be a
    constant), or changes one block's operation or variant, such that the design stays legal; of all steps the one is
    taken that loses least worth (`Scores.worth`) per cost saved. Where no such step saves anything, a block is given
    one input instead, which may be one that was closed.

    Raises:
        DesignError: no design keeps the limits.
    """
    excess = limits.excess(design, mode)
    # Greedy, one choice a step: an exact answer would be a knapsack over all choices at once.
    while excess:
        cheaper = _best_step(design, excess, _closings(design, limits), scores, limits, mode)
        cheaper = cheaper or _best_step(design, excess, _single_inputs(design), scores, limits, mode)
        if cheaper is None:
            affordable = limits.affordable_design(design.levels, mode)
            if affordable is None:
                raise DesignError(f"no design keeps the limits: {limits.problem(design, mode)}")
            return affordable
        design = cheaper
        excess = limits.excess(design, mode)
    return design


def _best_step(
    design: FusionDesign,
    excess: float,
    steps: Iterator[FusionDesign],
    scores: Scores,
    limits: Limits,
    mode: Mode,
) -> FusionDesign | None:
    worth = scores.worth(design)
    best, best_price = None, math.inf
    for step in steps:
        if not step.is_legal:
            continue
        saved = excess - limits.excess(step, mode)
        if saved > 0:
            price = (worth - scores.worth(step)) / saved
            if price < best_price:  # the first of equals, in the order of the computation
                best, best_price = step, price
    return best


def _closings(design: FusionDesign, limits: Limits) -> Iterator[FusionDesign]:
    live = set(design.live_blocks())
    for connection in design.connections:
        if connection[1] in live:
            yield _without(design, connection)
    table = limits.limits[0].table
    for block, operation in design.operations:
        if block in live:
            yield from (design.changed(operations={block: o}) for o in table.operations if o != operation)
    for block, variant in design.variants:
        if block in live:
            yield from (design.changed(variants={block: v}) for v in table.variants_of(block) if v != variant)


def _without(design: FusionDesign, connection: Connection) -> FusionDesign:
    left, closed = set(design.connections), [connection]
    while closed:
        source, target = closed.pop()
        left.discard((source, target))
        # That was its last input: what it would pass on is the same for every row.
        if not any(t == target for _, t in left):
            closed += [c for c in left if c[0] == target]
    return design.changed(connections=left)


def _single_inputs(design: FusionDesign) -> Iterator[FusionDesign]:
    for block in design.live_blocks():
        if block != EMBEDDING:
            others = tuple(c for c in design.connections if c[1] != block)
            for source in candidate_sources(block, design.levels):
                yield design.changed(connections=(*others, (source, block)))


def _sigmoid(score: float) -> float:
    # Below that the exponential overflows.
    return 1 / (1 + math.exp(-score)) if score > -700 else 0.0
