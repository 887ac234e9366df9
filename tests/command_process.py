"""A process of its own that starts at once: the command line, or a piece of Python.

A new interpreter imports torch, Lightning and NNI for five seconds. Tests that need a process to kill, or several that
share something, and not the interpreter's start, fork it from one that has imported them and done nothing else: the
fork server of the standard library. Each such process has its own memory, standard streams and exit code, as if it had
been started by a shell. That the command starts from nothing is what `tests/test_cli.py` and `tests/test_packaging.py`
show.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest.mock import patch

from tests.short_timings import look_ahead_briefly, seldom_look_for_garbage, shorten

IMPORTED = [
    *("nas_fusion.cli", "nas_fusion.studies", "nas_fusion.report", "nas_fusion.optfusion", "nas_fusion.baselines"),
    *("sqlalchemy.orm", "alembic.context", "jinja2", "plotly.graph_objects"),  # what they import when they need it
]
NASFUSION = "import sys; from nas_fusion.cli import main; main(sys.argv[1:])"
OUTPUT, ERRORS = "stdout", "stderr"
PATIENCE_SECONDS = 120.0
"""A machine that has other things to do needs long for what takes a moment; only a failure waits to the end."""


class CommandProcess:
    """``nasfusion ARGUMENTS``, running.

    Args:
        arguments: of the command line.
        folder: the process lives in it, and prints to the files ``stdout`` and ``stderr`` there.
        environment: what its environment has beyond this process's.
        path: where it imports from before anything else.
        code: what it runs instead of the command line, as ``python -c`` would.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        path: str = "",
        code: str = NASFUSION,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        everything = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        start = (code, list(arguments), folder, everything, path)
        self._process = forks().Process(target=_run, args=start, daemon=True)  # a daemon does not outlive the tests
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As `subprocess.Popen` has it: a signal's number is negative."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code."""
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"it did not end: {self.said()}"
        return code

    def first_line(self) -> str:
        """Wait until it has printed a line."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "\n" not in self.stdout:
            assert self.returncode is None, self.said()
            assert time.monotonic() < deadline, "it prints nothing"
            time.sleep(0.02)
        return self.stdout.partition("\n")[0]

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, and wait until it is gone."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return _read(self.folder / OUTPUT)

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        return _read(self.folder / ERRORS)

    def said(self) -> str:
        """Both, in one line."""
        return " ".join(f"{self.stdout} {self.stderr}".split())


def forks() -> ForkServerContext:
    """Where processes come from that have imported everything; they have a hash seed of their own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with patch.dict(os.environ, PYTHONHASHSEED="random"):
        forkserver.ensure_running()
    return context


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def become(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: list[int]) -> None:
    """Let this process, which was forked, have the folder, environment, arguments and streams of another.

    Args:
        streams: file descriptors that become standard output and standard error.
    """
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    sys.argv = ["-c", *arguments]
    seldom_look_for_garbage()


def _run(code: str, arguments: list[str], folder: Path, environment: dict[str, str], path: str) -> None:
    files = [os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in (OUTPUT, ERRORS)]
    become(arguments, folder, environment, files)
    if path:
        sys.path.insert(0, path)
    shorten()
    look_ahead_briefly()
    exec(compile(code, "-c", "exec"), {"__name__": "__main__"})
