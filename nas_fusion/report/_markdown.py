"""``report.md``: the report's tables, verdicts and designs as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nas_fusion.architecture import Architecture
from nas_fusion.errors import OptionError
from nas_fusion.report._agreement import agreements
from nas_fusion.report._columns import MODEL, QUALITY, SPENT, Column, column_cells, column_groups
from nas_fusion.report._format import MISSING, flat, plain, signed
from nas_fusion.report._headline import headline
from nas_fusion.report._model import ReportModel, Row
from nas_fusion.report._notes import notes, reference_note
from nas_fusion.report._overall import overall, overall_cells, overall_heads, overall_notes, overall_sentence
from nas_fusion.report._stages import stages
from nas_fusion.report._text import markdown_code, markdown_item, markdown_text
from nas_fusion.report._words import design_text
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

Drawing = Callable[["CellRecord"], "str | None"]
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
    if not models:
        raise OptionError("models", "at least one data set", "none")
    parts = [
        markdown_report(model, lambda cell, i=i: drawing(i, cell))  # type: ignore[misc]
        for i, model in enumerate(models)
    ]
    if len(models) == 1:
        write_text(path, parts[0])
        return
    found = overall(models)
    rows = [[row.strategy, *overall_cells(found, row)] for row in found.rows]
    table = _table(["strategy", *overall_heads(found)], rows)
    notes = [markdown_text(" ".join(overall_notes(found)))]
    head = [f"# {len(models)} data sets", markdown_text(overall_sentence(found)), table, *filter(None, notes)]
    write_text(path, "\n\n".join([*head, *(p.rstrip("\n") for p in parts)]) + "\n")


def markdown_report(model: ReportModel, drawing: Drawing = lambda cell: None) -> str:
    """The text that `write_markdown_report` writes."""
    parts = [
        f"# Which fusion search to trust on {markdown_text(model.info.data_name)}",
        *(f"**{markdown_text(words)}**" for words in headline(model.decision)),
        _question(model.info),
    ]
    if model.rows or model.absent:
        parts.append(_results(model))
    if model.rows:
        parts += [_stages(model.records), _agreement(model.records), _designs(model.rows, drawing)]
    return "\n\n".join([*filter(None, parts), _repeat(model.info)]) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table whose first columns (`words`) are text and whose others are numbers."""
    rule = "|".join("---" if i < words else "---:" for i in range(len(heads)))
    head, *body = [f"| {' | '.join(map(markdown_text, row))} |" for row in [heads, *rows]]
    return "\n".join([head, f"|{rule}|", *body])


def _question(info: ComparisonInfo) -> str:
    train, valid, test = info.rows
    known = "" if info.attainable_auc is None else f"; attainable test AUC {info.attainable_auc:.4f}"
    return (
        f"{markdown_text(info.data)}: {train:,} rows to train, {valid:,} to validate, {test:,} to test; "
        f"{info.fields} fields, {info.features:,} features, {info.label_rate:.2%} positive labels{known}. Budget per "
        f"strategy: {markdown_text(info.budget)}. Seeds {', '.join(map(str, info.seeds))}."
    )


def _rows(model: ReportModel, columns: Sequence[Column]) -> str:
    names = [*(f"{row.summary.strategy} {row.marks}" for row in model.rows), *(line.strategy for line in model.absent)]
    cells = zip(*(column_cells(column, model) for column in columns), strict=True)
    return _table(
        ["strategy", *(c.title for c in columns)], [[n, *texts] for n, texts in zip(names, cells, strict=True)]
    )


def _results(model: ReportModel) -> str:
    remarks = ["Mean ± standard deviation over the seeds, after re-training; best validation AUC first."]
    remarks += [*reference_note(model), *notes(model)]
    groups = column_groups(model)
    verdicts = [_verdict(row) for row in model.rows if row.against]
    costs = [*groups[MODEL], *groups[SPENT]]
    return "\n\n".join(
        [
            "## Results",
            *map(markdown_item, remarks),
            _rows(model, groups[QUALITY]),
            *(["### Verdicts\n\n" + "\n".join(verdicts)] if verdicts else []),
            *(["### What it costs", _rows(model, costs)] if costs else []),
        ]
    )


def _verdict(row: Row) -> str:
    assert row.against is not None, "the reference has none"
    dead = f"; {len(row.not_learned)} of its {len(row.summary.seeds)} seeds did not learn" if row.not_learned else ""
    return f"- {markdown_item(row.summary.strategy)}: {markdown_text(row.against.words + dead)}."


def _stages(records: Sequence[CellRecord]) -> str:
    found = stages(records)
    if not found:
        return ""
    rows = [
        [s.strategy, *(MISSING if v is None else f"{v:.4f}" for v in (s.search, s.derived, s.retrained)),
         MISSING if s.gap is None else signed(s.gap)]
        for s in found
    ]  # fmt: skip
    heads = ["strategy", "while searching", "derived", "re-trained", "re-trained − searching"]
    return f"## Discretisation gap\n\nMean validation AUC over the seeds.\n\n{_table(heads, rows)}"


def _agreement(records: Sequence[CellRecord]) -> str:
    found = agreements(records)
    if not found:
        return ""
    rows = [
        [a.strategy, f"{a.distinct} of {a.seeds}", f"{a.equal:.0%}", MISSING if a.live is None else f"{a.live:.0%}"]
        for a in found
    ]
    heads = ["strategy", "different designs", "equal choices", "shared live connections"]
    return f"## Agreement of the designs across seeds\n\n{_table(heads, rows)}"


def _designs(rows: Sequence[Row], drawing: Drawing) -> str:
    parts = ["## What was found\n\nOf every strategy the seed with the best validation AUC."]
    for row in rows:
        cell = row.summary.best
        place = drawing(cell)
        odd = "; did not learn" if cell.seed in row.not_learned else ""
        numbers = f"Seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}{odd}."
        head = f"### {markdown_text(cell.strategy)}\n\n{numbers}"
        link = f"<{quote(place, errors='replace')}>" if place else ""
        drawn = f"![design of {markdown_text(cell.strategy)}]({link})"
        shown = drawn if place else markdown_code(design_text(cell.design))
        parts.append(f"{head}\n\n{shown}")
        if isinstance(cell.design, Architecture):
            parts.append(_list(flat(cell.design.settings)))
    return "\n\n".join(filter(None, parts))


def _list(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {markdown_item(str(n))}: {markdown_text(plain(v))}" for n, v in values.items())


def _repeat(info: ComparisonInfo) -> str:
    parts = ["## How to repeat this", *([markdown_code(info.command)] if info.command else [])]
    parts += [_list(flat(info.settings)), _list(info.versions)]
    return "\n\n".join(filter(None, parts))
