"""What a step costs beside forward, backward and optimiser: Lightning, NNI, the loader, callbacks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from benchmarks._harness import Options, Row, in_ms, take_turns
from benchmarks._workload import built_in, default_settings, task
from nas_fusion.data import Batch, BatchLoader, SearchData
from nas_fusion.optfusion import OptFusion
from nas_fusion.search import SearchTask, run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.training import fit, parameter_groups

EPOCHS = 3
VALID_ROWS = 256
"""So few that validation, which is not part of a step, does not count."""


def run(options: Options) -> Iterator[Row]:
    """The default workload: a search and a training on the built-in log, against the bare steps on batches at hand."""
    work = task(built_in(options.quick, options.folder), default_settings(), budget=f"{EPOCHS}x")
    work = replace(work, data=_without_validation(work.data))
    batches = list(BatchLoader(work.data.train, work.config.batch_size, shuffle=True)) * EPOCHS
    rows = f"{len(batches)} steps of {work.config.batch_size} rows"
    entry = STRATEGIES.get("optfusion-hard")
    yield _share(
        f"search (supernet): {rows}",
        _bare_search(work, batches),
        lambda: run_search(entry, work),
        len(batches),
        options,
    )
    design = STRATEGIES.get("parallel").reference_design(work.make_space().designs)
    config = replace(work.config, max_epochs=EPOCHS, patience=0)

    def model() -> nn.Module:
        return work.make_space().derive(design, weights=False)

    yield _share(
        f"training (parallel design): {rows}",
        lambda: _bare_steps(model(), work, batches, []),
        lambda: fit(model(), work.data, config),
        len(batches),
        options,
    )


def _share(case: str, bare: Callable[[], object], whole: Callable[[], object], steps: int, options: Options) -> Row:
    first, second = take_turns([bare, whole], options.repeats, warm_up=1)
    share = 1 - statistics.median(first) / statistics.median(second)
    per_step = [[seconds / steps for seconds in side] for side in (first, second)]
    details = {"bare ms per step": in_ms(per_step[0]), "whole ms per step": in_ms(per_step[1])}
    return Row(f"share of the time that is not forward, backward, optimiser; {case}", share, "", 0.05, details, True)


def _bare_search(work: SearchTask, batches: list[Batch]) -> Callable[[], None]:
    def search() -> None:
        space = work.make_space()
        OptFusion().mutate_model(space)
        architecture = [p for name, p in space.named_parameters() if name.endswith((".alpha", ".beta"))]
        _bare_steps(space, work, batches, architecture)

    return search


def _bare_steps(model: nn.Module, work: SearchTask, batches: list[Batch], architecture: list[nn.Parameter]) -> None:
    apart = {id(p) for p in architecture}
    groups = parameter_groups(model, work.config)
    for group in groups:
        group["params"] = [p for p in group["params"] if id(p) not in apart]
    optimisers: list[torch.optim.Optimizer] = [torch.optim.Adam(groups, fused=True)]
    if architecture:
        optimisers.append(torch.optim.Adam(architecture))
    model.train()
    for batch in batches:
        loss = nn.functional.binary_cross_entropy_with_logits(model(batch.ids, batch.values), batch.labels)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()


def _without_validation(data: SearchData) -> SearchData:
    valid = data.valid
    labels = cast("np.memmap[Any, Any]", valid.labels[:VALID_ROWS])
    values = None if valid.values is None else cast("np.memmap[Any, Any]", valid.values[:VALID_ROWS])
    ids = cast("np.memmap[Any, Any]", valid.ids[:VALID_ROWS])
    return replace(data, valid=replace(valid, ids=ids, values=values, labels=labels, positives=int(labels.sum())))
