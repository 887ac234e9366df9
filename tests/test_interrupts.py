"""Ctrl-C, SIGTERM and SIGHUP: an exception on the way out, a line that says how to go on, and nothing left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from nas_fusion import cli
from nas_fusion.cli import Command
from nas_fusion.cli.console import shown_command
from nas_fusion.errors import WriteError
from nas_fusion.system.interrupts import Terminated, interruptible, raise_if_asked
from tests.command_process import PATIENCE_SECONDS

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def expected(number: int) -> type[BaseException]:
    return KeyboardInterrupt if number == signal.SIGINT else Terminated


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_exception_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = [signal.getsignal(n) for n in SIGNALS]
    with pytest.raises(expected(number)) as caught, interruptible():
        send(number)
    if isinstance(caught.value, Terminated):
        assert caught.value.code == 128 + number
    assert [signal.getsignal(n) for n in SIGNALS] == before


class Swallowed:
    """What its finaliser, or a weak reference's callback, raises is printed, and nobody catches it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        send(self.number)
        assert sorted(range(100))  # it goes on for a while


def in_a_finaliser(number: int) -> None:
    Swallowed(number)


def in_a_callback_of_a_weak_reference(number: int) -> None:
    value = type("Value", (), {})()
    kept = weakref.ref(value, lambda _: send(number))
    del value
    assert kept() is None


def in_a_pool_of_connections(number: int) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    sqlalchemy.event.listen(engine, "reset", lambda *told: send(number))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select 1"))


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("where", [in_a_finaliser, in_a_callback_of_a_weak_reference, in_a_pool_of_connections])
def test_a_signal_is_heard_where_its_exception_is_not_swallowed_or_told_of_as_an_error(
    where: Callable[[int], None],
    number: signal.Signals,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swallowed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", swallowed.append)

    def go_on() -> None:
        where(number)
        time.sleep(10)  # until it is heard

    with pytest.raises(expected(number)), interruptible():
        go_on()
    assert swallowed == []
    assert caplog.records == []


def test_a_handler_of_the_users_and_an_ignored_signal_stay() -> None:
    told: list[int] = []
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
        with interruptible():
            send(signal.SIGTERM)
            send(signal.SIGHUP)
        assert told == [signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_a_library_swallows_is_raised_again(number: signal.Signals) -> None:
    raise_if_asked()
    with interruptible():
        with suppress(BaseException):  # as some libraries do
            send(number)
        with pytest.raises(expected(number)):
            raise_if_asked()
    raise_if_asked()


def test_further_signals_leave_the_way_out_alone() -> None:
    ended = []

    def end() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            send(signal.SIGHUP)
            ended.append(True)

    with pytest.raises(Terminated), interruptible():
        end()
    assert ended == [True]


def python(code: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)


def test_a_second_ctrl_c_ends_at_once() -> None:
    code = (
        "import os, signal\n"
        "from nas_fusion.system.interrupts import interruptible\n"
        "with interruptible():\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        print('went on', flush=True)\n"
    )
    process = python(code)
    assert process.communicate(timeout=PATIENCE_SECONDS)[0] == ""
    assert process.returncode == 143


def test_a_signal_that_comes_too_late_does_not_change_how_a_command_has_ended() -> None:
    code = (
        "import atexit, os, signal, sys\n"
        "from nas_fusion.cli import main\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
        "sys.argv = ['nasfusion', 'version']\n"
        "main()\n"
    )
    process = python(code)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0


CHILD = """
import os, time
from nas_fusion.system.interrupts import end_with_parent, interruptible
end_with_parent()
with interruptible():
    try:
        os.write(1, b"child runs\\n")
        time.sleep(600)
    finally:
        os.write(1, b"child gives back\\n")
"""

PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={**os.environ, "NASFUSION_PARENT": str(os.getpid())})
sys.stdin.read()
"""


def test_a_child_ends_in_order_when_its_parent_was_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    assert parent.stdout.readline() == "child runs\n"
    parent.kill()
    assert parent.stdout.read() == "child gives back\n", "the pipe is open until the child is gone, too"
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()


# The command line ------------------------------------------------------------------------------------------------


def running(monkeypatch: pytest.MonkeyPatch, what: Callable[[], None]) -> int:
    """The exit code of a command that comes to do something."""
    monkeypatch.setattr("nas_fusion.cli.command_line.COMMANDS", (Command(what, "nasfusion presets", name="presets"),))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["presets"])
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated (SIGTERM)"),
        (signal.SIGHUP, 129, "the terminal was closed (SIGHUP)"),
    ],
)
def test_a_line_says_how_to_go_on(
    number: int, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert running(monkeypatch, lambda: send(number)) == code
    line = f"nasfusion: {words}; what is finished is kept, the same command goes on: nasfusion presets\n"
    assert capsys.readouterr().err.lstrip("\n") == line


def test_the_command_is_shown_without_a_password() -> None:
    shown = shown_command(["compare", "--storage", "postgresql://me:top-secret@host/db", "--study", "a b"])
    assert shown == "nasfusion compare --storage postgresql://me:***@host/db --study 'a b'"


def test_an_error_is_told_of_though_standard_error_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise WriteError("model.pt", "No space left on device")

    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert running(monkeypatch, fails) == 2
        monkeypatch.undo()
        with suppress(OSError):
            full.close()


SHOW, HIDE = b"\x1b[?25h", b"\x1b[?25l"


@pytest.mark.slow
def test_ctrl_c_in_a_progress_bar_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    command = (
        "search --strategy optfusion-hard --data synthetic:20000 --levels 1 --emb-dim 2 --budget 500x --device cpu"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        environment = {**os.environ, "NASFUSION_CACHE": str(tmp_path / "cache"), "TERM": "xterm"}
        code = "import sys; from nas_fusion.cli import main; main(sys.argv[1:])"
        os.execve(sys.executable, [sys.executable, "-c", code, *command.split()], environment)
    output = b""
    while b"samples/s" not in output:  # the bar is drawn
        output += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        output += piece
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    os.close(terminal)
    assert b"interrupted" in output
    assert output.rfind(SHOW) > output.rfind(HIDE) >= 0
    assert b"Traceback" not in output
