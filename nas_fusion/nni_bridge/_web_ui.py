"""NNI's manager in view mode, on loopback only: the web UI of a recorded experiment.

The manager is started as NNI starts it, with ``guard.js`` in front, which binds it to loopback, refuses paths that
climb out of their folder and requests that name another host, and ends it with this process; ``nnictl view`` does none
of that. The manager looks its experiment up in a list in the user's home folder, and its pages stay empty if it is not
there: it is given a home folder of its own, with a list of one.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import nni_node

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.files import write_text
from nas_fusion.nni_bridge._recorder import experiment_id

GUARD = Path(__file__).with_name("guard.js")
HOST = "127.0.0.1"
_START_SECONDS = 60.0


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def web_ui(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve the experiment that was, or is being, recorded in a folder; yields the address.

    Args:
        folder: where the `ExperimentRecorder` wrote.
        port: of loopback; 0 for any free one.

    Raises:
        StudyError: nothing was recorded there, or the manager does not start.
        OptionError: the port is taken.
    """
    experiment = experiment_id(folder)
    if experiment is None:
        raise StudyError(f"{folder} holds no recorded experiment")
    port = _check_free(port) if port else free_port()
    log = folder / experiment / "log" / "web_ui.log"
    log.parent.mkdir(exist_ok=True)
    home = log.parent / "home"
    _list_experiment(home, folder.resolve(), experiment, port)
    with log.open("w", encoding="utf-8") as output:
        manager = subprocess.Popen(
            _command(folder.resolve(), experiment, port),
            cwd=_node_folder(),
            env={**os.environ, "HOME": str(home.resolve()), "USERPROFILE": str(home.resolve())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://{HOST}:{port}"
    try:
        _wait_until_ready(manager, address, log)
        yield address
    finally:
        manager.terminate()
        try:
            manager.wait(10)
        except subprocess.TimeoutExpired:
            manager.kill()
            manager.wait()


def _node_folder() -> Path:
    return Path(nni_node.__path__[0])


def _command(folder: Path, experiment: str, port: int) -> list[str]:
    node = _node_folder() / ("node.exe" if sys.platform == "win32" else "node")
    options = {
        "port": port,
        "experiment-id": experiment,
        "action": "view",
        "experiments-directory": folder,
        "log-level": "error",
        "python-interpreter": sys.executable,
        "mode": "local",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [str(node), "--require", str(GUARD), "main.js", *arguments]


def _list_experiment(home: Path, folder: Path, experiment: str, port: int) -> None:
    entry = {
        "id": experiment,
        "port": port,
        "startTime": int(time.time() * 1000),
        "endTime": "N/A",
        "status": "VIEWED",
        "platform": "local",
        "experimentName": folder.parent.name,
        "tag": [],
        "pid": os.getpid(),
        "webuiUrl": [],
        "logDir": str(folder),
        "prefixUrl": None,
    }
    (home / "nni-experiments").mkdir(parents=True, exist_ok=True)
    write_text(home / "nni-experiments" / ".experiment", json.dumps({experiment: entry}))


def _check_free(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise OptionError("port", "a port that is free and allowed, or 0 for any free one", port) from error
    return port


def _wait_until_ready(manager: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    problem: object = "it did not answer"
    while time.monotonic() < deadline:
        if manager.poll() is not None:
            problem = f"it ended with {manager.returncode}"
            break
        try:
            _request(f"{address}/api/v1/nni/check-status")
            _request(f"{address}/api/v1/nni/experiment", method="POST")
        except (URLError, ConnectionError) as error:
            problem = error
            time.sleep(0.1)
        else:
            return
    raise StudyError(f"NNI's manager could not be started: {problem}; its log is {log}")


def _request(address: str, method: str = "GET") -> None:
    data = b"{}" if method == "POST" else None
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
