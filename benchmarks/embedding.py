"""The optimiser's step for large embedding tables: look-up, backward, step."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from benchmarks._harness import Options, Row, compare_times, in_ms, take_turns
from nas_fusion.training import TouchedRowsAdam

BATCH, FIELDS = 4096, 10
DIFFERENT_BATCHES = 8


def run(options: Options) -> Iterator[Row]:
    """Touched rows against torch's plain Adam; fused dense Adam against it too; touched rows by size of the table."""
    scale = 20 if options.quick else 1
    million, large, small = 1_000_000 // scale, 7_000_000 // scale, 100_000
    warm_up = DIFFERENT_BATCHES  # until every page of a table has been touched
    plain, ours, fused = (step(million, 16, kind, options.device) for kind in (plain_adam, touched_rows, fused_adam))
    yield compare_times(f"touched rows, {million:,} × 16", plain, ours, options, aim=5.0, warm_up=warm_up, **memory(16))
    yield compare_times(f"dense, fused, {million:,} × 16", plain, fused, options, warm_up=warm_up)
    del plain, ours, fused
    plain, ours = (step(large, 40, kind, options.device) for kind in (plain_adam, touched_rows))
    yield compare_times(f"touched rows, {large:,} × 40", plain, ours, options, warm_up=warm_up, **memory(40))
    del plain
    times = take_turns([step(small, 40, touched_rows, options.device), ours], 3 * options.repeats, warm_up)
    ratio = statistics.median(times[1]) / statistics.median(times[0])
    details = {f"{small:,} ms": in_ms(times[0]), f"{large:,} ms": in_ms(times[1])}
    yield Row(f"touched rows, time at {large:,} × 40 over {small:,} × 40", ratio, "", 1.3, details, at_most=True)


def plain_adam(parameters: Any) -> torch.optim.Optimizer:
    """What one gets without an option."""
    return torch.optim.Adam(parameters)


def fused_adam(parameters: Any) -> torch.optim.Optimizer:
    """The default of nas-fusion."""
    return torch.optim.Adam(parameters, fused=True)


def touched_rows(parameters: Any) -> torch.optim.Optimizer:
    """``--embedding-optimizer touched-rows-adam``."""
    return TouchedRowsAdam(parameters)


def step(rows: int, width: int, optimizer: Callable[[Any], torch.optim.Optimizer], device: str) -> Callable[[], None]:
    """A step with `BATCH` · `FIELDS` look-ups of different rows, so that every size of table does the same work."""
    table = nn.Embedding(rows, width, sparse=optimizer is touched_rows, device=device)
    optimiser = optimizer(table.parameters())
    generator = torch.Generator().manual_seed(1)
    batches = [
        torch.randperm(rows, generator=generator)[: BATCH * FIELDS].view(BATCH, -1).to(device)
        for _ in range(DIFFERENT_BATCHES)
    ]
    upstream = torch.randn(*batches[0].shape, width, generator=generator).to(device)
    turn = 0

    def one_step() -> None:
        nonlocal turn
        turn += 1
        (table(batches[turn % len(batches)]) * upstream).sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    return one_step


def memory(width: int) -> dict[str, Any]:
    """Bytes per feature while training: weights, two moments, and a dense gradient or two counters."""
    return {"bytes per feature, dense": f"{4 * width * 4}", "touched rows": f"{3 * width * 4 + 8}"}
