"""Which process is which: no clock, no host name and no number that was given again decides."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nas_fusion.system import processes
from nas_fusion.system.processes import ProcessId, fate, this_process

BIG = 2**22 + 5
"""Above Linux's largest process number."""


class Machine:
    """A folder like ``/proc``, in which processes come and go."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        (proc / "sys/kernel/random").mkdir(parents=True)
        (proc / "self/ns").mkdir(parents=True)
        self.boots("first boot")
        self.in_container("pid:[4026531836]")
        self.runs(os.getpid(), 10)

    def boots(self, name: str) -> None:
        (self.proc / "sys/kernel/random/boot_id").write_text(name + "\n")

    def in_container(self, namespace: str) -> None:
        (self.proc / "self/ns/pid").unlink(missing_ok=True)
        (self.proc / "self/ns/pid").symlink_to(namespace)

    def runs(self, pid: int, started: int, state: str = "S") -> None:
        (self.proc / str(pid)).mkdir(exist_ok=True)
        (self.proc / str(pid) / "stat").write_text(f"{pid} (a) name) {state} " + "0 " * 18 + f"{started} 0 0\n")

    def seen_from_here(self) -> ProcessId:
        """This process, after whatever has changed."""
        processes._this_process.cache_clear()
        return this_process()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(processes, "_PROC", tmp_path / "proc")
    found = Machine(tmp_path / "proc")
    found.seen_from_here()
    return found


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    processes._this_process.cache_clear()


def other(machine: Machine, pid: int = BIG, started: int = 500) -> ProcessId:
    """A process that runs beside this one."""
    machine.runs(pid, started)
    return replace(this_process(), pid=pid, started=started, token="its own")


def seen(of: ProcessId) -> str:
    return fate(of.to_dict())


def test_this_process_lives() -> None:
    assert seen(this_process()) == "lives"


def test_a_child_lives_until_it_is_gone_even_before_it_is_waited_for() -> None:
    child = subprocess.Popen(["sleep", "60"])
    found = processes._look_up(child.pid)
    assert found is not None
    theirs = replace(this_process(), pid=child.pid, started=found[1], token="its own")
    assert seen(theirs) == "lives"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert seen(theirs) == "gone"
    child.wait()
    assert seen(theirs) == "gone"


def test_a_process_that_is_gone(machine: Machine) -> None:
    assert seen(replace(this_process(), pid=BIG, started=1, token="x")) == "gone"


def test_a_number_that_was_given_again_is_another_process(machine: Machine) -> None:
    first = other(machine)
    assert seen(first) == "lives"
    machine.runs(first.pid, 501)
    assert seen(first) == "gone"


def test_a_step_of_the_clock_changes_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = other(machine)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7 * 24 * 3600)
    assert seen(theirs) == "lives"
    assert replace(machine.seen_from_here(), token="") == replace(
        replace(theirs, pid=os.getpid(), started=10), token=""
    )


@pytest.mark.parametrize("change", ["container", "boot", "host"])
def test_a_process_of_another_container_boot_or_host_is_unknown(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    theirs = other(machine)
    if change == "container":
        machine.in_container("pid:[4026532999]")
    elif change == "boot":
        machine.boots("second boot")
    else:
        monkeypatch.setattr(platform, "node", lambda: "another")
    assert machine.seen_from_here().space != theirs.space
    assert seen(theirs) == "unknown"


def test_a_process_that_is_hidden_is_unknown(machine: Machine) -> None:
    theirs = replace(this_process(), pid=os.getppid(), started=3, token="x")
    assert seen(theirs) == "unknown", "there is such a number, and nothing more is known"


def test_without_proc_nothing_is_known_but_oneself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = this_process()
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    processes._this_process.cache_clear()
    here = this_process()
    assert here.space == ""
    assert seen(here) == "lives"
    assert seen(before) == "unknown"
    assert seen(replace(here, token="x")) == "unknown"


def test_a_fork_is_another_process() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(this_process().started + this_process().pid).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100).decode() != str(this_process().started + this_process().pid)
