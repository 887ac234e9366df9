"""Trials of an NNI service that start at once.

NNI's manager starts a trial by a shell command. A new interpreter imports torch, Lightning and NNI for five seconds
before the trial begins. Here the command is a client of a few lines, and the trial is forked from a process that has
imported what others have written; NNI, which looks at a trial's environment when it is imported, and the package
itself are imported anew. Environment, folder, streams and exit code are the command's. That the command of the package
starts from nothing is what `tests/search/test_engines.py` shows with a trial of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Listener
from multiprocessing.reduction import recv_handle
from pathlib import Path
from shlex import join
from threading import Thread

from tests.command_process import become, forks

CLIENT = """
import os, sys
from multiprocessing.connection import Client
from multiprocessing.reduction import send_handle
with Client(sys.argv[1], "AF_UNIX") as trial:
    trial.send((sys.argv[2], sys.argv[3:], os.getcwd(), dict(os.environ)))
    for stream in (1, 2):
        send_handle(trial, stream, None)
    sys.exit(trial.recv())
"""
ANEW = ("nni", "nas_fusion")


class TrialCommands:
    """Makes the commands."""

    def __init__(self, address: str) -> None:
        self._address = address

    def command(self, code: str, *arguments: str) -> str:
        """Of a trial that does what ``python -W ignore -c code arguments`` would."""
        return join([sys.executable, "-I", "-S", "-c", CLIENT, self._address, code, *arguments])

    def module(self, name: str) -> str:
        """Of a trial that does what ``python -W ignore -m name`` would."""
        return self.command(f"import runpy; runpy.run_module({name!r}, run_name='__main__')")


@contextmanager
def trial_commands() -> Iterator[TrialCommands]:
    """Inside the block the commands start trials."""
    with Listener(family="AF_UNIX") as listener:
        assert isinstance(listener.address, str)
        Thread(target=_serve, args=(listener,), daemon=True).start()
        yield TrialCommands(listener.address)


def _serve(listener: Listener) -> None:
    while True:
        try:
            client = listener.accept()
        except OSError:  # the block has ended
            return
        forks().Process(target=_run, args=(client,), daemon=True).start()
        client.close()


def _run(client: Connection) -> None:
    code, arguments, folder, environment = client.recv()
    become(arguments, Path(folder), environment, [recv_handle(client) for _ in (1, 2)])
    for name in [name for name in sys.modules if name.partition(".")[0] in ANEW]:
        del sys.modules[name]
    Thread(target=_end_with, args=(client,), daemon=True).start()
    status = 1
    try:
        exec(compile(code, "-c", "exec"), {"__name__": "__main__"})
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        client.send(status)


def _end_with(client: Connection) -> None:
    """Whoever cancels a trial kills the client."""
    try:
        client.recv()
    except (EOFError, OSError):
        os._exit(1)
