"""One comparison, several worker processes, one storage: every cell once, dead workers noticed, the same results."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.storages import BaseStorage, RDBStorage

from nas_fusion.report import CLOCK
from nas_fusion.studies import open_storage

COMMAND = (
    "compare --data synthetic:12000 --levels 2 --emb-dim 4 --budget 4x --candidates 3 --epochs 8 --patience 0 "
    "--seeds 3 --device cpu --strategies random,optfusion-hard --study study"
)
CELLS = 12
SECONDS = 240


def start(folder: Path, cache: Path, arguments: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    code = "import sys; from nas_fusion.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "NASFUSION_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments.split()],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def results(folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(folder / "study" / "results.csv")
    return frame.drop(columns=list(CLOCK))


def programs(name: str) -> str | None:
    """A program of PostgreSQL's server; Debian does not put them on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


def as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("psycopg")
    initdb, server = programs("initdb"), programs("postgres")
    if initdb is None or server is None:
        pytest.skip("no PostgreSQL server on this machine")
    # Not below tmp_path, which another user may not enter; the path of its socket must be short.
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/nasfusion-pg-XXXXXX"], text=True).strip())
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [*as_postgres(), initdb, "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-k", str(folder), "-c", "fsync=off"]
    process = subprocess.Popen(
        [*as_postgres(), server, "-D", data, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "PostgreSQL did not start"
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.1)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The comparison by a single process."""
    folder = tmp_path_factory.mktemp("alone")
    process = start(folder, folder / "cache", COMMAND)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return folder


@contextmanager
def watching(url: str) -> Iterator[BaseStorage]:
    """The storage, whose connections end with the block: a server has few of them."""
    storage = open_storage(url)
    try:
        yield storage
    finally:
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def running(storage: BaseStorage) -> dict[int, list[int]]:
    """Process → the cells that it runs now."""
    try:
        study = optuna.load_study(study_name="study", storage=storage)
    except KeyError:
        return {}
    found: dict[int, list[int]] = {}
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        owner = trial.system_attrs.get("nas-fusion:owner")
        if owner is not None:
            found.setdefault(owner["pid"], []).append(trial.number)
    return found


def shared_comparison(tmp_path: Path, url: str, alone: Path) -> None:
    """A coordinator and three workers, one of which is killed while it computes a cell."""
    with watching(url) as storage:
        _shared_comparison(tmp_path, url, storage, alone)


def _shared_comparison(tmp_path: Path, url: str, storage: BaseStorage, alone: Path) -> None:
    cache = alone / "cache"
    coordinator = start(tmp_path / "coordinator", cache, f"{COMMAND} --storage {url}")
    deadline = time.monotonic() + SECONDS
    while not running(storage):
        assert coordinator.poll() is None, "the coordinator ended before it began"
        assert time.monotonic() < deadline, "the coordinator did not begin"
        time.sleep(0.1)
    worker = f"worker --storage {url} --study study --device cpu"
    workers = [start(tmp_path / f"worker{n}", cache, f"{worker} --folder cells") for n in range(3)]
    victim: subprocess.Popen[str] | None = None
    while victim is None:
        assert coordinator.poll() is None, "the coordinator did every cell alone"
        assert time.monotonic() < deadline, "no worker took a cell"
        busy = running(storage)
        victim = next((w for w in workers if w.pid in busy), None)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    outputs = [p.communicate(timeout=SECONDS)[0] for p in (coordinator, *workers) if p is not victim]
    codes = [p.returncode for p in (coordinator, *workers) if p is not victim]
    assert codes == [0, 0, 0], outputs

    study = optuna.load_study(study_name="study", storage=storage)
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    cells = Counter((t.params["strategy"], t.params["seed"]) for t in complete)
    assert len(cells) == CELLS
    assert set(cells.values()) == {1}
    died = study.get_trials(states=(optuna.trial.TrialState.FAIL,))
    assert len(died) == 1, "the killed worker's cell, and no other, was begun twice"
    assert (died[0].params["strategy"], died[0].params["seed"]) in cells
    assert len({t.system_attrs["nas-fusion:owner"]["pid"] for t in complete}) >= 2
    pd.testing.assert_frame_equal(results(tmp_path / "coordinator"), results(alone), check_exact=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_share_a_comparison_through_postgresql(tmp_path: Path, postgresql: str, alone: Path) -> None:
    shared_comparison(tmp_path, postgresql, alone)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_share_a_comparison_through_a_journal_file(tmp_path: Path, alone: Path) -> None:
    shared_comparison(tmp_path, f"journal://{tmp_path}/journal.log", alone)
