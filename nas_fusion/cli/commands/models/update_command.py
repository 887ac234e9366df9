"""``nasfusion update``: a model goes on from its weights on later rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.cli.command import Command
from nas_fusion.cli.common_options import A_LOG
from nas_fusion.cli.console import for_progress, output, print_plain
from nas_fusion.cli.log_reading import reading_bar
from nas_fusion.errors import harmless
from nas_fusion.settings import Panel, UpdateSettings
from nas_fusion.settings.option import REQUIRED, path, text
from nas_fusion.system.places import check_folder_place

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.serving.updating import FieldDrift, Updated
    from nas_fusion.training import Metrics

SHOWN_FIELDS = 30
"""The fields with the strongest drift; a log of 300 columns has too many to read. The model's notes have all."""


@dataclass(frozen=True)
class UpdateOptions:
    """What is updated with what."""

    model: Path = path(
        REQUIRED, "A saved model: its folder, a zip of it, or a study, for its best.", panel=Panel.MODEL, placed=True,
        first=True,
    )  # fmt: skip
    data: str = text(REQUIRED, f"{A_LOG}; later rows, with their label.", panel=Panel.DATA, metavar="LOG", first=True)
    out: Path = path(
        REQUIRED, "Folder of the new model; may be the old one's, which is then replaced.", panel=Panel.WRITTEN,
        first=True,
    )  # fmt: skip
    split: str | None = text(
        None, "How the later log is split: random[:8:1:1], time:COLUMN[:8:1:1] or group:COLUMN[:8:1:1].",
        panel=Panel.DATA, metavar="RULE", first=True, shown="as the model's own log was",
    )  # fmt: skip


def update(asked: UpdateOptions, going_on: UpdateSettings) -> None:
    """Go on from a model's weights with later rows: new values get ids of their own, known ones keep theirs.

    Shows how far the later rows are from those of the training, field by field, and AUC and logloss of the later log's
    test rows before and after. Its validation rows choose the epoch, the weights as they were among them.
    """
    with output() as console:
        from nas_fusion.serving import load
        from nas_fusion.serving.updating import update as update_model

        check_folder_place("out", asked.out)
        model = load(asked.model)
        options = model.reading_options
        if asked.split is not None:
            options = replace(options, split=asked.split, split_column=None)
        with reading_bar(console) as (_, tell):
            made = update_model(
                model, asked.data, asked.out, going_on, options=options, console=for_progress(console), progress=tell
            )
        if made.drift:
            console.print(drift_table(made.drift))
        else:
            print_plain(console, "the model does not say what its training rows were like: no drift can be told")
        console.print(before_and_after(made))
        print_plain(console, in_words(made))
        print_plain(console, f"written: {asked.out}")


def drift_table(drift: tuple[FieldDrift, ...]) -> Table:
    """The fields whose cells changed most."""
    from rich.table import Table
    from rich.text import Text

    more = len(drift) - SHOWN_FIELDS
    caption = "PSI: population stability index; below .1 little, from .25 on strong"
    table = Table(
        title=Text("Drift, training rows then and now", "table.title"),
        caption=f"{caption}; {more} more fields with less" if more > 0 else caption,
    )
    table.add_column("field")
    table.add_column("drift")
    for column in ("PSI", "unknown then", "now", "missing then", "now", "new values"):
        table.add_column(column, justify="right")
    for one in drift[:SHOWN_FIELDS]:
        shares = [f"{s:.1%}" for s in (one.unknown_then, one.unknown_now, one.missing_then, one.missing_now)]
        table.add_row(Text(harmless(one.name)), one.in_a_word, f"{one.psi:.3f}", *shares, f"{one.added:,}")
    return table


def before_and_after(made: Updated) -> Table:
    """What the model said of the later log's test rows, and what the new one says."""
    from rich.table import Table
    from rich.text import Text

    from nas_fusion.records import NORMALISED_ENTROPY

    def row(name: str, found: Metrics) -> None:
        entropy = found.told.get(NORMALISED_ENTROPY)
        shown = "–" if entropy is None else f"{entropy:.4f}"
        table.add_row(name, f"{found.auc:.4f}", f"{found.logloss:.4f}", shown)

    table = Table(title=Text(f"{made.rows[2]:,} test rows of the later log", "table.title"))
    table.add_column("model")
    for column in ("AUC", "logloss", "norm. entropy"):
        table.add_column(column, justify="right")
    row("before", made.before)
    row("after", made.after)
    return table


def in_words(made: Updated) -> str:
    """How it went."""
    epochs = f"{made.epochs} epoch{'' if made.epochs == 1 else 's'} on {made.rows[0]:,} rows"
    outcome = epochs if made.learnt else f"none of {epochs} was better on the validation rows: the weights stay"
    return f"{outcome}; reading {made.encoding_seconds:.1f} s, training {made.training_seconds:.1f} s"


UPDATE = Command(update, "nasfusion update model/ --data tomorrow.parquet --out model-2/", goes_on=False)
