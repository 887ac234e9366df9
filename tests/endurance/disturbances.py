"""What commands have to endure: ``kill -9``, SIGTERM, a full disk, a database that is away."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from tests.endurance.runs import (
    CELLS,
    COMMANDS,
    Command,
    Counts,
    Place,
    Run,
    TooLateError,
    check_gone,
    check_words,
    last_line,
    wait_until,
)
from tests.studies.storage.postgresql import PostgreSQL

CHAIN = 6
"""So many kills one study endures before it is finished and looked at."""


class Endurance:
    """Disturbs small commands and compares their outcome with that of undisturbed ones.

    Args:
        folder: for studies and caches.
        seed: of the random moments.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.counts = folder, Counts()
        self._random, self._numbers = random.Random(seed), count()
        self._expected: dict[str, tuple[Any, float]] = {}

    def place(self, *, own_cache: bool = False) -> Place:
        """A new folder; the cache of encoded logs is shared unless it is a part of the matter."""
        folder = self.folder / f"place-{next(self._numbers)}"
        return Place(folder, folder / "cache" if own_cache else self.folder / "cache")

    def expected(self, name: str) -> tuple[Any, float]:
        """The outcome of an undisturbed command, and the seconds that it takes once the log is encoded."""
        if name not in self._expected:
            place = self.place(own_cache=name == "encode")
            place.finish(COMMANDS[name])
            shutil.rmtree(place.folder)
            begin = time.monotonic()
            outcome = place.finish(COMMANDS[name])
            self._expected[name] = (outcome, time.monotonic() - begin)
            self._drop(place)
        return self._expected[name]

    def check(self, name: str, place: Place) -> None:
        """Finish a command; its outcome is that of an undisturbed one.

        Raises:
            AssertionError: it is not.
        """
        expected, _ = self.expected(name)
        found = place.finish(COMMANDS[name])
        assert found == expected, "other results than those of an undisturbed run"
        if name == "compare":
            cells = len(list((place.folder / "study" / "cells").glob("*/cell.json")))
            assert cells == CELLS, f"{cells} cells of {CELLS}"
        self._drop(place)

    # kill -9

    def kills(self, number: int) -> None:
        """Random kills of coordinators, workers, and both at once."""
        done = 0
        kinds = [("compare", 1), ("compare", 2), ("tune", 1), ("encode", 1)]
        while done < number:
            for name, processes in kinds:
                if done < number:
                    done += self._chain(name, processes, min(CHAIN, number - done))

    def _chain(self, name: str, processes: int, kills: int) -> int:
        kind = f"kill -9, {name}, {processes} process{'es' if processes > 1 else ''}"
        place = self.place(own_cache=name == "encode")
        for _ in range(kills):
            with self.counts.trying(kind):
                self._kill(name, processes, place)
        with self.counts.trying(f"{name} goes on after kills: equal, whole, no leftovers"):
            self.check(name, place)
        return kills

    def _kill(self, name: str, processes: int, place: Place) -> None:
        _, seconds = self.expected(name)
        run = place.start(COMMANDS[name], processes)
        with _ended(run):
            until = time.monotonic() + self._random.uniform(0.3, 1.0) * seconds * 1.2
            wait_until(run, lambda: time.monotonic() > until)
            family = run.family()
            victims = self._victims(run, family)
            for victim in victims:
                with _gone():
                    victim.kill()
            if run.process.pid not in {victim.pid for victim in victims}:
                code = run.wait()
                assert code == 0, f"without its worker the coordinator ended with {code}: {last_line(run.error)}"
                for log in run.folder.rglob("worker-*.log"):
                    log.unlink()  # of the worker that was killed, as documented
            run.wait()
            check_gone(family)
            check_words(run.error)

    def _victims(self, run: Run, family: list[psutil.Process]) -> list[psutil.Process]:
        with _gone():
            everybody = [psutil.Process(run.process.pid), *family]
            return self._random.choice([everybody[:1], everybody[1:] or everybody[:1], everybody])
        return []

    # SIGTERM

    def terms(self, rounds: int) -> None:
        """SIGTERM at five moments of compare (one and two processes), tune and search."""
        for _ in range(rounds):
            for name, processes in (("compare", 1), ("compare", 2), ("tune", 1), ("search", 1)):
                for moment, reached in self._moments(name).items():
                    with self.counts.trying(f"SIGTERM, {name}, {processes} process{'es' * (processes > 1)}, {moment}"):
                        self._term(name, processes, reached, own_cache=moment == "encoding")

    def _moments(self, name: str) -> dict[str, Callable[[Place, Run], bool]]:
        if name == "search":
            _, seconds = self.expected(name)
            shares = {"searching, early": 0.5, "searching": 0.65, "searching, late": 0.8, "at the end": 0.9}
            timed = {word: _after(share * seconds) for word, share in shares.items()}
            return {"encoding": _encodes, **timed}
        total = f"[{CELLS}/{CELLS}]" if name == "compare" else "[7/7]"
        return {
            "encoding": _encodes,
            "before the first cell": lambda place, run: (place.folder / "study" / "study.toml").exists(),
            "searching": lambda place, run: _phase(place) in ("search", "candidate"),
            "re-training": lambda place, run: _phase(place) == "re-train",
            "writing reports": lambda place, run: total in (place.folder / "out").read_text("utf-8"),
        }

    def _term(self, name: str, processes: int, reached: Callable[[Place, Run], bool], *, own_cache: bool) -> None:
        self.expected(name)
        place = self.place(own_cache=own_cache)
        run = place.start(COMMANDS[name], processes)
        with _ended(run):
            if not wait_until(run, lambda: reached(place, run)):
                raise TooLateError
            time.sleep(self._random.uniform(0.0, 0.05))
            family = run.family()
            run.process.send_signal(signal.SIGTERM)
            code = run.wait()
            check_gone(family)
            check_words(run.output)
            if code == 0 and "written" in run.output:  # it was as good as over
                raise TooLateError
            assert code == 143, f"exit code {code}: {last_line(run.error)}"
            assert "terminated (SIGTERM)" in run.error, run.error
            assert f"nasfusion {COMMANDS[name].text}" in run.error, run.error
        self.check(name, place)

    # A full disk

    def disks(self, number: int) -> None:
        """A disk of every size from nearly nothing to nearly enough; then there is room, and the command goes on."""
        whole = self._needed_kib()
        for size in sorted({max(32, round(whole * (i + 1) / (number + 1) / 4) * 4) for i in range(number)}):
            with self.counts.trying("full disk, compare"):
                self._disk(size)

    def _needed_kib(self) -> int:
        place = self.place(own_cache=True)
        place.finish(COMMANDS["compare"])
        size = sum(-(-p.stat().st_size // 4096) * 4 for p in place.folder.rglob("*") if p.is_file())
        self._drop(place)
        return size

    def _disk(self, kib: int) -> None:
        self.expected("compare")
        place = self.place(own_cache=True)
        place.folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(place.folder)], check=True)
        try:
            # Its own words go elsewhere: they must not need the disk.
            run = _elsewhere(place, self.folder)
            code = run.wait()
            check_words(run.output)
            if code != 0:
                assert code == 2, f"{kib} KiB: exit code {code}: {last_line(run.error)}"
                lines = [line for line in run.error.splitlines() if line.startswith("nasfusion: error: ")]
                assert len(lines) == 1, f"{kib} KiB: {run.error}"
            subprocess.run(["mount", "-o", "remount,size=64m", str(place.folder)], check=True)
            self.check("compare", place)
        finally:
            subprocess.run(["umount", "--lazy", str(place.folder)], check=True)
            self._drop(place)

    # A database that is away

    def outage(self, seconds: float) -> None:
        """A coordinator and three workers; PostgreSQL is stopped for a while in the middle of the cells."""
        with self.counts.trying(f"PostgreSQL away for {seconds:g} s, three workers"), PostgreSQL.running() as server:
            self._outage(server, seconds)

    def _outage(self, server: PostgreSQL, seconds: float) -> None:
        slow = replace(COMMANDS["compare"], text=COMMANDS["compare"].text.replace("1x", "8x").replace(
            "--candidates 2 --epochs 2 --seeds 2", "--candidates 3 --epochs 12 --patience 0 --seeds 3").replace(
            "random,optfusion-hard,optfusion-soft", "random,optfusion-hard"))  # fmt: skip
        expected = self.place().finish(slow)
        shared = replace(slow, text=f"{slow.text} --storage {server.url}")
        helping = Command(f"worker --storage {server.url} --study study --folder study --device cpu", slow.result)
        places = [self.place() for _ in range(4)]
        runs = [places[0].start(shared)]
        try:
            assert wait_until(runs[0], lambda: "[ 1/12]" in runs[0].output), "no cell was finished"
            runs += [place.start(helping) for place in places[1:]]
            assert wait_until(runs[0], lambda: "[ 3/12]" in runs[0].output), "no third cell was finished"
            server.stop()
            time.sleep(seconds)
            server.start()
            codes = [run.wait() for run in runs]
            assert codes == [0] * 4, [last_line(run.error) for run in runs]
            for run in runs:
                check_words(run.output)
            told = sum("cannot be reached" in " ".join(run.error.split()) for run in runs)
            assert told, "nobody noticed"
            assert slow.result(places[0].folder, "") == expected, "other results than those of an undisturbed run"
        finally:
            for run in runs:
                run.process.kill()
                run.wait()

    @staticmethod
    def _drop(place: Place) -> None:
        shutil.rmtree(place.folder, ignore_errors=True)


