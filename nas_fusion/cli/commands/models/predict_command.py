"""``nasfusion predict``: scores of rows that nobody has labelled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas_fusion.cli.command import Command
from nas_fusion.cli.commands.models.scoring_options import READING, ModelAndRows, counting_rows, not_taken, reading_of
from nas_fusion.cli.console import output, print_plain
from nas_fusion.settings import DataOptions, Panel
from nas_fusion.settings.option import REQUIRED, path, text


@dataclass(frozen=True)
class PredictOptions:
    """What `predict` writes."""

    out: Path = path(
        REQUIRED, "Where to write the scores: a file that ends in .parquet, .csv or .csv.gz.", panel=Panel.WRITTEN,
        first=True,
    )  # fmt: skip
    keep: tuple[str, ...] = text(
        (), "Columns of the rows that are written beside their scores: A,B,C.", panel=Panel.WRITTEN, metavar="COLUMNS",
        first=True, read=lambda given: tuple(given.split(",")),
    )  # fmt: skip


def predict(asked: ModelAndRows, what: PredictOptions, reading: DataOptions) -> None:
    """Score rows by a saved model: a column `row` (from 0, in the order of the rows) and a column `score`, the
    probability of a click.

    Rows come in any format, however many they are, and need no label; columns may stand in any order, and others than
    the model's do not count. How cells are read was learnt from the log of the model and needs no option.
    """
    with output() as console:
        from nas_fusion.serving import load
        from nas_fusion.serving.scoring import check_out, score_file

        check_out(what.out, what.keep)
        model = load(asked.model)
        print_plain(console, f"{asked.model}: {model.manifest.title}, trained on {model.manifest.log.name}")
        with counting_rows(console, "scored") as progress:
            options = reading_of(model, reading)
            score_file(model, asked.rows, what.out, keep=what.keep, options=options, progress=progress)
        print_plain(console, f"written: {what.out}")


PREDICT = Command(
    predict,
    "nasfusion predict model/ tomorrow.parquet --out scores.parquet",
    without=not_taken(*READING),
    goes_on=False,
)
