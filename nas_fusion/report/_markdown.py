"""``report.md``: the report's tables, verdicts and designs as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nas_fusion.architecture import Architecture
from nas_fusion.errors import OptionError
from nas_fusion.files import write_text
from nas_fusion.report._agreement import agreements
from nas_fusion.report._columns import MODEL, QUALITY, SPENT, Column, Layout, Row, layout
from nas_fusion.report._format import MISSING, flat, plain, signed
from nas_fusion.report._overall import overall, overall_cells, overall_heads, overall_sentence
from nas_fusion.report._stages import stages
from nas_fusion.report._standing import Result
from nas_fusion.report._table import notes, reference_note
from nas_fusion.report._verdict import verdict
from nas_fusion.report._words import design_text

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

Drawing = Callable[["CellRecord"], "str | None"]
"""Where the drawing of a cell's design lies, relative to the file; None for nowhere."""


def write_markdown_report(
    records: Sequence[CellRecord], info: ComparisonInfo, path: str | Path, drawing: Drawing = lambda cell: None
) -> None:
    """Write the report as Markdown, atomically.

    Args:
        records: the finished cells.
        info: what was compared.
        path: the file; its folder must exist.
        drawing: where the drawing of a cell's design lies; a design without one is written as text.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
        StudyError: the file cannot be written.
    """
    write_text(path, markdown_report(records, info, drawing))


def write_suite_markdown(
    results: Sequence[Result], path: str | Path, drawing: Callable[[int, CellRecord], str | None] = lambda i, cell: None
) -> None:
    """Write comparisons on several data sets as one Markdown file, atomically.

    Args:
        results: per data set the finished cells, and what was compared.
        path: the file; its folder must exist.
        drawing: as in `write_markdown_report`; its first argument is the number of the data set.

    Raises:
        UnknownNameError: a `reference` is none of its strategies.
        OptionError: no data set, or a strategy has two records of one seed on one.
        StudyError: the file cannot be written.
    """
    if not results:
        raise OptionError("results", "at least one data set", "none")
    parts = [
        markdown_report(records, info, lambda cell, i=i: drawing(i, cell))  # type: ignore[misc]
        for i, (records, info) in enumerate(results)
    ]
    found = overall(results)
    rows = [[row.strategy, *overall_cells(found, row)] for row in found.rows]
    table = _table(["strategy", *overall_heads(found)], rows)
    head = f"# {len(results)} data sets\n\n{_escape(overall_sentence(found))}\n\n{table}"
    write_text(path, "\n\n".join([head, *(p.rstrip("\n") for p in parts)]) + "\n" if len(results) > 1 else parts[0])


def markdown_report(records: Sequence[CellRecord], info: ComparisonInfo, drawing: Drawing = lambda cell: None) -> str:
    """The text that `write_markdown_report` writes."""
    found = layout(records, info)
    summaries = [row.summary for row in found.rows]
    found_best = verdict(summaries, info.fixed_reference)
    parts = [f"# Which fusion search to trust on {_escape(info.data_name)}", f"**{_escape(found_best.text)}**"]
    parts.append(_question(info))
    if found.rows:
        parts += [_results(found, info), _stages(records), _agreement(records), _designs(found.rows, drawing)]
    return "\n\n".join([*filter(None, parts), _repeat(info)]) + "\n"


def _escape(text: str) -> str:
    """Text in a cell or a line: what Markdown or HTML would take for markup is shown as it is."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table whose first columns (`words`) are text and whose others are numbers."""
    rule = "|".join("---" if i < words else "---:" for i in range(len(heads)))
    head, *body = [f"| {' | '.join(map(_escape, row))} |" for row in [heads, *rows]]
    return "\n".join([head, f"|{rule}|", *body])


def _question(info: ComparisonInfo) -> str:
    train, valid, test = info.rows
    known = "" if info.attainable_auc is None else f"; attainable test AUC {info.attainable_auc:.4f}"
    return (
        f"{_escape(info.data)}: {train:,} rows to train, {valid:,} to validate, {test:,} to test; "
        f"{info.fields} fields, {info.features:,} features, {info.label_rate:.2%} positive labels{known}. Budget per "
        f"strategy: {_escape(info.budget)}. Seeds {', '.join(map(str, info.seeds))}."
    )


def _rows(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    return _table(
        ["strategy", *(c.title for c in columns)],
        [[_name(row), *(c.cell(row) for c in columns)] for row in rows],
    )


def _name(row: Row) -> str:
    return f"{row.summary.strategy} †" if row.summary.is_reference else row.summary.strategy


def _results(found: Layout, info: ComparisonInfo) -> str:
    remarks = [
        "Mean ± standard deviation over the seeds, after re-training; best validation AUC first. † hand-made, nothing "
        "searched.",
        reference_note(found),
        *notes([row.summary for row in found.rows], info),
    ]
    verdicts = [f"- {_escape(r.summary.strategy)}: {_escape(r.against.words)}." for r in found.rows if r.against]
    return "\n\n".join(
        [
            "## Results",
            _escape(" ".join(remarks)),
            _rows(found.rows, found.groups[QUALITY]),
            *(["### Verdicts\n\n" + "\n".join(verdicts)] if verdicts else []),
            "### What it costs",
            _rows(found.rows, [*found.groups[MODEL], *found.groups[SPENT]]),
        ]
    )


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
        numbers = f"Seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}."
        head = f"### {_escape(cell.strategy)}\n\n{numbers}"
        shown = f"![design of {_escape(cell.strategy)}](<{quote(place)}>)" if place else _code(design_text(cell.design))
        parts.append(f"{head}\n\n{shown}")
        if isinstance(cell.design, Architecture):
            parts.append(_list(flat(cell.design.settings)))
    return "\n\n".join(filter(None, parts))


def _list(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {_escape(str(n))}: {_escape(plain(v))}" for n, v in values.items())


def _code(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def _repeat(info: ComparisonInfo) -> str:
    parts = ["## How to repeat this", *([_code(info.command)] if info.command else [])]
    parts += [_list(flat(info.settings)), _list(info.versions)]
    return "\n\n".join(filter(None, parts))
