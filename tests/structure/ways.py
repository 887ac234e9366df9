"""Stays and returns: how many files one opens to follow a log to its data set, and a record to the report.

A way is walked, not read: this file runs by itself in a process of its own, with a checkout's package, and listens to
every call between functions of the package. A *step* is a pair of functions in different files of which the first
handed something on to the second, counted when it happens for the first time. Something is a value of more than one
part: a data class, a frame, an array, a list of such; texts, numbers, paths and functions are not, nor is the object
whose method is called. The way begins in the file of the function that hands on first, its first *stay*; every step is
a stay more, in the file of the function that is called; templates are files, too. A stay in a file where the way has
already been is a *return*. So stays = files + returns, and a way that passes each file once has no return.

    python tests/structure/ways.py CHECKOUT         prints the steps of both, as JSON
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from enum import Enum
from pathlib import Path, PurePath
from types import FrameType
from typing import NamedTuple

ROWS = 400
"""Of the log that is walked: enough for every split to have both labels."""

PLAIN = (str, bytes, int, float, bool, type(None), Enum, PurePath)
"""Values without parts."""

OUTSIDE = ("baselines", "search_spaces", "studies")


class Place(NamedTuple):
    """A function and its file."""

    file: str
    function: str


class Way(NamedTuple):
    """What is counted of a way."""

    files: int
    stays: int
    returns: int


class Walk:
    """Listens to calls while a way is walked.

    Args:
        root: the checkout whose files count.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = tuple(f"{root}/{top}/" for top in ("nas_fusion", *OUTSIDE))
        self.steps: dict[tuple[Place, Place], None] = {}

    def walk(self, way: Callable[[], object]) -> list[str]:
        """Walk a way; return its steps in words."""
        sys.setprofile(self.heard)
        try:
            way()
        finally:
            sys.setprofile(None)
        return [f"{self.words(caller)} -> {self.words(called)}" for caller, called in self.steps]

    def words(self, place: Place) -> str:
        """A function and its file."""
        return f"{Path(place.file).relative_to(self.root)}:{place.function}"

    def heard(self, frame: FrameType, event: str, _argument: object) -> None:
        """One event of the profiler."""
        if event == "call" and frame.f_code.co_filename.startswith(self.places) and hands_on(frame):
            caller, called = self.function_of(frame.f_back), self.function_of(frame)
            if caller is not None and called is not None and caller.file != called.file:
                self.steps[caller, called] = None

    def function_of(self, frame: FrameType | None) -> Place | None:
        """The innermost function of the package; None while a module is imported."""
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(self.places):
                if code.co_name == "<module>":
                    return None
                if not code.co_name.startswith("<"):  # a comprehension or lambda belongs to the function around it
                    return Place(code.co_filename, code.co_qualname)
            frame = frame.f_back
        return None


def hands_on(frame: FrameType) -> bool:
    """Whether a call has an argument of more than one part, ``self`` apart."""
    code = frame.f_code
    starred = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred]
    return any(is_something(frame.f_locals.get(name)) for name in names if name not in ("self", "cls"))


def is_something(value: object) -> bool:
    """Whether a value has parts; a list or mapping if one of its elements has."""
    if isinstance(value, Mapping):
        return any(map(is_something, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(is_something, value))
    return not (isinstance(value, PLAIN) or callable(value))


def counted(steps: Sequence[str]) -> Way:
    """Files, stays and returns of a way."""
    files = [step.partition(" -> ")[0].partition(":")[0] for step in steps[:1]]
    files += [step.partition(" -> ")[2].partition(":")[0] for step in steps]
    return Way(len(set(files)), len(files), len(files) - len(set(files)))


def walk_log(walk: Walk, folder: Path) -> list[str]:
    """A log of categories and numbers in a file of comma-separated values, on its way to an encoded data set."""
    from nas_fusion.data import DataOptions, prepare

    log = folder / "log.csv"
    rows = [f"{i % 2},{i % 7},{'abc'[i % 3]},{i * i % 101 / 7}" for i in range(ROWS)]
    log.write_text("\n".join(["label,item,colour,price", *rows]) + "\n")
    options = DataOptions(label="label")
    return walk.walk(lambda: prepare(log, options, cache=folder / "cache"))


def walk_record(walk: Walk, folder: Path) -> list[str]:
    """The records of a comparison, on their way to all files of its report and to the table in a terminal."""
    from nas_fusion import report
    from tests.report.report_fakes import comparison_info, comparison_records

    records, info = comparison_records(), comparison_info()

    def way() -> None:
        model = report.report_model(records, info)
        report.write_results_csv(model.records, model.info, folder / "results.csv")
        report.write_summary_csv(model, folder / "summary.csv")
        report.write_report(model, folder / "report.html")
        report.write_markdown_report(model, folder / "report.md")
        report.comparison_tables(model, 120)

    return walk.walk(way)


def walk_both() -> dict[str, list[str]]:
    """Both ways with the package of the checkout that comes first on the path."""
    root = Path(sys.path[0])
    with tempfile.TemporaryDirectory() as name, redirect_stdout(sys.stderr):
        return {"log": walk_log(Walk(root), Path(name)), "record": walk_record(Walk(root), Path(name))}


def ways_of(root: Path) -> dict[str, list[str]]:
    """The steps of both ways through the package of a checkout."""
    command = [sys.executable, "-W", "ignore", __file__, str(root)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    steps: dict[str, list[str]] = json.loads(done.stdout)
    return steps


if __name__ == "__main__":
    sys.path[0] = str(Path(sys.argv[1]).resolve())  # not this folder: the checkout's package and its tests
    sys.stdout.write(json.dumps(walk_both()))
