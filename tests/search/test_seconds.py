"""Budgets in seconds, by a clock that training and validating move."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from torch import Tensor

from nas_fusion.data import SearchData
from nas_fusion.search import Budget, InProcess, SearchOutcome, SearchTask, run_search
from nas_fusion.search.multitrial.budget_shares import OutOfTimeError, TimeShares
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.testing.small_task import BATCH_SIZE, EMB_DIM, tiny_data, tiny_task
from nas_fusion.training import TrainConfig, fit

TRAINING, VALIDATING = 1.0, 0.25
"""Seconds of a batch, by the fake clock."""

EPOCH = 7
"""Batches of the 1,600 training rows."""

VALIDATION = VALIDATING
"""Seconds of a validation: the 200 rows are one batch."""


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class TickingSpace(FusionSpace):
    """A space whose models take one second for a batch when they are trained, and a quarter when they are measured."""

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        CLOCK.now += TRAINING if self.training else VALIDATING
        return super().forward(ids, values)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


def task_of(data: SearchData, seconds: float, candidates: int = 4) -> SearchTask:
    def make_space() -> FusionSpace:
        space: FusionSpace = TickingSpace.for_schema(data.schema, levels=1, emb_dim=EMB_DIM)
        return space

    task = replace(tiny_task(data, candidates=candidates), make_space=make_space, budget=Budget(seconds=seconds))
    return replace(task, watch=Stopwatch(clock=CLOCK))


def search(name: str, task: SearchTask) -> SearchOutcome:
    return run_search(STRATEGIES.get(name), task)


# The stopwatch -------------------------------------------------------------------------------------------------------


def test_a_pause_takes_no_time() -> None:
    clock = Clock()
    watch = Stopwatch(10.0, clock)
    clock.now += 3
    with watch.paused():
        clock.now += 50
    clock.now += 1
    assert (watch.elapsed, watch.left) == (4.0, 6.0)
    assert watch.restarted(2.0).left == 2.0


def test_shares_are_equal_and_make_room_for_what_follows_the_stop() -> None:
    clock = Clock()
    shares = TimeShares(Stopwatch(40.0, clock), 4)
    limits = []
    while shares.fits():
        with shares.round() as limit:
            assert limit is not None
            limits.append(limit)
            clock.now += limit + 2.0  # a validation behind the stop
    assert limits == [10.0, 8.0, 8.0, 6.0]
    assert clock.now == 100.0 + 40.0
    with pytest.raises(OutOfTimeError, match="seconds of the search are spent"), shares.round():
        pytest.fail("there is no time for it")


def test_a_candidate_that_would_get_less_than_half_a_share_is_not_started() -> None:
    clock = Clock()
    shares = TimeShares(Stopwatch(40.0, clock), 4)
    clock.now += 39  # whatever came before: the first candidate may begin
    assert shares.fits()
    with shares.round() as limit:
        assert limit == 1.0
    assert not shares.fits()


def test_without_a_limit_there_are_no_shares() -> None:
    shares = TimeShares(Stopwatch(), 4)
    for _ in range(9):
        with shares.round() as limit:
            assert limit is None
        assert shares.fits()


# Trainings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "batches", "validations"),
    [
        (3.0, 3, 1),  # in the middle of an epoch, with a last validation
        (EPOCH, EPOCH, 1),  # with an epoch's last batch: one validation, not two
        (EPOCH + 0.1, EPOCH, 1),  # while the epoch is validated: no further batch
        (EPOCH + 2.0, EPOCH + 2, 2),
    ],
)
def test_a_training_stops_at_the_batch_that_reaches_the_seconds(
    seconds: float, batches: int, validations: int, data: SearchData
) -> None:
    config = TrainConfig(batch_size=BATCH_SIZE, device="cpu", patience=0, max_seconds=seconds)
    model = TickingSpace.for_schema(data.schema, levels=1, emb_dim=EMB_DIM)
    result = fit(model, data, config, clock=CLOCK)
    assert (result.stopped, len(result.history)) == ("budget", validations)
    assert result.samples == batches // EPOCH * len(data.train) + batches % EPOCH * BATCH_SIZE
    assert result.seconds == pytest.approx(batches * TRAINING + validations * VALIDATION)


# Searches ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random", "evolution", "tpe"])
def test_candidates_get_equal_shares_of_the_seconds(name: str, data: SearchData) -> None:
    start = CLOCK.now
    outcome = search(name, task_of(data, 16.0))
    assert outcome.candidates == 4
    # Four seconds each: four batches, or three where the validation behind the stop would not fit any more.
    points = [0, *(point.samples for point in outcome.trace)]
    assert [b - a for a, b in pairwise(points)] == [1024, 1024, 1024, 768]
    assert outcome.seconds == pytest.approx(CLOCK.now - start)
    assert outcome.seconds <= 16.0


def test_a_wave_that_runs_out_of_time_leaves_candidates_out(data: SearchData) -> None:
    # A candidate is one batch and a validation, however small its share: the seconds are spent before the wave ends.
    task = replace(task_of(data, 0.5, candidates=4), engine=InProcess(4))
    outcome = search("random", task)
    assert outcome.candidates == len(outcome.trace) == len(outcome.details["candidates"]) == 1


@pytest.mark.parametrize("name", ["darts", "gumbel-darts", "optfusion-hard"])
def test_a_supernet_stops_at_the_batch_that_reaches_the_seconds(name: str, data: SearchData) -> None:
    entry = replace(STRATEGIES.get(name), patience=0)
    outcome = run_search(entry, task_of(data, 17.0))
    assert 17.0 <= outcome.seconds <= 17.0 + 2 * TRAINING + VALIDATION
    assert outcome.trace[-1].seconds <= outcome.seconds


def test_gumbel_softmax_cools_down_with_the_seconds(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas_fusion.baselines.strategies.darts import Cooling

    seen: list[float] = []
    plain = Cooling.step

    def step(self: Any, current: int, total: int) -> float:
        seen.append(plain(self, current, total))
        return seen[-1]

    monkeypatch.setattr(Cooling, "step", step)
    search("gumbel-darts", task_of(data, 30.0))
    assert seen[0] == pytest.approx(1.0)
    assert seen == sorted(seen, reverse=True)
    assert 0.33 < seen[-1] < 0.7


@pytest.mark.parametrize(("seconds", "ranked"), [(40.25, 24), (9.0, 15), (0.5, 1)])
def test_ranking_has_time_and_ends_with_it(seconds: float, ranked: int, data: SearchData) -> None:
    outcome = search("random-oneshot", task_of(data, seconds))
    # 24 rankings take 6 seconds. Of 9 seconds half are kept free: 5 batches and a validation leave 15 quarters.
    assert outcome.candidates == len(outcome.trace) == ranked
    assert outcome.derive_samples == ranked * len(data.valid)
    assert outcome.derive_seconds == pytest.approx(ranked * VALIDATION)
    assert outcome.seconds <= max(seconds, TRAINING + 2 * VALIDATION)
