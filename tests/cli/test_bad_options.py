"""Every wrong option of every command: exit code 2, one line that says what is allowed, and nothing is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas_fusion.cli import main
from nas_fusion.design import FusionDesign
from tests.fixtures.bad_options import cases

pytestmark = pytest.mark.slow

CASES = list(cases())
LONGEST_LINE = 1_200

DESIGN = FusionDesign.build(1, [("embedding", "output")], "add").to_json()
LEVELS = json.dumps({**json.loads(DESIGN), "levels": 10**9})
LOG = "user,item,price,click\n" + "".join(f"{i % 7},{i % 5},{i / 8},{i % 3 % 2}\n" for i in range(60))
PRESETS = {
    "notes": "to do: write",
    "unknown": "[model]\nlevles = 3",
    "levels": "[model]\nlevels = 1000",
    "types": "[model]\nbatch_norm = 'yes'",
    "rate": "[recipe]\nlearning_rate = inf",
    "seeds": "seeds = [1]",
    "budget": "budget = 5",
    "parameters": "[parameters.evolution]\npopulation = 0",
    "device": "device = 'gpu'",
    "split": "[data]\nsplit = 'rnd'",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders of the user's, as `tests.fixtures.bad_options` describes them; the process lives in them."""
    root = tmp_path_factory.mktemp("world")
    work = root / "work"
    for folder in ("home", "work/folder", "work/full", "work/one_log", "work/suite"):
        (root / folder).mkdir(parents=True)
    for name, text in {
        "log.csv": LOG, "other.csv": LOG, "empty.csv": "", "notes.txt": "to do", "full/notes.txt": "to do",
        "one_log/study.toml": "format = 1", "suite/suite.json": "{}", "there.db": "", "levels.json": LEVELS,
        "design.json": DESIGN,
        **{f"{name}.toml": text for name, text in PRESETS.items()},
    }.items():  # fmt: skip
        (work / name).write_text(text, encoding="utf-8")
    (work / "latin1.toml").write_bytes(b"summary = 'caf\xe9'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASFUSION_CACHE", str(root / "cache"))
        patch.setenv("HOME", str(root / "home"))
        patch.chdir(work)
        yield root


def tree(root: Path) -> list[tuple[str, int, int]]:
    """Every file and folder, with what changes when it is written to."""
    found = []
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            status = os.lstat(os.path.join(folder, name))
            found.append((os.path.join(folder, name), status.st_size, status.st_mtime_ns))
    return sorted(found)


def test_there_are_many_cases_and_every_command_has_some() -> None:
    assert len(CASES) >= 300
    assert len({tuple(arguments) for arguments, _ in CASES}) == len(CASES)
    commands = {"compare", "search", "retrain", "tune", "worker", "ui", "dashboard", "report", "data", "presets"}
    assert commands <= {arguments[0] for arguments, _ in CASES}


@pytest.mark.parametrize(
    ("arguments", "fragment"), CASES, ids=[" ".join(a)[:60].encode("unicode_escape").decode() for a, _ in CASES]
)
def test_a_wrong_command_line(
    arguments: list[str], fragment: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(world)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, error = capsys.readouterr()
    assert ended.value.code == 2, error
    assert error.startswith("nasfusion: error: ")
    assert fragment in error
    assert error.count("\n") == 1
    assert error.rstrip("\n").isprintable()
    assert len(error) <= LONGEST_LINE
    assert out == ""
    assert tree(world) == before


@pytest.mark.parametrize(
    "arguments", [["compare", "--levels", "33"], ["compare", "--study", "full", "--data", "log.csv"]]
)
def test_as_a_program(arguments: list[str], world: Path) -> None:
    before = tree(world)
    done = subprocess.run([sys.executable, "-m", "nas_fusion", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert tree(world) == before
