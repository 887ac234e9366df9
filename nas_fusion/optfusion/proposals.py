"""Designs drawn as a supernet's gates and mixtures weigh them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from nas_fusion.design import Connection, FusionDesign, candidate_connections, fused_blocks
from nas_fusion.search_spaces import DesignSet, make_legal


def propose(
    derived: FusionDesign,
    gates: Mapping[Connection, float],
    mixture: Mapping[str, Mapping[str, float]],
    gate_start: float,
    designs: DesignSet,
    rng: np.random.Generator,
    variants: Mapping[str, Mapping[str, float]] | None = None,
) -> Iterator[FusionDesign]:
    """The derived design, its connections with the space's first operation everywhere, then draws, without end.

    The second one is a hedge: what an operation is worth in a mixture says little about what it is worth alone, and the
    first published operation, the sum, has no weights and trains wherever the others may not.

    A connection is open with the probability ``sigmoid(α / gate_start)``: one half where its gate is about to close,
    .73 where the gate stands as it started. A block's operation is drawn from ``softmax(β)``.

    Args:
        derived: the design of all gates and largest weights.
        gates: α by connection.
        mixture: ``softmax(β)`` by block and operation.
        gate_start: the α with which gates started.
        designs: of the space.
        rng: source of randomness.
        variants: ``softmax(γ)`` by block and variant, where there are any; drawn as operations are.

    Yields:
        Legal designs of the space; those above its limits are among them, and repetitions.
    """
    yield derived
    connections, blocks = candidate_connections(designs.levels), fused_blocks(designs.levels)
    yield derived.changed(operations=dict.fromkeys(blocks, designs.operations[0]))
    alpha = np.array([gates[c] for c in connections])
    # tanh: no overflow, however far a gate has gone.
    open_probability = 0.5 * (1 + np.tanh(alpha / gate_start / 2))
    while True:
        is_open = rng.random(len(connections)) < open_probability
        operations = {b: _drawn(mixture[b], rng) for b in blocks}
        chosen = {b: _drawn(shares, rng) for b, shares in (variants or {}).items()}
        opened = [c for c, keep in zip(connections, is_open, strict=True) if keep]
        # A draw may close every way to the output; then the gates with the largest α open again.
        yield make_legal(FusionDesign.build(designs.levels, opened, operations, chosen), gates)


def _drawn(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    values = np.array(list(weights.values()))
    # Softmax in float arithmetic adds up to 1 but for the last digit, which numpy's choice does not forgive.
    return str(rng.choice(list(weights), p=values / values.sum()))
