"""``kill -9`` in the middle of a comparison, then the same command: nothing finished is lost, the numbers agree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.report import CLOCK

COMMAND = (
    "compare --data synthetic:3000 --levels 1 --emb-dim 2 --budget 1x --candidates 3 --epochs 3 --seeds 2 --device cpu "
    "--strategies random,evolution,optfusion-hard,optfusion-soft,darts --study study"
)
CELLS = 2 * 7  # five strategies and two references


def start(folder: Path, cache: Path) -> subprocess.Popen[bytes]:
    code = "import sys; from nas_fusion.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "NASFUSION_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *COMMAND.split()],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finished_cells(folder: Path) -> dict[str, int]:
    cells = (folder / "study" / "cells").glob("*/cell.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in cells}


def kill_when(process: subprocess.Popen[bytes], folder: Path, cells: int, delay: float) -> None:
    """Kill once a number of cells is finished and a little later, in the middle of the next one."""
    deadline = time.monotonic() + 120
    while len(finished_cells(folder)) < cells:
        assert process.poll() is None, "the comparison ended before it was killed"
        assert time.monotonic() < deadline, "no cell within two minutes"
        time.sleep(0.02)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def results(folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(folder / "study" / "results.csv")
    return frame.drop(columns=list(CLOCK))


@pytest.mark.slow
def test_three_kills_change_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    whole = start(undisturbed, cache)
    _, error = whole.communicate()
    assert whole.returncode == 0, error

    for cells, delay in ((1, 0.05), (4, 0.2), (9, 0.0)):
        before = finished_cells(killed)
        kill_when(start(killed, cache), killed, cells, delay)
        after = finished_cells(killed)
        assert {name: after[name] for name in before} == before, "a finished cell was run again"
        assert cells <= len(after) < CELLS

    before = finished_cells(killed)
    last = start(killed, cache)
    _, error = last.communicate()
    assert last.returncode == 0, error
    after = finished_cells(killed)
    assert len(after) == CELLS
    assert {name: after[name] for name in before} == before, "a finished cell was run again"
    pd.testing.assert_frame_equal(results(killed), results(undisturbed), check_exact=True)
