"""Closing by measurement: what validation rows do not miss, at once, and no more than the noise in all."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from nas_fusion.design import Connection, FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.search import SearchTask, run_search
from nas_fusion.search.oneshot.measured_closing import MeasuredClosing
from nas_fusion.statistics import difference_error
from nas_fusion.strategy import STRATEGIES
from nas_fusion.strategy.abilities import ClosesByMeasure
from nas_fusion.testing import tiny_data, tiny_task

AUC = 0.75
KEPT = ("embedding", "output")
OTHERS = [
    ("embedding", "cross0"), ("embedding", "cross1"), ("embedding", "deep1"), ("cross0", "deep1"), ("cross0", "output"),
    ("cross1", "output"), ("deep1", "output"),
]  # fmt: skip


class MadeUp:
    """A supernet whose AUC falls by what its closed connections are worth."""

    def __init__(self, worth: Mapping[Connection, float], passes: int = 100) -> None:
        self.worth, self.measured_closings = {**worth, KEPT: 1.0}, passes
        self.closed: set[Connection] = set()
        self.passes = 0

    def open_connections(self) -> dict[Connection, float]:
        return {connection: place / 10 for place, connection in enumerate(self.worth)}

    def close_alone(self, connections: Collection[Connection]) -> None:
        self.closed = set(connections)

    def auc(self, *_: object) -> float:
        self.passes += 1
        lost = sum(self.worth[connection] for connection in self.closed)
        if math.isinf(lost):
            raise TrainingError("not finite")
        return AUC - lost


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SearchTask:
    return tiny_task(tiny_data(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def noise(task: SearchTask) -> float:
    valid = task.data.valid
    return difference_error(AUC, valid.positives, len(valid) - valid.positives)


def worth(amounts: Sequence[float], unit: float) -> dict[Connection, float]:
    return {connection: amount * unit for connection, amount in zip(OTHERS, amounts, strict=False)}


def closing(strategy: MadeUp, task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> MeasuredClosing:
    monkeypatch.setattr("nas_fusion.search.oneshot.measured_closing.evaluate_auc", strategy.auc)
    assert isinstance(strategy, ClosesByMeasure)
    return MeasuredClosing(strategy, task.make_space(), AUC, task)


def test_the_most_are_closed_that_together_lose_no_more_than_the_noise(
    task: SearchTask, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = MadeUp(worth([0.3, 5.0, 0.2, -0.1, 0.6, 0.25, 0.9], noise))
    found = closing(strategy, task, monkeypatch)
    # By what was lost: -.1, .2, .25, .3, .6, .9; the first four lose .65 of the noise, five 1.25.
    expected = [OTHERS[place] for place in (3, 2, 5, 0)]
    assert found.close() == expected
    assert strategy.closed == set(expected)
    assert found.auc == pytest.approx(AUC - 0.65 * noise)
    assert found.passes == strategy.passes <= len(OTHERS) + 1 + 3
    assert found.told() == {"connections": 4, "before": AUC, "after": found.auc}


def test_where_everything_is_needed_nothing_closes(
    task: SearchTask, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = MadeUp({**worth([1.01] * 6, noise), OTHERS[6]: math.inf})
    found = closing(strategy, task, monkeypatch)
    assert found.close() == []
    assert strategy.closed == set()
    assert found.auc == AUC


def test_few_passes_look_at_the_least_sure_connections(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = MadeUp(worth([0.0] * 7, 1.0), passes=7)
    found = closing(strategy, task, monkeypatch)
    # Four passes for halving eight; three are left for single ones, those of the smallest scores.
    assert set(found.close()) == set(OTHERS[:3])
    assert found.passes <= 7


def test_what_reaches_the_output_is_not_closed(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where a supernet that has learnt nothing does not miss it."""
    strategy = MadeUp(worth([0.0] * 7, 1.0))
    strategy.worth[KEPT] = 0.0
    left = {*OTHERS, KEPT} - set(closing(strategy, task, monkeypatch).close())
    assert any(target == "output" for _, target in left)


@pytest.mark.slow
def test_a_search_says_what_it_closed_and_takes_no_samples_for_it(tmp_path: Path) -> None:
    task = tiny_task(tiny_data(tmp_path))
    entry, off = STRATEGIES.get("optfusion"), {"measured_designs": 0, "measured_closings": 0}
    plain = run_search(entry, task, off)
    found = run_search(entry, task, {**off, "measured_closings": 30})
    closed, valid = found.details["closed"], task.data.valid
    assert isinstance(found.design, FusionDesign)
    assert isinstance(plain.design, FusionDesign)
    noise = difference_error(closed["before"], valid.positives, len(valid) - valid.positives)
    assert closed["after"] >= closed["before"] - noise
    assert closed["connections"] == len(plain.design.connections) - len(found.design.connections) > 0
    assert found.details["supernet_valid_auc"] == closed["after"]
    assert found.samples == plain.samples
    assert 3 * len(valid) <= found.measure_samples <= 31 * len(valid)
    assert found.trace[-1].valid_auc == plain.trace[-1].valid_auc
