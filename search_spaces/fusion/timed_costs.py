"""What the parts of a space's designs cost by the clock: milliseconds, estimated from a few timed designs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression
from torch import nn

from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign, candidate_sources
from nas_fusion.measures import CostTable, LatencyTable, Mode
from nas_fusion.search_spaces.fusion.design_set import DesignSet
from nas_fusion.search_spaces.fusion.fusion_space import FusionSpace
from nas_fusion.training import seeded

PASSES = 2
"""Every design is timed so often, in rounds, and the shortest time counts: what else the machine does only adds."""

SMALLEST_MARGIN = 0.1
"""Estimates are raised by at least this share before they are held against a limit."""

Time = Callable[[nn.Module], float]
"""Milliseconds per batch of a model."""


def measure_latency_table(space: FusionSpace, time: Time) -> LatencyTable:
    """Time a few designs of a space, always the same ones in the same order, and fit what each part takes.

    A design's latency is taken to be the sum of a constant, one number per shallow and per deep block (per variant,
    where there is a choice), and per operation one number and another for every input; the numbers are those that fit
    best (least squares of the relative error) of those that are not negative. A soft model's mixture of operations
    counts like an operation.

    Args:
        space: its `sketch` makes the models.
        time: measures one.
    """
    designs = timing_designs(space.designs)
    with seeded(0):  # the models get weights, which must not change what is drawn after them
        times = np.min([[time(space.sketch(*design)) for design in designs] for _ in range(PASSES)], axis=0)
    parts = np.array([_parts_of(*design, space.designs) for design in designs])
    # Both sides divided by the times: what counts is the relative error, or the slowest designs would decide alone.
    fit = LinearRegression(fit_intercept=False, positive=True).fit(parts / times[:, None], np.ones(len(times)))
    late = times / np.maximum(parts @ fit.coef_, 1e-9) - 1
    return LatencyTable(_table(fit.coef_, space), max(SMALLEST_MARGIN, float(np.quantile(late, 0.9))))


def timing_designs(designs: DesignSet) -> list[tuple[FusionDesign, Mode]]:
    """Which designs are timed: small ones, so that a wide space can be timed in a short while.

    Per operation, and for the mixture of all: the output merges the embedding; it merges four blocks; a deep block
    merges two. And chains through crosses and deep blocks, and through one block of every variant where there are any.
    """
    plain = designs.operations[0]

    def design(target: str, operation: str, *connections: tuple[str, str], **variants: str) -> FusionDesign:
        return designs.build(connections, plain, variants).changed(operations={target: operation})

    start, crossed = (EMBEDDING, "cross0"), (EMBEDDING, "cross1")
    to_deep, deep_out = (EMBEDDING, "deep1"), ("deep1", OUTPUT)
    into_output = [(source, OUTPUT) for source in (EMBEDDING, "cross0", "cross1", "deep1")]

    def merging_by(operation: str) -> list[FusionDesign]:
        return [
            design(OUTPUT, operation, (EMBEDDING, OUTPUT)),
            design("deep1", operation, start, to_deep, ("cross0", "deep1"), deep_out),
            design(OUTPUT, operation, start, crossed, to_deep, *into_output),
        ]

    hard = [
        design(OUTPUT, plain, to_deep, deep_out),
        design(OUTPUT, plain, start, ("cross0", OUTPUT)),
        design(OUTPUT, plain, crossed, to_deep, ("cross1", OUTPUT), deep_out),
        *chain.from_iterable(map(merging_by, designs.operations)),
        *(design(OUTPUT, plain, start, ("cross0", OUTPUT), cross0=variant) for variant in designs.shallow),
        *(design(OUTPUT, plain, to_deep, deep_out, deep1=variant) for variant in designs.deep),
    ]
    return [*((one, "hard") for one in hard), *((one, "soft") for one in merging_by(plain))]


def _parts_of(design: FusionDesign, mode: Mode, designs: DesignSet) -> list[float]:
    """How often it has what is fitted: 1, shallow and deep blocks; uses and inputs by operation and of the mixture.

    Blocks by variant, where there are any.
    """
    live = [block for block in design.live_blocks() if block != EMBEDDING]
    by = {block: design.operation(block) if mode == "hard" else None for block in dict(design.operations)}
    counts: list[float] = [1]
    for place, variants in (("cross", designs.shallow), ("deep", designs.deep)):
        standing = [design.variant(b) for b in live if b.startswith(place)]
        counts += [standing.count(variant) for variant in variants or (None,)]
    for operation in (*designs.operations, None):
        used = [len(design.sources(b)) for b in live if b in by and by[b] == operation and design.sources(b)]
        counts += [len(used), sum(used)]
    return counts


def _table(fitted: npt.NDArray[np.float64], space: FusionSpace) -> CostTable:
    designs, numbers = space.designs, iter(fitted.tolist())
    fixed = next(numbers)
    # Without a choice there is one number for all shallow blocks, and one for all deep ones.
    shallow = [next(numbers) for _ in designs.shallow or (None,)]
    deep = [next(numbers) for _ in designs.deep or (None,)]
    merging = list(numbers)
    counts = range(len(candidate_sources(OUTPUT, space.levels)) + 1)
    *by_operation, mixture = [
        # Nothing to merge takes no time: the operation is cut out there.
        tuple(own + per_input * k if k else 0.0 for k in counts)
        for own, per_input in zip(merging[::2], merging[1::2], strict=True)
    ]
    return CostTable(
        unit="milliseconds per batch",
        fixed=fixed,
        shallow=shallow[0],
        deep=deep[0],
        operations=dict(zip(designs.operations, by_operation, strict=True)),
        mixture=mixture,
        partial_mixture=mixture,
        shallow_variants=_alike(designs.shallow, shallow),
        deep_variants=_alike(designs.deep, deep),
    )


def _alike(names: Sequence[str], costs: Sequence[float]) -> dict[str, tuple[float, float]]:
    """By variant: what it takes, and as much where its input is always zero; none where there is no choice."""
    return {name: (cost, cost) for name, cost in zip(names, costs, strict=False)}
