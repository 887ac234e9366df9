"""From how much work on several threads pay, by times that do not depend on the machine; and a real one."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from nas_fusion.settings import DEFAULT_EMB_DIM
from nas_fusion.training.threads import Crossover, ThreadRule, crossover, measure_crossover
from nas_fusion.training.threads.crossover import GAIN, LADDER, StepTimes, time_steps


def times(*gains: float) -> tuple[StepTimes, ...]:
    """Of networks of 1, 100, 10,000 … multiply-adds: how many times as fast several threads are."""
    return tuple(StepTimes(100**place, gain, 1.0) for place, gain in enumerate(gains))


@pytest.mark.parametrize(
    ("gains", "from_work"),
    [
        ((0.5, 0.8, 1.0), math.inf),
        ((0.5, 0.8, 1.5), 1_000),
        ((0.5, 1.2, 1.5), 10),
        ((1.2, 1.2, 1.5), 0),
        ((1.2, 0.8, 1.5), 1_000),  # what pays once, but not for a larger one, was chance
        ((1.2, 1.3, 0.9), math.inf),
        ((0.5, GAIN - 1e-9, GAIN), 1_000),
    ],
)
def test_the_rule_of_what_was_timed(gains: tuple[float, ...], from_work: float) -> None:
    assert Crossover(2, times(*gains)).rule == ThreadRule(from_work)


def clock(gain: Callable[[int], float], seen: list[tuple[int, int]]) -> crossover.StepClock:
    def timed(rows: int, width: int, threads: int) -> StepTimes:
        assert threads == 3
        seen.append((rows, width))
        return StepTimes(rows * width**2, gain(rows * width**2), 1.0)

    return timed


def test_it_ends_when_several_have_won_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(crossover, "STEP_CLOCK", clock(lambda work: 2.0 if work > 10_000_000 else 0.5, seen))
    found = measure_crossover(3)
    assert seen == list(LADDER[:3])
    assert found.rule.from_work == math.sqrt(256 * 64**2 * 256 * 256**2)
    seen.clear()
    monkeypatch.setattr(crossover, "STEP_CLOCK", clock(lambda work: 0.9, seen))
    assert measure_crossover(3).rule.from_work == math.inf
    assert seen == list(LADDER)


def test_a_real_one_leaves_everything_as_it_was() -> None:
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    found = time_steps(16, 8, 1)
    first, block, norm, head = (10 * DEFAULT_EMB_DIM + 1) * 8, 8 * 8 + 8, 8 + 8, 8 + 1
    assert found.work == 16 * (first + 3 * (block + norm) + head)
    assert found.one > 0
    assert found.several > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
