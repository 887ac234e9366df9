"""How many cores this process may keep busy, and how many threads it was asked to take."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from nas_fusion.errors import OptionError

THREADS = "OMP_NUM_THREADS"
"""How many threads a program takes, by the user's word; torch, MKL and the boosted trees all read it."""

WAITING = "OMP_WAIT_POLICY"
"""How threads wait for each other; read once, when the first library with OpenMP is loaded."""

AUTOMATIC = "auto"
"""The number is left to a measurement."""

_PASSIVE = "PASSIVE"

_GROUPS, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores that this process may keep busy, at least 1.

    Those that it is bound to, and no more than the time that its control groups are given: a container that may use two
    cores of a hundred sees a hundred.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([bound, *_quotas()])))


def _quotas() -> Iterator[float]:
    """Cores' worth of time that each control group of this process may spend, of those with such a limit."""
    try:
        lines = _GROUPS.read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", maxsplit=2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = _MOUNT / "cpu" if controllers else _MOUNT
        place = Path(path.lstrip("/"))
        # A group has at most what the groups above it have.
        for group in (place, *place.parents):
            quota = _unified_quota(root / group) if not controllers else _first_quota(root / group)
            if quota is not None:
                yield quota


def _unified_quota(group: Path) -> float | None:
    """Of a group of the second version of control groups."""
    text = _text_of(group / "cpu.max").split()
    return None if len(text) != 2 or text[0] == "max" else int(text[0]) / int(text[1])


def _first_quota(group: Path) -> float | None:
    """Of a group of the first version."""
    quota, period = (_text_of(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return None if not quota or not period or int(quota) < 0 else int(quota) / int(period)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:  # the root has no such file, and a container may not show its own
        return ""


def wait_without_spinning() -> None:
    """Let threads sleep while they wait for each other, unless the user says otherwise; before torch is loaded.

    By default a thread that is done spins until the others are. Where other programs want the core, the one that it
    waits for does not get it: a step of a small model took 100 times as long beside two busy processes.
    """
    os.environ.setdefault(WAITING, _PASSIVE)


def take_threads(asked: str, processes: int = 1) -> None:
    """Let this process and those that it starts take so many threads each, as if the user had set `THREADS`.

    Args:
        asked: a number; ``"auto"`` changes nothing.
        processes: how many there will be; 0: one per core.

    Raises:
        OptionError: together they would take more threads than there are cores.
    """
    if asked == AUTOMATIC:
        return
    cores, count = usable_cores(), int(asked)
    each = max(1, cores // (processes or cores))
    if count > each:
        share = f"{cores} cores" if processes == 1 else f"{cores} cores and {processes or cores} processes"
        raise OptionError("threads", f"{AUTOMATIC}, or at most {each} on {share}", asked)
    os.environ[THREADS] = str(count)
    torch = sys.modules.get("torch")  # reads the variable when it is loaded
    if torch is not None:
        torch.set_num_threads(count)


def is_said_by_user() -> bool:
    """Whether the user has said how many threads there are."""
    return THREADS in os.environ
