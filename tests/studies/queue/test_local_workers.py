"""``--processes``: workers of this machine beside the coordinator."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from nas_fusion.data import prepare
from nas_fusion.errors import OptionError
from nas_fusion.studies import compare
from nas_fusion.studies.queue.local_workers import local_workers
from nas_fusion.studies.setup.study_checks import processes_for
from nas_fusion.studies.storage.database_urls import PASSWORD_VARIABLE
from tests.studies.test_compare import SETTINGS, without_times

pytestmark = pytest.mark.slow

FEW = replace(SETTINGS, strategies=("random", "optfusion-hard", "stacked"))


@pytest.fixture
def same_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers with as many threads as this process: the last digits of a sum depend on them."""
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))


@pytest.mark.usefixtures("same_threads")
def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    dataset = prepare("synthetic:3000", cache=tmp_path / "cache")
    alone = compare(FEW, dataset, tmp_path / "alone")
    told: list[str] = []
    both = compare(
        FEW, dataset, tmp_path / "both", processes=2, listener=lambda record, done, total: told.append(record.strategy)
    )
    pd.testing.assert_frame_equal(
        without_times(both.folder.results), without_times(alone.folder.results), check_exact=True
    )
    assert sorted(told) == sorted(r.strategy for r in alone.records)
    assert not list(both.folder.path.glob("worker-*.log")), "the worker ended well"


@pytest.mark.usefixtures("same_threads")
def test_an_interrupt_ends_the_workers_and_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = prepare("synthetic:3000", cache=tmp_path / "cache")

    started: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def interrupt(*told: Any) -> None:
        assert [process.poll() for process in started] == [None, None]
        raise KeyboardInterrupt

    monkeypatch.setattr("nas_fusion.studies.queue.local_workers.subprocess.Popen", Watched)
    with pytest.raises(KeyboardInterrupt):
        compare(FEW, dataset, tmp_path / "study", processes=3, listener=interrupt)
    assert all(process.poll() is not None for process in started)
    finished = compare(FEW, dataset, tmp_path / "study")
    assert len(finished.records) == 6
    compare(FEW, dataset, tmp_path / "study", processes=3)
    assert len(started) == 2, "no worker is started where nothing waits"


def test_a_worker_that_fails_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = torch.get_num_threads()
    with local_workers(1, f"sqlite:///{tmp_path / 'none.db'}", "nothing", tmp_path):
        pass
    assert "ended early, with exit code 2" in caplog.text
    assert "there is no such file" in (tmp_path / "worker-1.log").read_text()
    assert torch.get_num_threads() == before


def test_threads_are_shared_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Process:
        def __init__(self, command: list[str], **options: Any) -> None:
            asked.append({"command": command, **options})

        def wait(self, seconds: float) -> int:
            return 0

        def poll(self) -> int:
            return 0

    monkeypatch.setattr("nas_fusion.studies.queue.local_workers.subprocess.Popen", Process)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    with local_workers(3, "sqlite:///x", "clicks", tmp_path):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
    assert [a["env"]["OMP_NUM_THREADS"] for a in asked] == ["2"] * 3
    command = ["worker", "--storage", "sqlite:///x", "--study", "clicks", "--folder", str(tmp_path)]
    assert all(a["command"][-len(command) :] == command for a in asked), json.dumps(asked[0]["command"])
    asked.clear()
    with local_workers(1, "mysql://me:secret@host/db", "clicks", tmp_path):
        assert "secret" not in json.dumps(asked[0]["command"]), "others see the list of processes"
        assert asked[0]["env"][PASSWORD_VARIABLE] == "secret"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with local_workers(1, "sqlite:///x", "clicks", tmp_path):
        assert torch.get_num_threads() == before, "the user has chosen"


def test_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert [processes_for(asked) for asked in (0, 1, 5, 32)] == [8, 1, 5, 32]
    for asked in (-1, 33):
        with pytest.raises(
            OptionError, match=r"processes must be an integer from 0 to 32 \(0: one per core, and there"
        ):
            processes_for(asked)
    dataset = prepare("synthetic:3000", cache=tmp_path / "cache")
    with pytest.raises(OptionError, match="processes must be 1 with the engine nni"):
        compare(FEW, dataset, tmp_path / "study", processes=2, engine="nni")
