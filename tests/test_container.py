"""The Dockerfile, as far as it can be tried without Docker: its parts are there, and its steps do what they say."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import nas_fusion

ROOT = Path(__file__).resolve().parents[1]
VERSION = nas_fusion.__version__
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile with its arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def copied() -> Iterator[str]:
    """What is copied out of the folder."""
    for rest in of("COPY"):
        if not rest.startswith("--from"):
            yield from shlex.split(rest)[:-1]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out: the last line that fits decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        top, name = path.split("/", maxsplit=1)[0], path.rsplit("/", maxsplit=1)[-1]
        fits = fnmatch.fnmatch(top, pattern) or (pattern.startswith("**/") and fnmatch.fnmatch(name, pattern[3:]))
        if line and not line.startswith("#") and fits:
            ignored = not line.startswith("!")
    return ignored


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_copied_is_there_and_not_ignored() -> None:
    names = list(copied())
    assert {"pyproject.toml", "constraints.txt", "nas_fusion", "baselines", "search_spaces", "studies"} <= set(names)
    for name in names:
        assert (ROOT / name).exists(), name
        assert not is_ignored(name), name


def test_nothing_else_gets_into_the_build() -> None:
    kept = {path.name for path in ROOT.iterdir() if not is_ignored(path.name)}
    assert kept == set(copied())
    assert is_ignored("nas_fusion/data/__pycache__")
    assert is_ignored(".git")


def test_it_runs_as_a_user_without_rights_after_all_that_needs_some() -> None:
    words = [word for word, _ in instructions()]
    user = len(words) - 1 - words[::-1].index("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions()[user][1])
    assert "RUN" not in words[user:]
    assert "COPY" not in words[user:]


def test_its_command_and_its_python_are_the_package_s() -> None:
    (entry,) = of("ENTRYPOINT")
    assert json.loads(entry)[0] in PROJECT["scripts"]
    assert [rest.split()[0] for rest in of("FROM")] == ["python:3.11-slim"] * 2  # for which the constraints are made
    assert PROJECT["requires-python"].startswith(">=3.11")
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)


def test_its_extras_are_what_the_docs_offer() -> None:
    text = (ROOT / "docs" / "how-to" / "install.md").read_text("utf-8")
    offered = set(re.findall(r"`([a-z0-9]+)`", "".join(re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE))))
    assert offered == set(PROJECT["optional-dependencies"]) - {"dev", "docs"}


@pytest.mark.slow
def test_the_steps_install_a_command_that_works_from_what_is_copied_alone(tmp_path: Path) -> None:
    """The step of pip, with the packages of this environment instead of an index's."""
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name in copied():
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    (step,) = [step for step in of("RUN") if step.startswith("/venv/bin/pip install")]
    options = f"--quiet --no-index --no-deps --no-build-isolation --no-compile --target {site}"
    step = step.replace("/venv/bin/pip install", f"{sys.executable} -m pip install {options}")
    run(["sh", "-c", step], source, environment)
    shutil.rmtree(source)
    (entry,) = of("ENTRYPOINT")
    program = site / "bin" / json.loads(entry)[0]
    assert run([sys.executable, str(program), "--version"], tmp_path, environment) == f"nas-fusion {VERSION}\n"
