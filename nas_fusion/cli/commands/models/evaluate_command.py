"""``nasfusion evaluate``: how good a saved model is on labelled rows, segment by segment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.cli.command import Command
from nas_fusion.cli.commands.models.scoring_options import (
    LABELS,
    READING,
    ModelAndRows,
    counting_rows,
    not_taken,
    reading_of,
)
from nas_fusion.cli.console import output, print_plain
from nas_fusion.errors import harmless
from nas_fusion.settings import DataOptions, Panel
from nas_fusion.settings.option import path, text

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.serving.scoring import Evaluation

SHOWN_SEGMENTS = 40
"""Of all columns; a file has up to a thousand of each."""

SHOWN_LETTERS = 40
"""Of a segment's name."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What `evaluate` shows and writes."""

    by: tuple[str, ...] = text(
        (), "Columns: the rows of each of their values are measured by themselves, too: A,B.", panel=Panel.FIRST,
        metavar="COLUMNS", first=True, read=lambda given: tuple(given.split(",")),
    )  # fmt: skip
    out: Path | None = path(
        None, "Where to write the table: a file that ends in .csv, .json or .md.", panel=Panel.WRITTEN, first=True
    )


def evaluate(asked: ModelAndRows, what: EvaluateOptions, reading: DataOptions) -> None:
    """Measure a saved model on labelled rows: AUC, logloss, normalised entropy, calibration and more, of all rows and
    of segments.

    Label, weights and groups are the columns that they were in the log of the model, unless an option names others.
    """
    with output() as console:
        from nas_fusion.serving import load
        from nas_fusion.serving.scoring import check_evaluation_out, write_evaluation
        from nas_fusion.serving.scoring import evaluate as evaluate_model

        if what.out is not None:
            check_evaluation_out(what.out)
        model = load(asked.model)
        print_plain(console, f"{asked.model}: {model.manifest.title}, trained on {model.manifest.log.name}")
        options = reading_of(model, reading)
        with counting_rows(console, "scored") as progress:
            found = evaluate_model(model, asked.rows, by=what.by, options=options, progress=progress)
        console.print(quality_table(found))
        if what.out is not None:
            write_evaluation(found, what.out)
            print_plain(console, f"written: {what.out}")


def quality_table(found: Evaluation) -> Table:
    """All rows and the largest segments."""
    from rich.table import Table
    from rich.text import Text

    from nas_fusion.serving.scoring import called, measured, shown_number

    more = len(found.segments) - SHOWN_SEGMENTS
    caption = f"{more:,} more segments with fewer rows: --out writes all of them" if more > 0 else None
    table = Table(caption=caption)
    table.add_column("segment", no_wrap=True, max_width=SHOWN_LETTERS)
    names = measured(found)
    for name in ("rows", *names):
        table.add_column(name.replace("_", " "), justify="right")
    notes = any(one.problem for one in found.every)
    if notes:
        table.add_column("", no_wrap=True)
    for one in found.every[: SHOWN_SEGMENTS + 1]:
        numbers = [shown_number(one, name) for name in names]
        table.add_row(Text(harmless(called(one))), f"{one.rows:,}", *numbers, *[one.problem] * notes)
    return table


EVALUATE = Command(
    evaluate,
    "nasfusion evaluate model/ yesterday.parquet --by country",
    without=not_taken(*READING, *LABELS),
    goes_on=False,
)
