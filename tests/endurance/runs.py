"""Small commands whose outcome can be compared, and what is looked at when one was ended in the middle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from nas_fusion.report import CLOCK
from nas_fusion.system.seals import SEAL

SMALL = "--data synthetic:2000 --levels 1 --emb-dim 2 --budget 1x --device cpu"
PATIENCE = 300.0
"""Seconds after which a command that does not end is a failure."""


def results(folder: Path, output: str) -> Any:
    """Every figure of a comparison but the times."""
    return pd.read_csv(folder / "study" / "results.csv").drop(columns=list(CLOCK)).to_csv(index=False)


def tuned(folder: Path, output: str) -> Any:
    """What a tuning found, without the times."""
    found = json.loads((folder / "study" / "tuned.json").read_text("utf-8"))
    return {name: value for name, value in found.items() if name not in ("seconds", SEAL)}


def design(folder: Path, output: str) -> Any:
    """What a search found."""
    return (folder / "design.json").read_text("utf-8")


def encoded(folder: Path, output: str) -> Any:
    """What a log was encoded to: the checksums of every file."""
    return sorted(file.read_text("utf-8") for file in (folder / "cache").glob("*/schema.json"))


@dataclass(frozen=True)
class Command:
    """A command of `nasfusion`.

    Args:
        text: what stands behind ``nasfusion``.
        result: what must be equal, however often it was ended in the middle; takes its folder and its output.
        several: whether it takes ``--processes``.
    """

    text: str
    result: Callable[[Path, str], Any]
    several: bool = False


COMMANDS = {
    "compare": Command(
        f"compare {SMALL} --candidates 2 --epochs 2 --seeds 2 --strategies random,optfusion-hard,optfusion-soft "
        "--study study", results, several=True,
    ),
    "tune": Command(f"tune {SMALL} --epochs 2 --strategy optfusion-hard --trials 7 --study study", tuned),
    "search": Command(
        f"search {SMALL.replace('1x', '40x')} --strategy random --candidates 40 --out design.json", design,
    ),
    "encode": Command("data --data synthetic:150000", encoded),
}  # fmt: skip
CELLS = 10


@dataclass
class Run:
    """A command that runs in a folder of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def output(self) -> str:
        """Everything that it has written so far."""
        return "".join((self.folder / name).read_text("utf-8", "replace") for name in ("out", "err"))

    @property
    def error(self) -> str:
        """What it has written to standard error."""
        return (self.folder / "err").read_text("utf-8", "replace")

    def family(self) -> list[psutil.Process]:
        """Its workers and what else it has started."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def wait(self) -> int:
        """Its exit code.

        Raises:
            TimeoutExpired: it does not end.
        """
        return self.process.wait(PATIENCE)


@dataclass
class Place:
    """A folder in which a command runs, is ended, and runs again.

    Args:
        folder: its own.
        cache: of encoded logs.
        environment: more variables.
    """

    folder: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, command: Command, processes: int = 1) -> Run:
        """Run the command, or go on with it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        more = ["--processes", str(processes)] if command.several and processes > 1 else []
        environment = {**os.environ, "NASFUSION_CACHE": str(self.cache), "OMP_NUM_THREADS": "1", **self.environment}
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "nas_fusion", *command.text.split(), *more],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip
        return Run(process, self.folder)

    def finish(self, command: Command) -> Any:
        """Run the command to its end; its result.

        Raises:
            AssertionError: it does not end well, or left something behind.
        """
        run = self.start(command)
        code = run.wait()
        assert code == 0, f"exit code {code}: {last_line(run.error)}"
        check_leftovers(self)
        return command.result(self.folder, (self.folder / "out").read_text("utf-8"))


def check_leftovers(place: Place) -> None:
    """Nothing half-written is left.

    Raises:
        AssertionError: something is; says what.
    """
    left = [*place.folder.rglob(".*.tmp"), *place.cache.glob(".*.tmp")]
    left += place.folder.rglob("worker-*.log")
    assert not left, f"left behind: {', '.join(str(p.relative_to(p.parents[1])) for p in left)}"


def check_gone(family: list[psutil.Process]) -> None:
    """Processes end by themselves.

    Raises:
        AssertionError: one does not.
    """
    alive = psutil.wait_procs(family, timeout=30)[1]
    for process in alive:
        process.kill()
    assert not alive, f"{len(alive)} orphans"


def last_line(text: str) -> str:
    """The last line that is not empty, shortened."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "nothing was said"


def check_words(text: str) -> None:
    """No traceback.

    Raises:
        AssertionError: there is one.
    """
    found = re.search(r"Traceback|Exception in thread|Exception ignored", text)
    assert not found, f"{found and found.group()}: {last_line(text)}"


def wait_until(run: Run, what: Callable[[], bool]) -> bool:
    """Wait for something; False if the command ends before."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        if run.process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class TooLateError(Exception):
    """The command had ended before it could be disturbed."""


class Counts:
    """How often each kind of disturbance went well."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, int]] = {}
        self.problems: list[str] = []

    @contextmanager
    def trying(self, kind: str) -> Iterator[None]:
        """Count what happens in the block: an `AssertionError` or a command that does not end is a failure."""
        row = self.rows.setdefault(kind, {"tried": 0, "too late": 0, "held": 0, "failed": 0})
        row["tried"] += 1
        try:
            yield
        except TooLateError:
            row["too late"] += 1
        except (AssertionError, subprocess.TimeoutExpired) as problem:
            row["failed"] += 1
            self.problems.append(f"{kind}: {problem}")
            sys.stdout.write(f"  {self.problems[-1]}\n")
        else:
            row["held"] += 1
        sys.stdout.flush()

    def table(self) -> str:
        """All of it."""
        width = max((len(kind) for kind in self.rows), default=4)
        lines = [f"{'':{width}}  tried  too late  held  failed"]
        for kind, row in self.rows.items():
            lines.append(
                f"{kind:{width}}  {row['tried']:>5}  {row['too late']:>8}  {row['held']:>4}  {row['failed']:>6}"
            )
        return "\n".join(lines)
