"""What a step costs beside forward, backward and optimiser: Lightning, NNI, the loader, callbacks.

Both parts are measured in the same run, by clocks around the model's forward, the backward, the optimisers' arithmetic
and the zeroing of gradients; what remains between the first forward and the last step is overhead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any, cast
from unittest import mock

import numpy as np
import torch
from torch import nn

from benchmarks._harness import Options, Row, in_ms
from benchmarks._workload import built_in, default_settings, task
from nas_fusion.data import SearchData
from nas_fusion.nn import FusionNetwork
from nas_fusion.search import run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.training import fit

EPOCHS = 3
VALID_ROWS = 256
"""So few that validation, which is not part of a step, does not count."""


def run(options: Options) -> Iterator[Row]:
    """The default workload: a search and a training on the built-in log."""
    work = task(built_in(options.quick, options.folder), default_settings(), budget=f"{EPOCHS}x")
    work = replace(work, data=_without_validation(work.data))
    entry = STRATEGIES.get("optfusion-hard")
    yield _share("search (supernet)", lambda: run_search(entry, work), options)
    design = STRATEGIES.get("parallel").reference_design(work.make_space().designs)
    config = replace(work.config, max_epochs=EPOCHS, patience=0)
    yield _share(
        "training (parallel design)",
        lambda: fit(work.make_space().derive(design, weights=False), work.data, config),
        options,
    )


def _share(case: str, action: Callable[[], object], options: Options) -> Row:
    action()
    clocks = []
    for _ in range(options.repeats):
        with _clocks() as clock:
            action()
        clocks.append(clock)
    shares = [1 - clock.working / clock.whole for clock in clocks]
    details = {
        "steps": clocks[0].steps,
        "whole ms per step": in_ms([clock.whole / clock.steps for clock in clocks]),
        "overhead ms per step": in_ms([(clock.whole - clock.working) / clock.steps for clock in clocks]),
    }
    share = statistics.median(shares)
    return Row(f"share that is not forward, backward, optimiser: {case}", share, "", 0.05, details, True)


class _Clock:
    def __init__(self) -> None:
        self.working, self.steps = 0.0, 0
        self._start: float | None = None
        self._end = 0.0

    @property
    def whole(self) -> float:
        assert self._start is not None
        return self._end - self._start

    def around(self, function: Callable[..., Any], *, is_forward: bool = False) -> Callable[..., Any]:
        """The same function, timed; forwards without gradient (validation) are not part of a step."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if is_forward and not torch.is_grad_enabled():
                return function(*args, **kwargs)
            start = time.perf_counter()
            result = function(*args, **kwargs)
            self._end = time.perf_counter()
            self.working += self._end - start
            self._start = start if self._start is None else self._start
            self.steps += is_forward
            return result

        return timed


@contextmanager
def _clocks() -> Iterator[_Clock]:
    clock = _Clock()
    with ExitStack() as stack:
        for owner, name in (
            (torch.Tensor, "backward"),
            (import_module("torch.optim.adam"), "adam"),
            (torch.optim.Optimizer, "zero_grad"),
            (nn.functional, "binary_cross_entropy_with_logits"),
        ):
            stack.enter_context(mock.patch.object(owner, name, clock.around(getattr(owner, name))))
        forward = clock.around(FusionNetwork.forward, is_forward=True)
        stack.enter_context(mock.patch.object(FusionNetwork, "forward", forward))
        yield clock


def _without_validation(data: SearchData) -> SearchData:
    valid = data.valid
    labels = cast("np.memmap[Any, Any]", valid.labels[:VALID_ROWS])
    values = None if valid.values is None else cast("np.memmap[Any, Any]", valid.values[:VALID_ROWS])
    ids = cast("np.memmap[Any, Any]", valid.ids[:VALID_ROWS])
    return replace(data, valid=replace(valid, ids=ids, values=values, labels=labels, positives=int(labels.sum())))