@contextmanager
def _ended(run: Run) -> Iterator[None]:
    try:
        yield
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.wait()


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


def _encodes(place: Place, run: Run) -> bool:
    return any(place.cache.glob(".*.tmp"))


def _after(seconds: float) -> Callable[[Place, Run], bool]:
    begin: list[float] = []

    def reached(place: Place, run: Run) -> bool:
        begin[:] = begin or [time.monotonic()]
        return time.monotonic() - begin[0] > seconds

    return reached


def _phase(place: Place) -> str:
    """What is being trained, as the study's NNI experiment has it."""
    for file in (place.folder / "study" / "nni").glob("*/db/nni.sqlite"):
        try:
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
                (found,) = database.execute(
                    "select json_extract(data, '$.parameters.phase') from TrialJobEvent where data is not null and"
                    " trialJobId not in (select trialJobId from TrialJobEvent where event != 'RUNNING')"
                    " order by sequenceId desc limit 1"
                ).fetchone() or ("",)
                return str(found)
        except sqlite3.Error:  # it is being made
            return ""
    return ""


def _elsewhere(place: Place, folder: Path) -> Run:
    """Compare on a small disk; what it says goes to another."""
    text = COMMANDS["compare"].text.replace("--study study", f"--study {place.folder}/study")
    return Place(folder / "words", place.cache).start(replace(COMMANDS["compare"], text=text))
