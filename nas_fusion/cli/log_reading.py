"""The log of a command: read with a progress bar, told of in a line, and a study folder called like it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from nas_fusion.cli.console import print_plain
from nas_fusion.log_formats import name_of_log
from nas_fusion.settings import SYNTHETIC, DataOptions

if TYPE_CHECKING:
    from nas_fusion.data import EncodedDataset

DEFAULT_STUDIES = Path("nasfusion-studies")


@contextmanager
def reading_bar(console: Console) -> Iterator[tuple[Console, Callable[[str, float], None]]]:
    """A bar that shows how far reading a log is: where to print beside it, and what is told of stage and share."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the log", total=1.0)
        yield progress.console, lambda what, share: progress.update(task, description=what, completed=share)


def prepare_log(console: Console, source: str, options: DataOptions) -> EncodedDataset:
    """The encoded log; a bar shows how far reading it is."""
    from nas_fusion.data import prepare

    with reading_bar(console) as (beside, tell):
        return prepare(source, options, progress=tell, planned=lambda lines: _print_plan(beside, lines))


def _print_plan(console: Console, lines: Sequence[str]) -> None:
    print_plain(console, "The log is read so:")
    for line in lines:
        print_plain(console, f"  {line}")


def default_study(source: str) -> Path:
    """The study folder of a log whose user named none."""
    return DEFAULT_STUDIES / (source.replace(":", "-") if source.startswith(SYNTHETIC) else name_of_log(source))


def data_line(name: str, dataset: EncodedDataset) -> str:
    """A log in a line: rows, fields, features, positives."""
    splits = " / ".join(f"{len(s):,}" for s in (dataset.train, dataset.valid, dataset.test))
    line = f"{name}: {splits} rows (train / valid / test), {len(dataset.schema.fields)} fields, "
    line += f"{dataset.schema.num_features:,} features, {dataset.train.label_rate:.1%} positive"
    if dataset.attainable_auc is not None:
        line += f"; best attainable test AUC {dataset.attainable_auc:.4f}"
    return line
