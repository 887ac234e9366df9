"""What the commands share that read rows for a model: which model, how a file is read, how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from nas_fusion.cli.common_options import A_LOG
from nas_fusion.cli.console import print_plain
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions, Panel, options_of
from nas_fusion.settings.option import REQUIRED, path, text

if TYPE_CHECKING:
    from nas_fusion.serving import SavedModel

READING = ("format", "encoding", "delimiter", "quote", "decimal")
"""Options that say how a file's text is read; all others are the model's."""

LABELS = ("label", "positive", "weight", "group")


@dataclass(frozen=True)
class ModelAndRows:
    """A model and rows for it."""

    model: Path = path(
        REQUIRED, "A saved model: its folder, a zip of it, or a study, which stands for its best model.",
        panel=Panel.FIRST, placed=True, first=True,
    )  # fmt: skip
    rows: str = text(REQUIRED, f"{A_LOG}.", panel=Panel.FIRST, placed=True, first=True, metavar="LOG")


def not_taken(*kept: str) -> tuple[str, ...]:
    """The options of data that a command does not have, all but some."""
    return tuple(f"DataOptions.{name}" for name in options_of(DataOptions) if name not in kept)


def reading_of(model: SavedModel, asked: DataOptions) -> DataOptions:
    """How rows are read: as the log that the model learnt from, but for what the user says of this one."""
    usual = DEFAULT_OPTIONS
    said = {name: getattr(asked, name) for name in (*READING, *LABELS)}
    return replace(model.reading_options, **{name: v for name, v in said.items() if v != getattr(usual, name)})


@contextmanager
def counting_rows(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while rows are worked on, where somebody looks; and how fast it went, at the end.

    Args:
        console: to print on.
        what: is done to them: "scored".

    Yields:
        What is told the number of rows, and about how many there are.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    start, rows = time.perf_counter(), 0
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"rows are {what}", total=None)

        def tell(found: int, expected: int) -> None:
            nonlocal rows
            rows = found
            words = f"{found:,} rows {what}, {found / (time.perf_counter() - start):,.0f}/s"
            progress.update(task, description=words, completed=found, total=max(found, expected) if expected else None)

        yield tell
    seconds = time.perf_counter() - start
    print_plain(console, f"{rows:,} rows {what} in {seconds:.1f} s ({rows / max(seconds, 1e-9):,.0f} rows/s)")
