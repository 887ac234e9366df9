"""Which process is which, on this machine and on others, and whether one still lives.

A process is known by the machine's boot, the kernel's namespace of process numbers, its number and when it started,
counted in ticks since the boot. None of it depends on the clock, which may be set; a number that was given again has
another start; containers that share a host name have namespaces of their own. Where the system tells less (no Linux),
or of a process in another namespace, nothing is known, and callers must have another way, such as a heartbeat.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Fate = Literal["lives", "gone", "unknown"]

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Where fields 3 and 22 of ``/proc/<pid>/stat`` stand behind the name, which may hold blanks and brackets."""


@dataclass(frozen=True)
class ProcessId:
    """One process of all processes of all machines.

    Args:
        machine: name of its machine, for people.
        space: processes of the same space see each other; empty if that is not known.
        pid: its number there.
        started: ticks of the kernel's clock between the boot and its start.
        token: random, so that a process knows its own.
    """

    machine: str
    space: str
    pid: int
    started: int
    token: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def this_process() -> ProcessId:
    """The process that asks."""
    return _this_process(os.getpid())  # a fork is another one


@cache
def _this_process(pid: int) -> ProcessId:
    looked_up = _look_up(pid)
    space = _space() if looked_up else ""
    return ProcessId(platform.node(), space, pid, looked_up[1] if looked_up else 0, secrets.token_hex(8))


def fate(of: Mapping[str, Any]) -> Fate:
    """Whether a process, given as `ProcessId.to_dict` gives it, still lives, as far as can be seen from here."""
    here = this_process()
    if of.get("token") == here.token:
        return "lives"
    if not here.space or of.get("space") != here.space:
        return "unknown"
    return _fate_here(of.get("pid"), of.get("started"))


def _fate_here(pid: object, started: object) -> Fate:
    if not isinstance(pid, int) or not isinstance(started, int):
        return "unknown"
    try:
        looked_up = _look_up(pid)
    except OSError:
        return "unknown"
    if looked_up is None:
        return "unknown" if _is_hidden(pid) else "gone"
    state, since = looked_up
    return "lives" if since == started and state not in "ZX" else "gone"


def _look_up(pid: int) -> tuple[str, int] | None:
    """State and start of a process; None if there is none to be seen."""
    try:
        content = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = content.rpartition(b")")[2].split()
    return fields[_STATE].decode(), int(fields[_STARTED])


def _is_hidden(pid: int) -> bool:
    # Some systems do not show the processes of other users.
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _space() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""
    # The name tells copies of a virtual machine apart that were made while it ran, and so have one boot.
    return hashlib.blake2b(f"{platform.node()} {boot} {namespace}".encode(), digest_size=8).hexdigest()
