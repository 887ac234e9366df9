"""NNI's manager, which is never started without ``guard.js`` in front of it.

The guard binds it to loopback, refuses paths that climb out of their folder and requests that name another host, gives
every trial its own parameters, and ends the manager and its trials with this process. NNI's own ways of starting it do
none of that.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import nni_node

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.files import write_text

GUARD = Path(__file__).with_name("guard.js")
HOST = "127.0.0.1"
EVERY_INTERFACE = "0.0.0.0"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0  # NNI kills a trial that does not end in 5


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_free(port: int) -> int:
    """Return the port.

    Raises:
        OptionError: it is taken, or may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise OptionError("port", "a port that is free and allowed, or 0 for any free one", port) from error
    return port


@contextmanager
def guarded() -> Iterator[None]:
    """Inside the block, a manager that NNI itself starts has the guard in front of it.

    For an experiment of one's own: ``with guarded(): experiment.start(port)``. The environment is as before behind the
    block; the manager's trials see what the user had in ``NODE_OPTIONS``.
    """
    names = ("NODE_OPTIONS", "NASFUSION_NODE_OPTIONS")
    before = {name: os.environ.get(name) for name in names}
    users = before["NODE_OPTIONS"] or ""
    quoted = str(GUARD).replace("\\", "\\\\").replace('"', '\\"')
    os.environ.update(NODE_OPTIONS=f'{users} --require "{quoted}"'.strip(), NASFUSION_NODE_OPTIONS=users)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def running_manager(
    folder: Path, experiment: str, port: int, *, log: Path, host: str = HOST, **options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the manager of an experiment, and end it behind the block.

    The manager looks its experiment up in a list in the user's home folder, and its pages stay empty if it is not
    there: it is given a list of its own, with this experiment.

    Args:
        folder: the experiment's data is in ``<folder>/<experiment>``.
        experiment: its id.
        port: where it listens.
        log: the file that gets its output.
        host: the address that it listens on.
        options: of NNI's ``main.js``; ``_`` stands for ``-``.

    Raises:
        StudyError: the manager does not start.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    home = log.parent / "home"
    _list_experiment(home, folder.resolve(), experiment, port, options)
    environment = {**os.environ, "NASFUSION_UI_HOST": host, "NASFUSION_LIST_HOME": str(home.resolve())}
    with log.open("w", encoding="utf-8") as output:
        manager = subprocess.Popen(
            _command(folder.resolve(), experiment, port, options),
            cwd=_node_folder(),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal is for this process, which then ends the manager in order
        )
    try:
        _wait_until_ready(manager, f"http://{HOST}:{port}", log)
        yield manager
    finally:
        manager.terminate()
        try:
            manager.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            manager.kill()
            manager.wait()


def ask_manager(address: str, path: str, content: Any = None) -> Any:
    """Get something from a manager's REST interface, or post `content` to it."""
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(f"{address}/api/v1/nni/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        body = answer.read()
    return json.loads(body) if body else None


def _node_folder() -> Path:
    return Path(nni_node.__path__[0])


def _command(folder: Path, experiment: str, port: int, options: Mapping[str, str]) -> list[str]:
    node = _node_folder() / ("node.exe" if sys.platform == "win32" else "node")
    every = {
        "port": port,
        "experiment-id": experiment,
        "experiments-directory": folder,
        "python-interpreter": sys.executable,
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    arguments = [part for name, value in every.items() for part in (f"--{name}", str(value))]
    return [str(node), "--require", str(GUARD), "main.js", *arguments]


def _list_experiment(home: Path, folder: Path, experiment: str, port: int, options: Mapping[str, str]) -> None:
    entry = {
        "id": experiment,
        "port": port,
        "startTime": int(time.time() * 1000),
        "endTime": "N/A",
        "status": "VIEWED" if options.get("action") == "view" else "INITIALIZED",
        "platform": options.get("mode", "local"),
        "experimentName": folder.parent.name,
        "tag": [],
        "pid": os.getpid(),
        "webuiUrl": [],
        "logDir": str(folder),
        "prefixUrl": None,
    }
    (home / "nni-experiments").mkdir(parents=True, exist_ok=True)
    write_text(home / "nni-experiments" / ".experiment", json.dumps({experiment: entry}))


def _wait_until_ready(manager: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    problem: object = "it did not answer"
    while time.monotonic() < deadline:
        if manager.poll() is not None:
            problem = f"it ended with {manager.returncode}"
            break
        try:
            ask_manager(address, "check-status")
        except (URLError, ConnectionError, ValueError) as error:  # before it is ready it may answer with a page
            problem = error
            time.sleep(0.1)
        else:
            return
    raise StudyError(f"NNI's manager could not be started: {problem}; its log is {log}")
