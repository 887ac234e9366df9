"""Trackers are told of each cell once, and whatever one of them does is warned of and hurts nobody else."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from nas_fusion.records import CellRecord
from nas_fusion.tracking import Telling, ToldCells, Tracked, TrackedStudy, Tracker
from tests.report.report_fakes import cell


@dataclass
class Notebook:
    """A tracker that remembers."""

    place: str = "here"
    broken: bool = False
    told: list[str] = field(default_factory=list)

    def tell(self, cell: Tracked) -> None:
        if self.broken:
            raise ConnectionError("the server is away")
        self.told.append(cell.name)


class Study:
    """A study folder with cells, and trackers by name."""

    def __init__(self, folder: Path, **trackers: Notebook) -> None:
        self.folder, self.trackers = folder, trackers
        self.cells = [cell("random", 0), cell("random", 1)]
        for record in self.cells:
            self.write(record)

    def write(self, record: CellRecord) -> None:
        place = self.cell(record.strategy, record.seed)
        place.mkdir(parents=True, exist_ok=True)
        (place / "cell.json").write_text(record.to_json(), "utf-8")

    def cell(self, strategy: str, seed: int) -> Path:
        return self.folder / "cells" / f"{strategy}-{seed}"

    def run(self, *records: CellRecord) -> None:
        """As a comparison does: every cell is told of, those of before included."""
        told = ToldCells(self.folder / "tracked.json")
        study = TrackedStudy("study", told.identifier, self.folder, {})
        telling = Telling(self.trackers, study, told, self.cell, self.open)
        for record in records or self.cells:
            telling.tell(record)

    def open(self, name: str, study: TrackedStudy) -> Tracker:
        return self.trackers[name]


def test_each_cell_is_told_of_once_however_often_a_study_goes_on(tmp_path: Path) -> None:
    study = Study(tmp_path, one=Notebook(), two=Notebook())
    study.run(study.cells[0])
    study.run()
    study.run()
    for tracker in study.trackers.values():
        assert tracker.told == ["random-0", "random-1"]


def test_a_cell_that_was_computed_again_is_told_of_again(tmp_path: Path) -> None:
    study = Study(tmp_path, one=Notebook())
    study.run()
    study.run(replace(study.cells[0], test_auc=0.1), study.cells[1])
    assert study.trackers["one"].told == ["random-0", "random-1", "random-0"]


def test_another_place_of_the_same_tracker_knows_nothing_yet(tmp_path: Path) -> None:
    study = Study(tmp_path, one=Notebook())
    study.run()
    study.trackers["one"].place = "there"
    study.run()
    assert study.trackers["one"].told == ["random-0", "random-1"] * 2


def test_one_that_fails_is_warned_of_once_by_name_and_is_told_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = Study(tmp_path, one=Notebook(broken=True), two=Notebook())
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        study.run()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "tracker one: ConnectionError: the server is away; the study goes on without it, and the same command tells it "
        "what it has missed"
    )
    assert study.trackers["two"].told == ["random-0", "random-1"]
    study.trackers["one"].broken = False
    study.run()
    assert [tracker.told for tracker in study.trackers.values()] == [["random-0", "random-1"]] * 2


def test_one_that_cannot_be_opened_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = Study(tmp_path, two=Notebook())
    told = ToldCells(tmp_path / "tracked.json")
    telling = Telling(["missing", "two"], TrackedStudy("study", "x", tmp_path, {}), told, study.cell, study.open)
    for record in study.cells:
        telling.tell(record)
    assert [r.getMessage().split(":")[0] for r in caplog.records] == ["tracker missing"]
    assert study.trackers["two"].told == ["random-0", "random-1"]


def test_nothing_is_written_without_a_tracker(tmp_path: Path) -> None:
    study = Study(tmp_path, one=Notebook())
    Telling([], TrackedStudy("s", "x", tmp_path, {}), ToldCells(tmp_path / "tracked.json"), study.cell).tell(
        cell("a", 0)
    )
    assert not (tmp_path / "tracked.json").exists()


@pytest.mark.parametrize("damage", ["no json", '{"format": 1}', ""])
def test_a_damaged_memory_is_warned_of_and_all_is_told_again(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = Study(tmp_path, one=Notebook())
    study.run()
    before = json.loads((tmp_path / "tracked.json").read_text("utf-8"))["study"]
    (tmp_path / "tracked.json").write_text(damage, "utf-8")
    study.run()
    assert any(
        "tracked.json" in r.getMessage() and "told of every cell again" in r.getMessage() for r in caplog.records
    )
    assert study.trackers["one"].told == ["random-0", "random-1"] * 2
    assert json.loads((tmp_path / "tracked.json").read_text("utf-8"))["study"] != before
