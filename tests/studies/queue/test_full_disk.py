"""A disk that is full from the k-th write on: one line, exit code 2, and with room the same command goes on."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from nas_fusion.cli import main
from nas_fusion.data import prepare
from nas_fusion.report import CLOCK, ReportModel, comparison_figures
from nas_fusion.system import files

COMMAND = (
    "compare --data synthetic:1000 --levels 1 --emb-dim 2 --budget 1x --candidates 2 --epochs 1 --seeds 1 --device cpu "
    "--no-importance --no-anytime-test "  # they compute much and write nothing
    "--strategies random,optfusion-hard,optfusion-soft --study"
)
TRIES = 8


class Disk:
    """Counts writes, and refuses those behind a number of them."""

    def __init__(self) -> None:
        self.writes, self.room = 0, 10**9

    def write(self, error: Callable[[], Exception]) -> None:
        self.writes += 1
        if self.writes > self.room:
            raise error()


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def torchs_words() -> RuntimeError:
    return RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos 64 vs 0")


def sqlites_words() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("database or disk is full")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()

    def counted(place: Any, name: str, error: Callable[[], Exception] = no_space) -> None:
        original = getattr(place, name)

        def write(*arguments: Any, **named: Any) -> Any:
            found.write(error)
            return original(*arguments, **named)

        monkeypatch.setattr(place, name, write)

    for place, name in ((os, "mkdir"), (os, "replace"), (Path, "write_text"), (files, "_make_file")):
        counted(place, name)
    counted(torch, "save", torchs_words)
    counted(__import__("optuna").artifacts.FileSystemArtifactStore, "write")

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *values: Any) -> Any:
            if not statement.lstrip().lower().startswith(("select", "pragma", "begin", "savepoint")):
                found.write(sqlites_words)
            return super().execute(statement, *values)

    class Connection(sqlite3.Connection):
        def cursor(self, *_: Any) -> Any:
            return Cursor(self)

        def execute(self, statement: str, *values: Any) -> Any:
            return Cursor(self).execute(statement, *values)

        def executescript(self, statements: str) -> sqlite3.Cursor:
            found.write(sqlites_words)
            return super().executescript(statements)

    connect = sqlite3.connect

    def connect_counted(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return connect(*arguments, **{**named, "factory": Connection})

    monkeypatch.setattr(sqlite3, "connect", connect_counted)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect_counted)
    return found


def drawn_once() -> Callable[[ReportModel], dict[str, Any]]:
    """Figures are written again and again, and drawn once: that computes, and writes nothing."""
    drawn: dict[str, Any] = {}

    def figures(model: ReportModel) -> dict[str, Any]:
        drawn.update(drawn or comparison_figures(model))
        return drawn

    return figures


def run(folder: Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([*COMMAND.split(), str(folder)])
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def results(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "results.csv").drop(columns=list(CLOCK))


@pytest.mark.slow
@pytest.mark.usefixtures("brief_look_ahead")
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("nas_fusion.studies.comparing.comparison_figures", drawn_once())
    prepare("synthetic:1000", cache=tmp_path / "cache")  # once, and not among the writes that are counted
    disk.writes = 0
    assert run(tmp_path / "whole") == 0
    whole = disk.writes
    assert whole > 100, "the injection sees the writes"
    expected = results(tmp_path / "whole")
    for room in (whole * part // TRIES for part in range(TRIES)):
        folder = tmp_path / f"room-{room}"
        disk.writes, disk.room = 0, room
        capsys.readouterr()
        assert run(folder) == 2, room
        told = capsys.readouterr().err.splitlines()
        errors = [line for line in told if not line.startswith("WARNING  ")]  # of models as small as these
        assert len(errors) == 1, (room, told)
        assert told[-1].startswith("nasfusion: error: "), (room, told)
        disk.room = 10**9
        assert run(folder) == 0, (room, capsys.readouterr().err)
        pd.testing.assert_frame_equal(results(folder), expected, check_exact=True)
        assert not list(folder.rglob(".*.tmp")), room
