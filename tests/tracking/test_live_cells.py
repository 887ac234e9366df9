"""Trackers hear of a cell while it trains, in a thread of their own: no training waits, and none is hurt."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from nas_fusion.tracking import Telling, ToldCells, Tracked, TrackedStudy
from nas_fusion.tracking.live_cells import LivePoint, LiveRuns
from nas_fusion.training_log import LabelledLog, SilentLog, StoppedEarly, TrainingLog
from tests.report.report_fakes import cell


@dataclass
class Listener:
    """A tracker that takes points, once it is let go."""

    place: str = "here"
    free: Event = field(default_factory=Event)
    broken: bool = False
    heard: list[LivePoint | str] = field(default_factory=list)

    def live(self, point: LivePoint) -> None:
        assert self.free.wait(30.0)
        if self.broken:
            raise ConnectionError("the server is away")
        self.heard.append(point)

    def tell(self, cell: Tracked) -> None:
        self.heard.append(cell.name)


def telling(tracker: Listener, folder: Path) -> Telling:
    told = ToldCells(folder / "tracked.json")
    study = TrackedStudy("study", told.identifier, folder, {})
    return Telling(("mlflow",), study, told, lambda strategy, seed: folder, lambda name, study: tracker)


def labelled(log: TrainingLog, **more: object) -> LabelledLog:
    return LabelledLog(log, {"strategy": "random", "seed": 0, **more})


def test_what_a_cell_says_comes_before_its_end_and_nobody_waits(tmp_path: Path) -> None:
    tracker = Listener()
    trackers = telling(tracker, tmp_path)
    log = labelled(trackers.live(SilentLog()))
    with log.training("search") as training:
        training.validated(0.6)
        training.result(0.6)
    with log.training("re-train") as training:
        training.validated(0.7, train_loss=0.5)
        training.validated(0.8, train_loss=0.4)
    assert tracker.heard == []  # it still sits on the first point, and the trainings are over
    tracker.free.set()
    record = cell("random", 0)
    (tmp_path / "cell.json").write_text(record.to_json(), "utf-8")
    trackers.tell(record)
    assert tracker.heard == [
        LivePoint("random-0", "search", 1, {"valid_auc": 0.6}),
        LivePoint("random-0", "retrain", 1, {"valid_auc": 0.7, "train_loss": 0.5}),
        LivePoint("random-0", "retrain", 2, {"valid_auc": 0.8, "train_loss": 0.4}),
        "random-0",
    ]


def settle(trackers: Telling) -> None:
    trackers._heard.join()


def test_candidates_tunings_and_recipes_are_no_cells(tmp_path: Path) -> None:
    tracker = Listener()
    tracker.free.set()
    trackers = telling(tracker, tmp_path)
    live = trackers.live(SilentLog())
    for log, phase in (
        (labelled(live), "candidate"),
        (labelled(live, tuning_trial=1), "re-train"),
        (labelled(live, trial=1), "re-train"),
    ):
        with log.training(phase) as training:
            training.validated(0.6)
    settle(trackers)
    assert tracker.heard == []


def test_the_end_of_a_training_that_fails_is_told_and_raised(tmp_path: Path) -> None:
    tracker = Listener()
    tracker.free.set()
    trackers = telling(tracker, tmp_path)

    def stopped() -> None:
        with labelled(trackers.live(SilentLog())).training("re-train") as training:
            training.validated(0.6)
            raise StoppedEarly

    with pytest.raises(StoppedEarly):
        stopped()
    settle(trackers)
    assert tracker.heard[1:] == [LivePoint("random-0", "", 0, {})]


def test_a_tracker_that_fails_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracker = Listener(broken=True)
    tracker.free.set()
    trackers = telling(tracker, tmp_path)
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        with labelled(trackers.live(SilentLog())).training("re-train") as training:
            training.validated(0.6)
            training.validated(0.7)
        settle(trackers)
    assert [message for message in caplog.messages if "the server is away" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_without_trackers_the_log_stays_what_it_is(tmp_path: Path) -> None:
    told = ToldCells(tmp_path / "tracked.json")
    nobody = Telling((), TrackedStudy("study", "1", tmp_path, {}), told, lambda strategy, seed: tmp_path)
    log = SilentLog()
    assert nobody.live(log) is log


def test_a_run_is_opened_once_and_given_away_once() -> None:
    begun: list[str] = []

    def begin(name: str) -> int:
        begun.append(name)
        return len(begun)

    runs = LiveRuns(begin)
    assert runs.add(LivePoint("a", "search", 1, {})) == runs.add(LivePoint("a", "search", 2, {})) == 1
    ended = runs.end("a")
    assert ended is not None
    assert (ended.run, ended.told) == (1, {("search", 1), ("search", 2)})
    assert runs.end("a") is None
    assert begun == ["a"]
