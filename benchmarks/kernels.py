"""Training steps of supernets and hard designs against the published code (`benchmarks.peers.published`).

The sides run in turns, from the same weights, with the same batch and the same optimiser. Threads are torch's own
choice; `OMP_NUM_THREADS` says otherwise.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._harness import Options, Row, quartiles_ms, take_turns
from benchmarks._steps import (
    FEATURES_PER_FIELD,
    FIELDS,
    has_fast_bfloat16,
    random_batch,
    supernet,
    training_step,
)
from benchmarks.peers.published import PublishedModel
from nas_fusion.design import OPERATIONS, FusionDesign, candidate_sources, fused_blocks
from nas_fusion.search_spaces import FusionSpace

Batch = tuple[Tensor, Tensor]
"""Ids and labels."""

LEVELS, WIDTHS = 3, (100, 160)
HARD_WIDTH = 100
CLOSED = (0.0, 0.3, 0.5)
"""Shares of the gates."""

SUPERNET_AIMS = {0.0: 1.4, 0.3: 2.0, 0.5: 2.6}
HARD_AIMS = {0.0: 1.5, 0.3: 2.4, 0.5: 3.5}
BFLOAT16_AIM = 4.0
"""At 30 % closed, against the published code in float32."""


def run(options: Options) -> Iterator[Row]:
    """Supernets of two widths, then hard designs; batch 4096, three levels."""
    rows, widths, hard = (256, (20,), 20) if options.quick else (4096, WIDTHS, HARD_WIDTH)
    batch = random_batch(rows, options.device)
    for width in widths:
        for closed in CLOSED:
            yield from _supernet_steps(width, closed, batch, options)
    for closed in CLOSED:
        yield _hard_steps(hard, closed, batch, options)
    for operation in OPERATIONS:
        case = f"hard, width {hard}, 0% closed, {operation} in every block"
        yield _hard_row(case, hard, [closed_design(0.0, operation)], batch, options, None)


def _supernet_steps(width: int, closed: float, batch: Batch, options: Options) -> Iterator[Row]:
    space = supernet(width, closed, LEVELS)
    weights = space.state_dict()
    theirs, theirs_low = (_published(width, None).take_weights(weights).to(options.device) for _ in range(2))
    ours, ours_low = space.to(options.device), supernet(width, closed, LEVELS).to(options.device)
    case = f"supernet, width {width}, {closed:.0%} closed"
    on_cpu = options.device == "cpu"
    sides = [training_step(model, *batch) for model in (theirs, ours)]
    times = take_turns(sides, options.repeats)
    yield _row(f"{case}, float32", times[0], times[1], SUPERNET_AIMS[closed] if on_cpu else None)
    # Without instructions for it bfloat16 says nothing of anybody's code.
    if not has_fast_bfloat16(options.device):
        return
    low = [training_step(model, *batch, precision="bf16") for model in (theirs_low, ours_low)]
    full, theirs_s, ours_s = take_turns([sides[0], *low], options.repeats)
    aim = BFLOAT16_AIM if on_cpu and closed == 0.3 else None
    yield _row(f"{case}, ours in bfloat16, theirs in float32", full, ours_s, aim)
    yield _row(f"{case}, both in bfloat16", theirs_s, ours_s, None)


def _hard_steps(width: int, closed: float, batch: Batch, options: Options) -> Row:
    designs = [closed_design(closed, operations, seed) for seed, operations in enumerate(balanced_operations())]
    case = f"hard, width {width}, {closed:.0%} closed, {len(designs)} designs of all operations"
    return _hard_row(case, width, designs, batch, options, HARD_AIMS[closed] if options.device == "cpu" else None)


def _hard_row(
    case: str, width: int, designs: Sequence[FusionDesign], batch: Batch, options: Options, aim: float | None
) -> Row:
    times: list[tuple[list[float], list[float]]] = []
    space = _space(width)
    for design in designs:
        theirs = _published(width, design).take_weights(space.state_dict()).to(options.device)
        ours = space.derive(design).to(options.device)
        with torch.inference_mode():
            torch.testing.assert_close(theirs(batch[0]), ours(batch[0]), rtol=1e-3, atol=1e-4)  # the same numbers
        sides = [training_step(model, *batch) for model in (theirs, ours)]
        first, second = take_turns(sides, options.repeats)
        times.append((first, second))
    if len(times) == 1:
        return _row(case, *times[0], aim)
    ratios = [statistics.median(first) / statistics.median(second) for first, second in times]
    details = {"least": f"{min(ratios):.2f}", "most": f"{max(ratios):.2f}"}
    for side, name in enumerate(("theirs ms", "ours ms")):
        details[name] = "; ".join(quartiles_ms(pair[side]) for pair in times)
    return Row(case, statistics.geometric_mean(ratios), "×", aim, details)


def _row(case: str, theirs: Sequence[float], ours: Sequence[float], aim: float | None) -> Row:
    details: dict[str, Any] = {"theirs ms": quartiles_ms(theirs), "ours ms": quartiles_ms(ours)}
    return Row(case, statistics.median(theirs) / statistics.median(ours), "×", aim, details)


def _published(width: int, design: FusionDesign | None) -> PublishedModel:
    return PublishedModel([FEATURES_PER_FIELD] * FIELDS, width // FIELDS, LEVELS, design)


def _space(width: int) -> FusionSpace:
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=[FEATURES_PER_FIELD] * FIELDS, levels=LEVELS, emb_dim=width // FIELDS)
    for name, parameter in space.named_parameters():
        # A cross without input is its bias, and the published product drops what is zero throughout.
        if name.endswith(".bias"):
            nn.init.normal_(parameter, std=0.1)
    return space


def balanced_operations() -> list[dict[str, str]]:
    """For as many designs as there are operations, one for each block: every block has every operation once."""
    generator = np.random.default_rng(0)
    orders = {block: generator.permutation(len(OPERATIONS)) for block in fused_blocks(LEVELS)}
    return [{block: OPERATIONS[order[i]] for block, order in orders.items()} for i in range(len(OPERATIONS))]


def closed_design(closed: float, operations: dict[str, str] | str, seed: int = 0) -> FusionDesign:
    """A design with a share of every fused block's inputs closed, by chance, but the same ones every time."""
    generator = np.random.default_rng(seed)
    connections = [("embedding", "cross0")]
    for block in fused_blocks(LEVELS):
        sources = candidate_sources(block, LEVELS)
        dropped = set(generator.permutation(len(sources))[: round(closed * len(sources))].tolist())
        connections += [(source, block) for j, source in enumerate(sources) if j not in dropped]
    return FusionDesign.build(LEVELS, connections, operations)
