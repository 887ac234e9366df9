"""``report.md``: the report's tables, verdicts and designs as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report.design_words import design_text
from nas_fusion.report.escapes import markdown_code, markdown_item, markdown_text
from nas_fusion.report.number_words import plain
from nas_fusion.report.numbers.decision import Row
from nas_fusion.report.numbers.found_designs import FoundDesign
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.suite_model import SuiteModel
from nas_fusion.report.numbers.table_columns import Column, TextTable
from nas_fusion.system.files import write_text

_AS_MEASURED = (
    "as measured while searching: the designs than which no other of the search is at least as good and as cheap"
)

Drawing = Callable[[CellRecord], str | None]
"""Where the drawing of a cell's design lies, relative to the file; None for nowhere."""


def write_markdown_report(model: ReportModel, path: str | Path, drawing: Drawing = lambda cell: None) -> None:
    """Write the report as Markdown, atomically.

    Args:
        model: the report.
        path: the file; its folder must exist.
        drawing: where the drawing of a cell's design lies; a design without one is written as text.

    Raises:
        StudyError: the file cannot be written.
    """
    write_text(path, markdown_report(model, drawing))


def write_suite_markdown(
    models: Sequence[ReportModel],
    path: str | Path,
    drawing: Callable[[int, CellRecord], str | None] = lambda i, cell: None,
) -> None:
    """Write comparisons on several data sets as one Markdown file, atomically.

    Args:
        models: the report on each data set.
        path: the file; its folder must exist.
        drawing: as in `write_markdown_report`; its first argument is the number of the data set.

    Raises:
        OptionError: no data set.
        StudyError: the file cannot be written.
    """
    suite = SuiteModel(tuple(models))
    parts = [
        markdown_report(model, lambda cell, i=i: drawing(i, cell))  # type: ignore[misc]
        for i, model in enumerate(models)
    ]
    if len(models) == 1:
        write_text(path, parts[0])
        return
    head = [f"# {len(models)} data sets", f"**{markdown_text(suite.advice)}**", _table(suite.table)]
    notes = [markdown_text(suite.sentence), markdown_text(" ".join(suite.notes))]
    write_text(path, "\n\n".join([*head, *filter(None, notes), *(p.rstrip("\n") for p in parts)]) + "\n")


def markdown_report(model: ReportModel, drawing: Drawing = lambda cell: None) -> str:
    """The text that `write_markdown_report` writes."""
    parts = [
        f"# Which fusion search to trust on {markdown_text(model.info.data_name)}",
        _advice(model),
        _question(model.info),
    ]
    if model.rows or model.absent:
        parts.append(_results(model))
    else:
        parts += map(markdown_item, model.headline)
    if model.recipe_note:
        parts.append(_recipe(model))
    if model.worth:
        words = markdown_text(model.worth_words)
        parts.append(f"## Is a search worth its seconds?\n\n{words}\n\n{_table(model.worth_table)}")
    if model.fronts:
        words = f"Of every strategy's best seed, {_AS_MEASURED}. {markdown_text(model.front_note)}"
        parts.append(f"## Good and cheap\n\n{words}\n\n{_table(model.front_table)}")
    if model.stages:
        parts.append(f"## Discretisation gap\n\nMean validation AUC over the seeds.\n\n{_table(model.gap_table)}")
    if model.agreements:
        parts.append(f"## Agreement of the designs across seeds\n\n{_table(model.agreement_table)}")
    if model.rows:
        parts.append(f"## What was found\n\nOf every strategy the seed with the best {model.chosen_by}.")
        parts += [_design(design, drawing) for design in model.found]
    return "\n\n".join([*parts, _repeat(model)]) + "\n"


def _advice(model: ReportModel) -> str:
    """The sentence, and the reasons as a list."""
    before, name, after = model.advice.sentence
    gap = " " * after.startswith(" ")
    words = (
        f"{markdown_text(before)} *{markdown_text(name)}*{gap}{markdown_text(after)}" if name else markdown_text(before)
    )
    reasons = [f"- {markdown_item(reason)}" for reason in model.advice.reasons]
    return "\n\n".join(filter(None, [f"**{words}**", "\n".join(reasons)]))


def _recipe(model: ReportModel) -> str:
    table = [] if model.recipe_table is None else [_table(model.recipe_table)]
    return "\n\n".join(["## How the recipe was chosen", *map(markdown_text, model.recipe_note), *table])


def _table(table: TextTable) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = "|".join(["---", *["---:"] * (len(table.heads) - 1)])
    head, *body = [f"| {' | '.join(map(markdown_text, row))} |" for row in [table.heads, *table.rows]]
    return "\n".join([head, f"|{rule}|", *body])


def _question(info: ComparisonInfo) -> str:
    train, valid, test = info.rows
    known = "" if info.attainable_auc is None else f"; attainable test AUC {info.attainable_auc:.4f}"
    known += "" if info.teacher is None else f"; teacher {markdown_text(info.teacher)}"
    return (
        f"{markdown_text(info.data)}: {train:,} rows to train, {valid:,} to validate, {test:,} to test; "
        f"{info.fields} fields, {info.features:,} features, {info.label_rate:.2%} positive labels{known}. Budget per "
        f"strategy: {markdown_text(info.budget)}. Seeds {', '.join(map(str, info.seeds))}."
    )


def _rows(model: ReportModel, columns: Sequence[Column]) -> str:
    names = [*(f"{row.summary.strategy} {row.marks}" for row in model.rows), *(line.strategy for line in model.absent)]
    rows = zip(names, *(column.cells for column in columns), strict=True)
    return _table(TextTable(("strategy", *(c.title for c in columns)), tuple(rows)))


def _results(model: ReportModel) -> str:
    remarks = [f"Mean ± standard deviation over the seeds, after re-training; best {model.chosen_by} first."]
    remarks += [*model.reference_note, *model.notes]
    columns = model.columns
    told = markdown_item(model.told_note)
    verdicts = [_verdict(row) for row in model.rows if row.against]
    return "\n\n".join(
        [
            "## Results",
            *map(markdown_item, remarks),
            _rows(model, columns.quality),
            *map(markdown_item, model.headline),
            *(["### Verdicts\n\n" + "\n".join(verdicts)] if verdicts else []),
            *(["### What else was measured on test rows", told, _rows(model, model.told)] if model.told else []),
            *(["### What it costs", _rows(model, columns.costs)] if columns.costs else []),
        ]
    )


def _verdict(row: Row) -> str:
    assert row.against is not None, "the reference has none"
    dead = f"; {len(row.not_learned)} of its {len(row.summary.seeds)} seeds did not learn" if row.not_learned else ""
    return f"- {markdown_item(row.summary.strategy)}: {markdown_text(row.against.words + dead)}."


def _design(design: FoundDesign, drawing: Drawing) -> str:
    cell = design.cell
    place, name = drawing(cell), markdown_text(design.strategy)
    odd = "; did not learn" if design.not_learned else ""
    numbers = f"Seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}{odd}."
    drawn = (
        f"![design of {name}](<{quote(place, errors='replace')}>)" if place else markdown_code(design_text(cell.design))
    )
    return "\n\n".join(filter(None, [f"### {name}", numbers, drawn, _list(design.settings)]))


def _list(values: Mapping[str, object]) -> str:
    return "\n".join(f"- {markdown_item(str(n))}: {markdown_text(plain(v))}" for n, v in values.items())


def _repeat(model: ReportModel) -> str:
    info = model.info
    parts = ["## How to repeat this", *([markdown_code(info.command)] if info.command else [])]
    parts += [_list(model.settings), _list(info.versions)]
    return "\n\n".join(filter(None, parts))
