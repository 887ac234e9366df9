"""NNI's manager, which is never started without ``guard.js`` in front of it.

The guard binds it to loopback, lets web pages from elsewhere in nowhere, lets only whoever knows the secret of the run
change anything, gives every trial its own parameters, and ends the manager and its trials with this process. NNI's own
ways of starting it do none of that.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import nni_node

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.system.files import write_text

GUARD = Path(__file__).with_name("guard.js")
HOST = "127.0.0.1"
EVERY_INTERFACE = "0.0.0.0"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0  # NNI kills a trial that does not end in 5
_ANSWER_SECONDS = 20.0

_NOTHING_PRINTED = ("stderr is empty.", "NNI internal error.")
"""What the manager says instead of a trial's standard error."""

# A proxy from the environment must neither be asked for this machine nor see a secret.
directly = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Manager:
    """A running manager.

    Args:
        address: of its pages.
        secret: of this run; whoever has it may start trials.
        log: the file that has its output.
        process: the manager's.
    """

    address: str
    secret: str = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes]

    def ask(self, path: str, content: Any = None, method: str | None = None) -> Any:
        """Get something from its REST interface, post `content` to it, or use another method.

        Raises:
            URLError: it does not answer, or refuses.
        """
        return ask_manager(self.address, path, content, method=method, secret=self.secret)

    def printed_by(self, trial: str) -> str:
        """What a trial has printed to standard error, on whichever machine.

        Raises:
            URLError: it does not answer, or cannot get it.
        """
        text = _answer(self.address, f"trial-file/{trial}/stderr", self.secret).decode(errors="replace")
        return "" if text.startswith(_NOTHING_PRINTED) else text

    @property
    def why(self) -> Path:
        """The file in which it says why it has ended, if it knows."""
        return self.log.parent / "why"

    def check(self) -> None:
        """Look whether it still runs.

        Raises:
            StudyError: it has ended, or is about to and has said why.
        """
        if self.why.is_file():
            reason = self.why.read_text("utf-8", errors="replace")
            raise StudyError(f"trainingService, machineList: {reason}; NNI's logs are in {self.log.parent}")
        if self.process.poll() is not None:
            raise StudyError(f"NNI's manager ended with {self.process.returncode}; its logs are in {self.log.parent}")


def new_secret() -> str:
    """What nobody can guess."""
    return secrets.token_urlsafe(32)


def authorization(secret: str) -> dict[str, str]:
    """The header by which the guard knows who has the secret."""
    return {"Authorization": f"Bearer {secret}"}


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
def running_manager(
    folder: Path,
    experiment: str,
    port: int,
    *,
    log: Path,
    host: str = HOST,
    environment: Mapping[str, str] | None = None,
    scripts: Sequence[Path] = (),
    **options: str,
) -> Iterator[Manager]:
    """Start the manager of an experiment, and end it after the block.

    The manager looks its experiment up in a list in the user's home folder, and its pages stay empty if it is not
    there: it is given a list of its own, with this experiment.

    Args:
        folder: the experiment's data is in ``<folder>/<experiment>``.
        experiment: its id.
        port: where it listens.
        log: the file that gets its output.
        host: the address that it listens on.
        environment: more variables for it and its trials.
        scripts: loaded into it behind the guard.
        options: of NNI's ``main.js``; ``_`` stands for ``-``.

    Raises:
        StudyError: the manager does not start.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    home = log.parent / "home"
    _list_experiment(home, folder.resolve(), experiment, port, options)
    secret = new_secret()  # in the environment, which other users cannot see; arguments they can
    variables = {"NASFUSION_UI_HOST": host, "NASFUSION_LIST_HOME": str(home.resolve()), "NASFUSION_SECRET": secret}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            _command([GUARD, *scripts], folder.resolve(), experiment, port, options),
            cwd=node_folder(),
            env={**os.environ, **(environment or {}), **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal is for this process, which then ends the manager in order
        )
    manager = Manager(f"http://{HOST}:{port}", secret, log, process)
    try:
        _wait_until_ready(manager)
        yield manager
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask_manager(
    address: str, path: str, content: Any = None, *, method: str | None = None, secret: str | None = None
) -> Any:
    """Get something from a manager's REST interface; with its secret also post to it, or use another method.

    Raises:
        URLError: it does not answer, or refuses.
    """
    data = None if content is None else json.dumps(content).encode()
    body = _answer(address, path, secret, data, method)
    return json.loads(body) if body else None


def _answer(address: str, path: str, secret: str | None, data: bytes | None = None, method: str | None = None) -> bytes:
    headers = {"Content-Type": "application/json", **({} if secret is None else authorization(secret))}
    request = Request(f"{address}/api/v1/nni/{path}", data, headers, method=method)
    with directly.open(request, timeout=_ANSWER_SECONDS) as answer:
        return bytes(answer.read())


def node_folder() -> Path:
    """Where NNI's Node.js and its manager lie."""
    return Path(nni_node.__path__[0])


def _command(
    scripts: Sequence[Path], folder: Path, experiment: str, port: int, options: Mapping[str, str]
) -> list[str]:
    node = node_folder() / ("node.exe" if sys.platform == "win32" else "node")
    every = {
        "port": port,
        "experiment-id": experiment,
        "experiments-directory": folder,
        "python-interpreter": sys.executable,
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    arguments = [part for name, value in every.items() for part in (f"--{name}", str(value))]
    loaded = [part for script in scripts for part in ("--require", str(script))]
    return [str(node), *loaded, "main.js", *arguments]


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


def _wait_until_ready(manager: Manager) -> None:
    deadline = time.monotonic() + _START_SECONDS
    problem: object = "it did not answer"
    while time.monotonic() < deadline:
        if manager.process.poll() is not None:
            problem = f"it ended with {manager.process.returncode}"
            break
        try:
            manager.ask("check-status")
        except (URLError, ConnectionError, ValueError) as error:  # before it is ready it may answer with a page
            problem = error
            time.sleep(0.1)
        else:
            return
    raise StudyError(f"NNI's manager could not be started: {problem}; its log is {manager.log}")
