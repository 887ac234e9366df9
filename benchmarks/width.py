"""A training step of the supernet by the number of fields: as wide as published, and as wide as blocks are made."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from benchmarks._harness import Options, Row
from benchmarks._steps import training_step
from nas_fusion.data import DataOptions
from nas_fusion.nn import Fields
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.settings import ComparisonSettings
from nas_fusion.studies.setup.study_space import block_width

FIELDS = (10, 40, 100, 300, 1000)
MOST_PUBLISHED = 300
"""A supernet of 1,000 fields at their full width has 10 billion weights."""

BATCH, FEATURES, EMB_DIM, ROWS = 4096, 500, 10, 10**7
AIM_FIELDS, AIM_SECONDS = 300, 1.0
GB = 1e9


class Step(NamedTuple):
    """What one width takes.

    Args:
        width: of the blocks.
        parameters: of the supernet, embeddings included.
        seconds: of a step, the median.
        peak_bytes: the largest resident set of the process.
    """

    width: int
    parameters: int
    seconds: float
    peak_bytes: int


def run(options: Options) -> Iterator[Row]:
    """Seconds of a step at batch 4,096 (float32, embeddings of 10), each in a process of its own."""
    for fields in (10, 40) if options.quick else FIELDS:
        automatic = _automatic(fields)
        published = _measured(fields, 0, options) if fields <= MOST_PUBLISHED else None
        chosen = _measured(fields, automatic, options) if automatic or published is None else published
        details: dict[str, Any] = {"width": chosen.width, **_told(chosen)}
        if published is not None:
            details |= {f"published {name}": value for name, value in _told(published).items()}
        aim = AIM_SECONDS if fields == AIM_FIELDS else None
        yield Row(f"{fields:,} fields", chosen.seconds, "s", aim, details, at_most=True)


def _automatic(fields: int) -> int:
    settings = ComparisonSettings("a log of many rows", DataOptions(), ("optfusion-hard",))
    return block_width(settings, fields, ROWS)


def _told(step: Step) -> dict[str, str]:
    return {
        "parameters": f"{step.parameters:,}",
        "seconds": f"{step.seconds:.3f}",
        "memory": f"{step.peak_bytes / GB:.2f} GB",
    }


def _measured(fields: int, width: int, options: Options) -> Step:
    turns = 1 if options.quick else max(1, min(3, options.repeats))
    command = [sys.executable, "-m", "benchmarks.width", str(fields), str(width), str(turns), str(options.quick)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Step(**json.loads(done.stdout.splitlines()[-1]))


def _alone(fields: int, width: int, turns: int, *, quick: bool) -> Step:
    """Measure in this process."""
    torch.manual_seed(0)
    shapes = Fields.of([FEATURES] * fields, EMB_DIM, width)
    space = FusionSpace(field_sizes=list(shapes.shapes), levels=3, emb_dim=EMB_DIM, block_width=width)
    OptFusion().mutate_model(space)
    ids = torch.randint(FEATURES, (256 if quick else BATCH, fields)).int()
    step = training_step(space, ids, torch.randint(2, (len(ids),)).float())
    step()
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Step(shapes.width, sum(p.numel() for p in space.parameters()), statistics.median(times), peak)


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:4]]
    print(json.dumps(_alone(*given, quick=sys.argv[4] == "True")._asdict()))
