"""``kill -9`` and SIGTERM in the middle of a comparison, then the same command: nothing is lost, the numbers agree."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from nas_fusion.report import CLOCK
from tests.command_process import PATIENCE_SECONDS, CommandProcess

COMMAND = (
    "compare --data synthetic:1500 --levels 1 --emb-dim 2 --budget 1x --candidates 3 --epochs 2 --seeds 2 --device cpu "
    "--strategies random,evolution,optfusion-hard,optfusion-soft,darts --study study"
)
CELLS = 2 * 7  # five strategies and two references


def start(folder: Path, cache: Path, processes: int = 1) -> CommandProcess:
    arguments = [*COMMAND.split(), "--processes", str(processes)]
    return CommandProcess(arguments, folder, {"NASFUSION_CACHE": str(cache)})


def finished_cells(folder: Path) -> dict[str, int]:
    cells = (folder / "study" / "cells").glob("*/cell.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in cells}


def end_when(process: CommandProcess, folder: Path, cells: int, delay: float, number: int) -> str:
    """Send a signal once a number of cells is finished and a little later, in the middle of the next one.

    Returns:
        What it printed. Its workers are gone.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(finished_cells(folder)) < cells:
        assert process.returncode is None, f"it ended before it was killed: {process.said()}"
        assert time.monotonic() < deadline, "no cell within two minutes"
        time.sleep(0.02)
    time.sleep(delay)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.wait()
    assert psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)[1] == [], "no orphan"
    return process.said()


def results(folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(folder / "study" / "results.csv")
    return frame.drop(columns=list(CLOCK))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    whole = start(folder, folder / "cache")
    assert whole.wait() == 0, whole.said()
    return folder


def goes_on_to_the_same_results(folder: Path, undisturbed: Path) -> None:
    before = finished_cells(folder)
    last = start(folder, undisturbed / "cache")
    assert last.wait() == 0, last.said()
    after = finished_cells(folder)
    assert len(after) == CELLS
    assert {name: after[name] for name in before} == before, "a finished cell was run again"
    pd.testing.assert_frame_equal(results(folder), results(undisturbed), check_exact=True)
    left = [path.name for path in (folder / "study").rglob(".*.tmp")]
    assert left == []


@pytest.mark.slow
def test_three_kills_change_nothing(tmp_path: Path, undisturbed: Path) -> None:
    for cells, delay, processes in ((1, 0.05, 1), (4, 0.2, 2), (9, 0.0, 1)):
        before = finished_cells(tmp_path)
        process = start(tmp_path, undisturbed / "cache", processes)
        end_when(process, tmp_path, cells, delay, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        after = finished_cells(tmp_path)
        assert {name: after[name] for name in before} == before, "a finished cell was run again"
        assert cells <= len(after) < CELLS
    goes_on_to_the_same_results(tmp_path, undisturbed)


@pytest.mark.slow
def test_sigterm_says_how_to_go_on(tmp_path: Path, undisturbed: Path) -> None:
    for cells, delay, processes in ((0, 1.0, 1), (2, 0.1, 2), (7, 0.0, 1)):
        process = start(tmp_path, undisturbed / "cache", processes)
        error = end_when(process, tmp_path, cells, delay, signal.SIGTERM)
        assert process.returncode == 143, error
        assert "terminated (SIGTERM); what is finished is kept, the same command goes on: nasfusion compare" in error
        assert "Traceback" not in error, error
        assert not list((tmp_path / "study").glob("worker-*.log")), "workers ended in order"
    goes_on_to_the_same_results(tmp_path, undisturbed)
