"""One comparison, several worker processes, one storage: every cell once, dead workers noticed, the same results."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import optuna
import pandas as pd
import pytest
from optuna.storages import BaseStorage

from nas_fusion.report import CLOCK
from nas_fusion.studies import open_storage
from nas_fusion.studies.storage.database_urls import PASSWORD_VARIABLE
from tests.command_process import CommandProcess
from tests.studies.storage.grpc_proxy import GrpcProxy
from tests.studies.storage.mariadb import PASSWORD, MariaDB
from tests.studies.storage.postgresql import PostgreSQL

COMMAND = (
    "compare --data synthetic:3000 --levels 1 --emb-dim 4 --budget 2x --candidates 3 --epochs 2 --patience 0 "
    "--no-importance --no-anytime-test --seeds 3 --device cpu --strategies random,optfusion-hard --study study"
)
CELLS = 12
T = TypeVar("T")
SECONDS = 240


def start(folder: Path, cache: Path, arguments: str) -> CommandProcess:
    return CommandProcess(arguments.split(), folder, {"NASFUSION_CACHE": str(cache)})


def results(folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(folder / "study" / "results.csv")
    return frame.drop(columns=list(CLOCK))


class Server(Protocol):
    """A server of a storage that other machines could reach, too."""

    def database(self, name: str) -> str:
        """The URL of something empty in it."""
        ...

    def start(self) -> None:
        """Start it again."""
        ...

    def stop(self) -> None:
        """Stop it; its connections are cut."""
        ...


def a_postgresql(folder: Path) -> AbstractContextManager[Server]:
    pytest.importorskip("psycopg")
    if PostgreSQL.missing():
        pytest.skip("no PostgreSQL server on this machine")
    return PostgreSQL.running()


def a_mariadb(folder: Path) -> AbstractContextManager[Server]:
    pytest.importorskip("pymysql")
    if MariaDB.missing():
        pytest.skip("no MariaDB server on this machine")
    return MariaDB.running()


def a_grpc_proxy(folder: Path) -> AbstractContextManager[Server]:
    pytest.importorskip("grpc")
    return GrpcProxy.running(folder)


SERVERS = {"postgresql": a_postgresql, "mariadb": a_mariadb, "grpc-proxy": a_grpc_proxy}


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with SERVERS[request.param](tmp_path_factory.mktemp("server")) as found, pytest.MonkeyPatch.context() as patch:
        if request.param == "mariadb":  # the others let everybody in
            patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The comparison by a single process."""
    folder = tmp_path_factory.mktemp("alone")
    process = start(folder, folder / "cache", COMMAND)
    assert process.wait(timeout=SECONDS) == 0, process.said()
    return folder


@contextmanager
def watching(url: str) -> Iterator[BaseStorage]:
    """The storage, whose connections end with the block: a server has few of them."""
    storage = open_storage(url)
    try:
        yield storage
    finally:
        storage.close()


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


@dataclass
class Shared:
    """A coordinator and workers that share a comparison."""

    tmp_path: Path
    url: str
    storage: BaseStorage
    cache: Path
    processes: dict[str, CommandProcess] = field(default_factory=dict)

    def start(self, workers: int) -> None:
        """Start the coordinator, and when it has begun the workers."""
        coordinator = start(self.tmp_path / "coordinator", self.cache, f"{COMMAND} --storage {self.url}")
        self.processes["coordinator"] = coordinator
        self.wait_for(lambda: bool(running(self.storage)), "the coordinator did not begin")
        worker = f"worker --storage {self.url} --study study --device cpu --folder cells"
        for number in range(workers):
            self.processes[f"worker{number}"] = start(self.tmp_path / f"worker{number}", self.cache, worker)

    def busy_worker(self) -> str | None:
        """One that computes a cell now."""
        busy = running(self.storage)
        return next((n for n, p in self.processes.items() if p.pid in busy and n != "coordinator"), None)

    def wait_for(self, what: Callable[[], T | None], otherwise: str) -> T:
        """Wait until something is so, or there; what it is."""
        deadline = time.monotonic() + SECONDS
        while not (found := what()):
            assert self.processes["coordinator"].returncode is None, self.said()
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.1)
        return found

    def said(self) -> dict[str, str]:
        """What each has printed so far."""
        return {name: process.said() for name, process in self.processes.items()}

    def finish(self) -> None:
        """Wait for the end, which must be a good one."""
        for process in self.processes.values():
            process.wait(timeout=SECONDS)
        assert {p.returncode for p in self.processes.values()} == {0}, self.said()


