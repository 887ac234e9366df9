"""The comparison as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report.escapes import clean, terminal_text
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.table_columns import Column

if TYPE_CHECKING:
    from rich.table import Table

NAME_WIDTH = 22
"""A longer name is folded."""

_STYLES = {"best": "bold green", "found": "bold", "reference": "dim italic", "": ""}


def comparison_tables(model: ReportModel, width: int) -> list[Table]:
    """One row per strategy, best validation AUC first, in as many tables as `width` columns ask for.

    The quality comes first, then what else was measured, what the model costs, and what finding it cost; a group begins
    a table of its own if it does not fit next to the one before it. `comparison_caption` belongs below them.
    """
    return [_table(model, columns) for columns in _pages(model, width)]


def comparison_caption(model: ReportModel) -> str:
    """What to take (the first line) and why, what was compared, how to read the tables, and the verdict; no markup."""
    info = model.info
    train, valid, test = info.rows
    known = f"; attainable test AUC {info.attainable_auc:.4f}" if info.attainable_auc is not None else ""
    lines = [
        str(model.advice.sentence),
        *(f"- {reason}" for reason in model.advice.reasons),
        f"{info.data}: {train:,} / {valid:,} / {test:,} rows, {info.fields} fields, {info.features:,} features{known}",
        *([] if info.teacher is None else [f"teacher: {info.teacher}"]),
        f"Budget per strategy: {info.budget}. Mean ± sd over seeds {', '.join(map(str, info.seeds))}; "
        f"sorted by {model.chosen_by}.",
        *model.recipe_note,
        *model.reference_note,
        *model.notes,
        *model.headline,
    ]
    return "\n".join(map(clean, lines))


def _pages(model: ReportModel, width: int) -> list[list[Column]]:
    """Which columns stand together: those of one group as far as they fit, a whole group next to another if it fits."""
    pages: list[list[Column]] = [[]]
    quality, *costs = model.columns
    for columns in (quality, model.told, *costs):
        if _fits(model, [*pages[-1], *columns], width):
            pages[-1] += columns
            continue
        pages.append([])
        for column in columns:
            if pages[-1] and not _fits(model, [*pages[-1], column], width):
                pages.append([])
            pages[-1].append(column)
    return [page for page in pages if page]


def _fits(model: ReportModel, columns: Sequence[Column], width: int) -> bool:
    from rich.console import Console

    console = Console(width=10_000)
    return console.measure(_table(model, columns)).maximum <= width


def _table(model: ReportModel, columns: Sequence[Column]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    names = [*(f"{clean(r.summary.strategy)} {r.marks}".strip() for r in model.rows)]
    names += [clean(line.strategy) for line in model.absent]
    longest = min(NAME_WIDTH, max(map(len, names), default=0))
    table.add_column("strategy", overflow="fold", min_width=longest, max_width=NAME_WIDTH)
    for column in columns:
        table.add_column(Text(column.short), justify="left" if column.words else "right", no_wrap=True)
    styles = [*(_STYLES[row.role] for row in model.rows), *("dim" for _ in model.absent)]
    cells = zip(*(column.cells for column in columns), strict=True)
    for name, texts, style in zip(names, cells, styles, strict=True):
        table.add_row(terminal_text(name), *texts, style=style)
    return table
