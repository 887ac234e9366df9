"""Steps on one thread, and on all that spin or sleep while they wait for each other; alone and beside busy processes.

How threads wait is read when torch is loaded, so every figure comes from a process of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from benchmarks._harness import Options, Row, in_ms
from benchmarks._steps import FEATURES_PER_FIELD, FIELDS, random_batch, supernet, training_step
from nas_fusion.baselines.models.fnn import FNN
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.nn import Fields
from nas_fusion.system.cores import THREADS, WAITING, usable_cores
from nas_fusion.training.threads import weights_a_step

WAYS = {"one thread": ("1", "PASSIVE"), "all, spinning": ("", "ACTIVE"), "all, sleeping": ("", "PASSIVE")}
"""How many threads (none: all), and how they wait; OpenMP's default is to spin, too."""

MODELS = ("small network", "supernet")
BUSY_PROCESSES = 2
WARM_UP = 2
STEPS = {"small network": 40, "supernet": 5}


def run(options: Options) -> Iterator[Row]:
    """Times of a way over those of one thread, by model and load; the ways in turns."""
    for busy in (0, BUSY_PROCESSES):
        with _busy(busy):
            for model in MODELS:
                found: dict[str, list[float]] = {way: [] for way in WAYS}
                for _ in range(1 if options.quick else max(3, options.repeats // 3)):
                    for way, seconds in found.items():
                        seconds.append(_in_own_process(model, way, options.quick))
                yield from _rows(f"{model}, beside {busy} busy processes", found)


def _rows(case: str, found: dict[str, list[float]]) -> Iterator[Row]:
    one = statistics.median(found["one thread"])
    details = {f"{way} ms": in_ms(seconds) for way, seconds in found.items()}
    for way in list(WAYS)[1:]:
        ratio = statistics.median(found[way]) / one
        yield Row(f"{case}: {way}, time over one thread's", ratio, "", None, details, at_most=True)


def _in_own_process(model: str, way: str, quick: bool) -> float:
    """Median seconds of a step."""
    count, waiting = WAYS[way]
    environment = {**os.environ, THREADS: count or str(usable_cores()), WAITING: waiting}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.threads", model, str(int(quick))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["seconds"])


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that compute without end."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _model(name: str) -> tuple[nn.Module, int]:
    """A model, and the rows of a batch."""
    if name == "supernet":
        return supernet(100, 0.0), 4096
    return FNN(ModelShape(Fields.of([FEATURES_PER_FIELD] * FIELDS, 10), hidden=(64, 64))), 1024


def main() -> None:
    """Time the steps of one model in this process."""
    name, quick = sys.argv[1], bool(int(sys.argv[2]))
    torch.manual_seed(0)
    model, rows = _model(name)
    ids, labels = random_batch(256 if quick else rows, "cpu")
    step = training_step(model, ids, labels)
    seconds = []
    for turn in range(WARM_UP + (2 if quick else STEPS[name])):
        start = time.perf_counter()
        step()
        if turn >= WARM_UP:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds), "work": weights_a_step(model, len(ids))}))


if __name__ == "__main__":
    main()
