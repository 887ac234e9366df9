"""Where commands print: a console, warnings next to it, and lines that no terminal obeys."""

from __future__ import annotations

import logging
import shlex
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from nas_fusion.errors import harmless
from nas_fusion.system.passwords import without_password
from nas_fusion.system.told import STAGES, keep

if TYPE_CHECKING:
    from nas_fusion.records import TriedRecipe

PIPED_WIDTH = 120

EXIT_INCOMPLETE = 3
"""The comparison has ended and its reports are written, but not every cell has a result."""


@contextmanager
def output() -> Iterator[Console]:
    """A console to print on; meanwhile warnings of libraries are silent and the project's own go to standard error."""
    # Warnings of libraries are for developers; the project's own go through its logger.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    handler = _warnings_handler()
    handler.addFilter(_harmless_record)
    logger = logging.getLogger("nas_fusion")
    logger.addHandler(handler)
    stages = _StageLines(console)
    if not console.is_terminal:  # bars show them there
        STAGES.addHandler(stages)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield console
    finally:
        logger.removeHandler(handler)
        STAGES.removeHandler(stages)


class _StageLines(logging.Handler):
    """A line, with a clock, for everything that begins."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console, self._start = console, time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Print it."""
        seconds = int(time.monotonic() - self._start)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        _print(self._console, f"{clock} {record.getMessage()}")


def _warnings_handler() -> logging.Handler:
    """Wrapped where somebody reads it; one line a warning where it goes into a file."""
    from rich.logging import RichHandler

    errors = Console(stderr=True)
    if errors.is_terminal:
        return RichHandler(console=errors, show_time=False, show_path=False)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
    return handler


def _harmless_record(record: logging.LogRecord) -> bool:
    """Warnings quote names of files and columns, which may be anything."""
    record.msg, record.args = harmless(record.getMessage()), ()
    return True


def for_progress(console: Console) -> Console | None:
    """The console if somebody looks at it, for progress bars."""
    return console if console.is_terminal else None


@contextmanager
def counting_bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while things are counted, which is gone afterwards; none where nobody looks.

    Yields:
        To be called with how many are done, and of how many.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def print_plain(console: Console, line: str) -> None:
    """A line as it is: names of folders, logs and columns may look like markup, or hold what a terminal obeys.

    The log of the study that runs, if one does, keeps it.
    """
    keep(harmless(line))
    _print(console, line)


def _print(console: Console, line: str) -> None:
    console.print(harmless(line), highlight=False, markup=False, soft_wrap=True)


def print_tuning(console: Console, strategy: str, done: int, total: int, outcome: str) -> None:
    """A line about a tuning trial."""
    line = f"[{done:>{len(str(total))}}/{total}] tuning of {strategy:<16} {outcome}"
    print_plain(console, line)


def print_tried(console: Console, tried: TriedRecipe, number: int, spent: float, allowed: float) -> None:
    """A line about a training that chooses the recipe."""
    values = ", ".join(f"{name} {value:.3g}" for name, value in tried.values.items())
    outcome = "failed" if tried.valid_auc is None else f"valid {tried.valid_auc:.4f}"
    behind = ", stopped" if tried.ended == "behind" else ""
    print_plain(console, f"[{spent:.0f}/{allowed:.0f} passes] recipe {number}: {values}: {outcome}{behind}")


def shown_command(arguments: Sequence[str]) -> str:
    """A command as it may be shown: without the password of a storage.

    Args:
        arguments: what was typed after ``nasfusion``.
    """
    return without_password(shlex.join(["nasfusion", *arguments]))
