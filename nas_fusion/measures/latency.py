"""How long a model takes to predict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import nn

from nas_fusion.measures.counting import inputs_for
from nas_fusion.nn import Fields
from nas_fusion.training import TrainConfig, evaluating, torch_device

_WARM_UP, _FEWEST, _MOST = 3, 3, 100
"""Calls that are thrown away; calls that are timed in a round."""

ROUND_SECONDS = 0.05
"""A round, and the warm-up, end early when so much time is over."""

ROUNDS = 5

MOST_SECONDS = 1.0
"""No further round starts when the rounds have taken so long: a slow model is measured once, and not for minutes."""

LatencyClock = Callable[[nn.Module, Fields, int, TrainConfig], float]
"""Measures milliseconds per batch of a model, as `latency_ms` does; tests bring their own."""


def latency_ms(model: nn.Module, fields: Fields, batch: int, config: TrainConfig | None = None) -> float:
    """Milliseconds that a model takes to predict a batch: the median of repeated calls after a warm-up.

    That of the fastest of five rounds (fewer where they take more than a second): what else the machine does only adds.

    The batch lies on the device already; reading the log and moving rows is not in it. On a CPU it is the time of as
    many threads as torch has (`torch.get_num_threads`). It is a measurement: it differs a little every time, and more
    on a machine that has other things to do.

    Args:
        model: called with ids and values; it is left in the modes and on the device it was.
        fields: of the data; ids are drawn from all of a field's ids, with a fixed seed.
        batch: rows.
        config: says the device and the precision.
    """
    config = config or TrainConfig()
    device = torch_device(config)
    autocast = torch.autocast(device.type, torch.bfloat16) if config.precision == "bf16" else nullcontext()
    inputs = inputs_for(fields, batch, device)
    with evaluating(model, device), torch.inference_mode(), autocast:
        return 1000 * _median_seconds(lambda: model(*inputs), device)


def _median_seconds(call: Callable[[], object], device: torch.device) -> float:
    _repeat(call, device, 1, _WARM_UP)
    rounds: list[list[float]] = []
    while len(rounds) < ROUNDS and sum(map(sum, rounds)) < MOST_SECONDS:
        rounds.append(_repeat(call, device, _FEWEST, _MOST))
    # The median drops hiccups within a round, the minimum whole rounds in which the machine was busy.
    return min(map(statistics.median, rounds))


def _repeat(call: Callable[[], object], device: torch.device, fewest: int, most: int) -> list[float]:
    seconds: list[float] = []
    while len(seconds) < fewest or (len(seconds) < most and sum(seconds) < ROUND_SECONDS):
        start = time.perf_counter()
        call()
        _finish(device)
        seconds.append(time.perf_counter() - start)
    return seconds


def _finish(device: torch.device) -> None:
    if device.type == "cuda":  # kernels run behind the program's back
        torch.cuda.synchronize(device)
