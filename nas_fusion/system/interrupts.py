"""Ctrl-C, and the signals by which machines end processes: for the command line only.

Slurm, systemd, ``docker stop`` and ``timeout`` send SIGTERM, a terminal that is closed sends SIGHUP. Inside
`interruptible` they end the command as Ctrl-C does: by an exception, so that claims are given back and workers and
managers ended on the way out. Who uses nas-fusion as a library has handlers of their own, or none: nothing is changed
for them.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import NoReturn

PARENT = "NASFUSION_PARENT"
"""Environment variable: the process with which this one ends."""

PARENT_POLL_SECONDS = 0.5
ENDING_SECONDS = 10.0
"""A process whose parent is gone has so long to give back what it claimed."""

AGAIN_SECONDS = 0.05
"""A signal whose exception nobody could catch is sent again so much later."""

CONNECTIONS = "sqlalchemy.pool"
"""The logger that prints the traceback of whatever is raised while a connection goes back; it is then raised on."""

_SHOW_CURSOR = b"\x1b[?25h"


class Terminated(SystemExit):
    """A signal other than Ctrl-C's asks the process to end; its code is 128 and the signal's number.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def exit_codes() -> Mapping[int, str]:
    """The exit code of a command that was asked to end, with what asked."""
    names = {"SIGINT": "interrupted", "SIGTERM": "terminated (SIGTERM)", "SIGHUP": "the terminal was closed (SIGHUP)"}
    return {128 + getattr(signal, name): words for name, words in names.items() if hasattr(signal, name)}


class _Asked:
    """Which signal asked this process to end, if one did."""

    number: int | None = None


@contextmanager
def interruptible(*, last: bool = False) -> Iterator[None]:
    """Inside the block the first signal raises in the main thread, and a Ctrl-C behind it ends the process at once.

    Signals that are ignored (``nohup``) or have a handler of the user's stay as they are.

    Args:
        last: the process ends behind the block: a signal that comes that late does not change how it has ended.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        Terminated: another signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = {number: signal.getsignal(number) for number in map(_number, exit_codes())}
    ours = {n: handler for n, handler in ours.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    _Asked.number = None
    for number in ours:
        signal.signal(number, _end)
    told, connections = sys.unraisablehook, logging.getLogger(CONNECTIONS)
    level = connections.level
    sys.unraisablehook = partial(_uncaught, told)
    try:
        yield
    finally:
        sys.unraisablehook = told
        connections.setLevel(level)
        for number, handler in ours.items():
            late = signal.SIG_DFL if number == signal.SIGINT else signal.SIG_IGN
            signal.signal(number, late if last else handler)
        _Asked.number = None


def raise_if_asked() -> None:
    """Raise again what a library swallowed: called now and then where a process would otherwise go on for long.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        Terminated: another signal.
    """
    if _Asked.number is not None and threading.current_thread() is threading.main_thread():
        _raise(_Asked.number)


def end_with_parent() -> None:
    """End this process when the one that the environment names is not its parent any more, even if it was killed."""
    parent = os.environ.pop(PARENT, "")
    if parent.isdecimal():
        threading.Thread(target=_follow, args=(int(parent),), name="nas-fusion parent", daemon=True).start()


def _number(code: int) -> int:
    return code - 128


def _end(number: int, frame: object) -> None:
    if _Asked.number is None:
        _Asked.number = number
        logging.getLogger(CONNECTIONS).setLevel(logging.CRITICAL)
        _raise(number)
    if number == signal.SIGINT:
        _leave(_Asked.number)


def _uncaught(told: Callable[[sys.UnraisableHookArgs], object], found: sys.UnraisableHookArgs) -> None:
    """Ask again where a finaliser or a callback was interrupted, in which nobody can catch an exception."""
    number = _Asked.number
    if number is None or not isinstance(found.exc_value, KeyboardInterrupt | Terminated):
        told(found)
        return
    _Asked.number = None
    timer = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


def _raise(number: int) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def _leave(number: int) -> NoReturn:
    """End at once. Workers and managers notice that this process is gone."""
    for stream in (sys.__stdout__, sys.__stderr__):  # a progress bar hides the cursor
        with suppress(OSError, ValueError, AttributeError):
            if stream is not None and os.isatty(stream.fileno()):
                os.write(stream.fileno(), _SHOW_CURSOR)
    os._exit(128 + number)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDING_SECONDS)
    os._exit(128 + signal.SIGTERM)
