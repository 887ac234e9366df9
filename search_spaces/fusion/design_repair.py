"""Repairing a design whose choices were made one by one: open what it lacks, close what costs much for its worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
    """

    connections: Mapping[Connection, float]
    operations: OperationScores

    def worth(self, design: FusionDesign) -> float:
        """What a design keeps: σ(score) of every connection, and the score of every operation, that it uses."""
        live = set(design.live_blocks())
        kept = sum(_sigmoid(self.connections.get(c, 0.0)) for c in design.connections if c[1] in live)
        return kept + sum(self.operations.get(b, {}).get(op, 0.0) for b, op in design.operations if b in live)


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


def make_affordable(design: FusionDesign, scores: Scores, limits: Limits, mode: Mode = "hard") -> FusionDesign:
    """Bring a legal design below its limits, step by step; one that keeps them is returned as it is.

    A step closes one connection (and, where that was a block's last input, those out of the block, which would be a
    constant), or changes one block's operation, such that the design stays legal; of all steps the one is taken that
    loses least worth (`Scores.worth`) per cost saved. Where no such step saves anything, a block is given one input
    instead, which may be one that was closed.

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
    for block, operation in design.operations:
        if block in live:
            for other in limits.limits[0].table.operations:
                if other != operation:
                    changed = {**dict(design.operations), block: other}
                    yield FusionDesign.build(design.levels, design.connections, changed)


def _without(design: FusionDesign, connection: Connection) -> FusionDesign:
    left, closed = set(design.connections), [connection]
    while closed:
        source, target = closed.pop()
        left.discard((source, target))
        # That was its last input: what it would pass on is the same for every row.
        if not any(t == target for _, t in left):
            closed += [c for c in left if c[0] == target]
    return FusionDesign(design.levels, tuple(left), design.operations)


def _single_inputs(design: FusionDesign) -> Iterator[FusionDesign]:
    for block in design.live_blocks():
        if block != EMBEDDING:
            others = tuple(c for c in design.connections if c[1] != block)
            for source in candidate_sources(block, design.levels):
                yield FusionDesign(design.levels, (*others, (source, block)), design.operations)


def _sigmoid(score: float) -> float:
    # Below that the exponential overflows.
    return 1 / (1 + math.exp(-score)) if score > -700 else 0.0
