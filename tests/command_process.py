"""The command line in a process of its own that starts at once.

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
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

IMPORTED = ["nas_fusion.cli", "nas_fusion.studies", "nas_fusion.report", "nas_fusion.optfusion", "nas_fusion.baselines"]
STREAM = "output"
ROUND_SECONDS = 0.002
"""Of the measurement of latency: see `tests/conftest.py`."""


class CommandProcess:
    """``nasfusion ARGUMENTS``, running.

    Args:
        arguments: of the command line.
        folder: the process lives in it, and prints to the file ``output`` there.
        environment: what its environment has beyond this process's.
        path: where it imports from before anything else.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, path: str = ""
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        # As a daemon it cannot outlive the tests.
        self._process = _forks().Process(target=_run, args=(list(arguments), folder, environment, path), daemon=True)
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

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, and wait until it is gone."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def said(self) -> str:
        """What it has printed so far, in one line."""
        return " ".join((self.folder / STREAM).read_text().split())


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def _run(arguments: list[str], folder: Path, environment: dict[str, str], path: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if path:
        sys.path.insert(0, path)
    output = os.open(STREAM, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(output, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    sys.argv = ["nasfusion", *arguments]
    from nas_fusion.cli import main
    from nas_fusion.measures import latency

    latency.ROUND_SECONDS = ROUND_SECONDS
    main(arguments)
