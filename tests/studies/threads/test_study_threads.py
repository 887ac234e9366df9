"""The rule for threads is measured once, and is the same for whoever works on the study, now and later."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path

import optuna
import pytest
import torch

from nas_fusion.errors import DamagedFileError
from nas_fusion.settings import ComparisonSettings, DataOptions
from nas_fusion.studies import StudyFolder
from nas_fusion.studies.setup.announcements import announce, find_announced
from nas_fusion.studies.threads.study_threads import deciding_threads, measured_threads, sharing_cores
from nas_fusion.system.seals import read_sealed, sealed
from nas_fusion.training.threads import ThreadRule, crossover, current_rule, following
from nas_fusion.training.threads.crossover import StepTimes

SETTINGS = ComparisonSettings(source="synthetic:500", data=DataOptions(), strategies=("stacked",))


class Clock:
    """Several threads gain from so much work on."""

    def __init__(self) -> None:
        self.pays_from, self.asked = 1e8, 0

    def __call__(self, rows: int, width: int, threads: int) -> StepTimes:
        self.asked += 1
        work = rows * width**2
        return StepTimes(work, 2.0 if work >= self.pays_from else 0.5, 1.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(crossover, "STEP_CLOCK", made)
    return made


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """As if torch had four threads on eight cores and the user had said nothing; what it is told is in the list."""
    asked = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: asked[-1])
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(os, "getloadavg", lambda: (2.9, 9.0, 9.0))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    return asked


def study(path: Path) -> StudyFolder:
    path.mkdir(parents=True, exist_ok=True)
    return StudyFolder(path)


def decided(folder: StudyFolder) -> ThreadRule | None:
    with deciding_threads(folder):
        return current_rule()


EXPECTED = ThreadRule(math.sqrt(1024 * 256**2 * 4096 * 256**2))


def test_it_is_measured_once_and_remembered_in_the_study(tmp_path: Path, clock: Clock, threads: list[int]) -> None:
    clock.pays_from = 2e8
    folder = study(tmp_path / "study")
    assert decided(folder) == EXPECTED
    asked = clock.asked
    content = read_sealed(folder.threads)
    assert (content["threads"], content["from_work"], len(content["timed"])) == (4, EXPECTED.from_work, asked)
    clock.pays_from = 0.0
    (tmp_path / "cache" / "threads.json").unlink()
    assert decided(folder) == EXPECTED, "a study that goes on has the rule that it had"
    assert clock.asked == asked
    assert torch.get_num_threads() == 4


def test_other_studies_on_this_machine_have_the_same(tmp_path: Path, clock: Clock, threads: list[int]) -> None:
    clock.pays_from = 2e8
    first = decided(study(tmp_path / "first"))
    asked, clock.pays_from = clock.asked, 0.0
    assert decided(study(tmp_path / "second")) == first
    assert clock.asked == asked
    threads.append(2)
    assert decided(study(tmp_path / "third")) == ThreadRule(0.0), "of two threads nothing is known yet"


def test_what_was_measured_while_others_were_busy_holds_for_the_study_alone(
    tmp_path: Path, clock: Clock, threads: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (3.1, 0.0, 0.0))
    stages = logging.getLogger("nas_fusion_stages")
    stages.addHandler(caplog.handler)
    clock.pays_from = 1e12
    try:
        first = decided(study(tmp_path / "first"))
    finally:
        stages.removeHandler(caplog.handler)
    assert caplog.messages[0].endswith("others were busy when that was timed, with a load of 3.1")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.0, 0.0))
    clock.pays_from = 2e8
    assert decided(study(tmp_path / "second")) == EXPECTED
    assert decided(study(tmp_path / "first")) == first == ThreadRule(math.inf)


def test_trainings_outside_of_a_study_have_the_machines_rule(
    tmp_path: Path, clock: Clock, threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.pays_from = 2e8
    with measured_threads():
        assert current_rule() == EXPECTED
    assert current_rule() is None
    clock.pays_from = 0.0
    assert decided(study(tmp_path / "study")) == EXPECTED
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    with measured_threads():
        assert current_rule() is None


def test_no_more_threads_than_cores(
    tmp_path: Path, clock: Clock, threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5})
    for block in (deciding_threads(study(tmp_path / "study")), sharing_cores(None)):
        with block:
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 4


def test_nothing_is_measured_where_nothing_is_to_be_decided(
    tmp_path: Path, clock: Clock, threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = study(tmp_path / "begun")
    (begun.path / "cells" / "stacked-0").mkdir(parents=True)
    (begun.path / "cells" / "stacked-0" / "cell.json").touch()
    assert decided(begun) is None, "its cells had all threads"
    threads.append(1)
    assert decided(study(tmp_path / "one core")) is None
    threads.append(4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert decided(study(tmp_path / "said")) is None
    assert clock.asked == 0
    assert not list(tmp_path.glob("**/threads.json"))


def test_what_the_user_says_wins_with_a_warning(
    tmp_path: Path, clock: Clock, threads: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = study(tmp_path / "study")
    decided(folder)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert decided(folder) is None
    assert "now all take 4, as the user says, so numbers may differ" in caplog.text


@pytest.mark.parametrize(
    ("pays_from", "words"),
    [
        (2e8, "4 for a training with 134 million multiply-adds a step or more, 1 for smaller ones"),
        (1e12, "1 for every training; 4 were not faster where that was timed"),
    ],
)
def test_it_is_told(
    tmp_path: Path, clock: Clock, threads: list[int], caplog: pytest.LogCaptureFixture, pays_from: float, words: str
) -> None:
    clock.pays_from = pays_from
    stages = logging.getLogger("nas_fusion_stages")
    stages.addHandler(caplog.handler)
    try:
        decided(study(tmp_path / "study"))
    finally:
        stages.removeHandler(caplog.handler)
    assert caplog.messages == [f"threads: {words} (threads.json)"]


def test_a_rule_that_was_changed_is_refused(tmp_path: Path, clock: Clock, threads: list[int]) -> None:
    folder = study(tmp_path / "study")
    decided(folder)
    folder.threads.write_text(folder.threads.read_text().replace('"threads": 4', '"threads": 5'))
    with pytest.raises(DamagedFileError, match=r"threads\.json: damaged: .*delete it to measure again"):
        decided(folder)
    folder.threads.write_text(sealed({"threads": 4}))
    with pytest.raises(DamagedFileError, match="no rule for threads: 'from_work'"):
        decided(folder)


def test_a_damaged_memory_is_made_anew(
    tmp_path: Path, clock: Clock, threads: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    memory = tmp_path / "cache" / "threads.json"
    memory.parent.mkdir()
    memory.write_text("{")
    assert decided(study(tmp_path / "study")) is not None
    assert "it is made anew" in caplog.text
    assert len(read_sealed(memory)) == 1


def test_a_memory_that_cannot_be_written_is_told_of(
    tmp_path: Path, clock: Clock, threads: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("no folder")
    assert decided(study(tmp_path / "study")) is not None
    assert "cannot be kept for other studies" in caplog.text


def test_workers_have_the_rule_of_the_coordinator(threads: list[int]) -> None:
    storage = optuna.storages.InMemoryStorage()
    announced = optuna.create_study(study_name="clicks", storage=storage)
    for rule in (ThreadRule(3e7), ThreadRule(math.inf), None):
        with following(rule):
            announce(announced, SETTINGS, "fingerprint")
        found = find_announced(storage, "clicks").threads
        assert found == json.loads(json.dumps(found))
        with sharing_cores(found):
            assert current_rule() == rule
        assert current_rule() is None
