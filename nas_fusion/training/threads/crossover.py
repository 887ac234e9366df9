"""From how much work on several threads are faster than one: a few steps of a few networks, timed side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas_fusion.nn import DeepBlock, FieldEmbedding
from nas_fusion.settings import DEFAULT_EMB_DIM, TrainConfig
from nas_fusion.training.optimizers import weights_optimizer
from nas_fusion.training.seeds import seeded
from nas_fusion.training.threads.thread_rule import ThreadRule, weights_a_step, with_threads

LADDER = ((256, 64), (256, 256), (1024, 256), (4096, 256))
"""Rows of a batch and width of the layers, from 5 million to a billion multiply-adds a step."""

LAYERS, FIELDS, FEATURES_PER_FIELD, SEED = 3, 10, 500, 0

TURNS, WARM_UP = 5, 2
"""Steps that are timed of each side. The shortest counts: what else the machine does makes steps longer only."""

GAIN = 1.1
"""Several threads must be so many times as fast: less is not worth the cores that others could use."""

WINS = 2
"""After so many networks in a row that several threads are faster with, larger ones are taken to be so, too."""


@dataclass(frozen=True)
class StepTimes:
    """How long a step of one network takes.

    Args:
        work: as `weights_a_step` counts it.
        one, several: seconds on one thread, and on several.
    """

    work: int
    one: float
    several: float

    @property
    def pays(self) -> bool:
        """Whether several threads are worth it."""
        return self.one >= GAIN * self.several


StepClock = Callable[[int, int, int], StepTimes]
"""Times a step for rows, a width and a number of threads."""


@dataclass(frozen=True)
class Crossover:
    """What was timed.

    Args:
        threads: how many several are.
        times: of the networks, the smallest first.
    """

    threads: int
    times: tuple[StepTimes, ...]

    @property
    def rule(self) -> ThreadRule:
        """Several threads from the work on where they pay, and pay for all that is larger.

        Between two networks of which the larger one alone gains, the border is their geometric mean.
        """
        first = len(self.times)
        while first and self.times[first - 1].pays:
            first -= 1
        if first == len(self.times):
            return ThreadRule(math.inf)
        below = self.times[first - 1].work if first else 0
        return ThreadRule(math.sqrt(below * self.times[first].work))


def time_steps(rows: int, width: int, threads: int) -> StepTimes:
    """Time training steps of a dense network on one thread and on several, in turns."""
    with seeded(SEED):
        step, work = _training_step(rows, width)
        found: dict[int, list[float]] = {1: [], threads: []}
        for turn in range(WARM_UP + TURNS):
            for count, seconds in found.items():
                with with_threads(count):
                    start = time.perf_counter()
                    step()
                    if turn >= WARM_UP:
                        seconds.append(time.perf_counter() - start)
    return StepTimes(work, min(found[1]), min(found[threads]))


STEP_CLOCK: StepClock = time_steps
"""Times every step; tests put one in its place that does not depend on the machine."""


def measure_crossover(threads: int) -> Crossover:
    """Time the ladder from below, until several threads have won `WINS` times in a row; takes about a second.

    Args:
        threads: how many several are, at least 2.
    """
    times: list[StepTimes] = []
    for rows, width in LADDER:
        times.append(STEP_CLOCK(rows, width, threads))
        if _has_won(times):
            break
    return Crossover(threads, tuple(times))


def _has_won(times: Sequence[StepTimes]) -> bool:
    return len(times) >= WINS and all(time.pays for time in times[-WINS:])


def _training_step(rows: int, width: int) -> tuple[Callable[[], None], int]:
    """A step, and its work."""
    network = _Network(width)
    optimiser = weights_optimizer(network, TrainConfig())
    ids, labels = torch.randint(FEATURES_PER_FIELD, (rows, FIELDS)), torch.randint(2, (rows,)).float()

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(ids), labels).backward()
        optimiser.step()

    return step, weights_a_step(network, rows)


class _Network(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = FieldEmbedding([FEATURES_PER_FIELD] * FIELDS, DEFAULT_EMB_DIM)
        self.first = nn.Linear(self.embedding.width, width)
        self.blocks = nn.ModuleList(DeepBlock(width, batch_norm=True) for _ in range(LAYERS))
        self.head = nn.Linear(width, 1)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.first(self.embedding(ids))
        for block in self.blocks:
            hidden = block(hidden, hidden)
        return self.head(hidden).squeeze(1)
