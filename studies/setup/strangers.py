"""A study folder may come from a stranger: nothing in it leads to a place outside of it.

What nas-fusion writes goes to files that it names itself. A symbolic link under one of these names would have it write,
or delete, what the link points to, so a folder with one is refused before anything is done. Links of other names, which
a user may have put there, are left alone, and so is the study folder itself, which may be reached through one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nas_fusion.errors import StudyError

FOLDERS = ("cells", "tuned", "encoding", "best", "searches", "failures", "artifacts", "nni", "tensorboard")
"""Everything below these is nas-fusion's."""

OPEN_FOLDERS = ("nni-service", "wandb")
"""Below these NNI's manager and Weights & Biases write, under names of their own that nobody can foresee."""

FILES = (
    "study.toml", "optuna.db", "comparison.json", "tuned.json", "recipe.json", "latency.json", "threads.json",
    "results.csv", "summary.csv", "fronts.csv", "report.html", "report.md", "best_design.json", "best_design.svg",
    "best_design.dot", "best_model.json", "best_model.svg", "best_model.dot", "suite.json", "tracked.json", ".lock",
    ".latency.json.lock", ".encoding.lock",
)  # fmt: skip
_PREFIXES = ("worker-", "optuna.db", ".incumbents")


def refuse_links(study: Path) -> None:
    """Refuse a study folder with a symbolic link where nas-fusion would write.

    Raises:
        StudyError: names the link, and what to do.
    """
    for path in _own(study):
        if path.is_symlink():
            raise StudyError(
                f"{path} is a symbolic link, and nothing is written through one; put a copy of what it points to there"
            )


def plain_name(name: str) -> str:
    """The name of a folder inside another one.

    Raises:
        ValueError: it would lead elsewhere.
    """
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a folder")
    return name


def _own(study: Path) -> Iterator[Path]:
    if not study.is_dir():
        return
    for path in study.iterdir():
        if path.name in (*FILES, *OPEN_FOLDERS) or path.name.startswith(_PREFIXES):
            yield path
        elif path.name in FOLDERS:
            yield path
            yield from _below(path)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):  # which does not follow links
        yield from (Path(place, name) for name in (*folders, *files))