@contextmanager
def shared(tmp_path: Path, url: str, alone: Path) -> Iterator[Shared]:
    """Inside the block a comparison may be shared; no process outlives it."""
    with watching(url) as storage:
        found = Shared(tmp_path, url, storage, alone / "cache")
        try:
            yield found
        finally:
            for process in found.processes.values():
                process.kill()


def every_cell_once(comparison: Shared, alone: Path) -> list[optuna.trial.FrozenTrial]:
    """Check the results; the trials."""
    trials = optuna.load_study(study_name="study", storage=comparison.storage).get_trials()
    complete = [t for t in trials if t.state == optuna.trial.TrialState.COMPLETE]
    cells = Counter((t.params["strategy"], t.params["seed"]) for t in complete)
    assert len(cells) == CELLS
    assert set(cells.values()) == {1}
    assert len({t.system_attrs["nas-fusion:owner"]["pid"] for t in complete}) >= 2
    pd.testing.assert_frame_equal(results(comparison.tmp_path / "coordinator"), results(alone), check_exact=True)
    return trials


def stop_a_busy_worker(comparison: Shared) -> str | None:
    """Stop a worker inside a cell, if one is there; between a look and a signal it may have finished a short one.

    Returns:
        Its name. Whoever asks again for a busy one may hear of another, which has begun a cell meanwhile.
    """
    name = comparison.busy_worker()
    if name is None:
        return None
    comparison.processes[name].send_signal(signal.SIGSTOP)
    if comparison.processes[name].pid in running(comparison.storage):
        return name
    comparison.processes[name].send_signal(signal.SIGCONT)
    return None


def a_worker_is_killed(tmp_path: Path, url: str, alone: Path) -> None:
    with shared(tmp_path, url, alone) as comparison:
        comparison.start(3)
        stopped = comparison.wait_for(lambda: stop_a_busy_worker(comparison), "no worker took a cell")
        victim = comparison.processes.pop(stopped)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        comparison.finish()
        trials = every_cell_once(comparison, alone)
        died = [t for t in trials if t.state == optuna.trial.TrialState.FAIL]
        assert len(died) == 1, "the killed worker's cell, and no other, was begun twice"


def nothing_shows_the_password(folder: Path) -> None:
    for file in folder.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_workers_share_a_comparison_through_a_server(tmp_path: Path, server: Server, alone: Path) -> None:
    a_worker_is_killed(tmp_path, server.database("killed"), alone)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_is_away_for_a_while_is_waited_for(tmp_path: Path, server: Server, alone: Path) -> None:
    url = server.database("away")
    with shared(tmp_path, url, alone) as comparison:
        comparison.start(2)
        comparison.wait_for(lambda: comparison.busy_worker() is not None, "no worker took a cell")
        server.stop()
        comparison.processes["late"] = start(
            tmp_path / "late", alone / "cache", f"worker --storage {url} --study study --folder cells"
        )
        away = "the storage cannot be reached"
        comparison.wait_for(
            lambda: all(away in comparison.said()[n] for n in ("late", "coordinator")), "nobody noticed"
        )
        server.start()
        comparison.finish()
        every_cell_once(comparison, alone)
        for name, output in comparison.said().items():
            assert "Traceback" not in output, name
            assert output.count(away) == output.count("the storage is back") <= 1, name
    nothing_shows_the_password(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_share_a_comparison_through_a_journal_file(tmp_path: Path, alone: Path) -> None:
    a_worker_is_killed(tmp_path, f"journal://{tmp_path}/journal.log", alone)
