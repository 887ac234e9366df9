"""A comparison on several devices that loses a process: one line, nothing half-written, the same command goes on."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from nas_fusion.studies import StudyFolder
from tests.command_process import PATIENCE_SECONDS, CommandProcess

COMMAND = (
    "compare --data synthetic:2000 --strategies dcn,fnn --seeds 1 --epochs 2 --recipe defaults --device cpu "
    "--devices 2 --study study"
)


def wait_for(process: CommandProcess, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while words not in process.stdout:
        assert process.returncode is None, process.said()
        assert time.monotonic() < deadline, process.said()
        time.sleep(0.02)


def helper_of(process: CommandProcess) -> psutil.Process:
    children = psutil.Process(process.pid).children(recursive=True)
    (found,) = [child for child in children if any("rank_process" in part for part in child.cmdline())]
    return found


@pytest.mark.slow
def test_a_killed_process_ends_the_comparison_and_it_goes_on(tmp_path: Path) -> None:
    environment = {"NASFUSION_CACHE": str(tmp_path / "cache")}
    first = CommandProcess(COMMAND.split(), tmp_path, environment)
    wait_for(first, "[1/")
    helper = helper_of(first)
    helper.kill()
    assert first.wait(PATIENCE_SECONDS) == 2, first.said()
    assert f"rank 1 of 2 (process {helper.pid} on " in first.stderr
    assert "signal SIGKILL" in first.stderr
    assert "Traceback" not in first.said()
    finished = StudyFolder(tmp_path / "study").finished_cells()
    assert finished >= 1
    again = CommandProcess(COMMAND.split(), tmp_path, environment)
    assert again.wait(2 * PATIENCE_SECONDS) == 0, again.said()
    assert StudyFolder(tmp_path / "study").finished_cells() > finished
