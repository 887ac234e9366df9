"""One decision: every place that shows a number or a verdict shows the same."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from nas_fusion.records import CellRecord
from nas_fusion.report import (
    ReportModel,
    comparison_caption,
    comparison_tables,
    headline,
    latex_table,
    summary_frame,
)  # fmt: skip
from nas_fusion.report.escapes import html_text, markdown_text
from nas_fusion.report.number_words import p_value, signed
from nas_fusion.report.pages.html_page import report_html
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.page_reader import Page
from tests.report.report_fakes import cells, comparison_model, comparison_records

pytestmark = pytest.mark.slow

WINNER, HAND_MADE, OTHER = "optfusion-hard", "parallel", "tpe"
SITUATIONS: dict[str, dict[str, Any]] = {
    "none named": {},
    "winner named beforehand": {"reference": WINNER},
    "winner named afterwards": {"reference": WINNER, "named_beforehand": False},
    "another named beforehand": {"reference": OTHER},
    "another named afterwards": {"reference": OTHER, "named_beforehand": False},
    "hand-made named beforehand": {"reference": HAND_MADE},
    "hand-made named afterwards": {"reference": HAND_MADE, "named_beforehand": False},
}


def close_call() -> list[CellRecord]:
    """A difference that one correction calls worse and another a tie."""
    lead, behind = [0.8003, 0.8010, 0.7997, 0.8005], [0.7963, 0.7986, 0.7944, 0.7962]
    found = cells(WINNER, [0.9] * 4, lead) + cells(OTHER, [0.89] * 4, behind)
    for number, name in enumerate(("random", "darts", HAND_MADE)):
        kind = "reference" if name == HAND_MADE else "multi-trial"
        noisy = [v + 0.004 * (-1) ** (seed + number) - 0.001 * (seed == number) for seed, v in enumerate(lead)]
        found += cells(name, [0.88 - 0.01 * number] * 4, noisy, kind)
    return found


RECORDS = {
    "ten strategies": comparison_records((0, 1, 2, 3)),
    "a close call": close_call(),
    "one seed": comparison_records((0,)),
}


@pytest.fixture(scope="module", params=[(r, s) for r in RECORDS for s in SITUATIONS], ids=", ".join)
def model(request: pytest.FixtureRequest) -> ReportModel:
    records, situation = request.param
    return comparison_model(RECORDS[records], seeds=(0, 1, 2, 3), **SITUATIONS[situation])


@pytest.fixture(scope="module")
def page(model: ReportModel) -> str:
    return report_html(model)


def terminal(model: ReportModel) -> str:
    console = Console(width=400, file=io.StringIO(), record=True)
    for table in comparison_tables(model, 400):
        console.print(table)
    return console.export_text()


def test_every_place_agrees(model: ReportModel, page: str) -> None:
    standings = model.decision.standings
    assert standings is not None
    table, latex, markdown = terminal(model), latex_table(model), markdown_report(model)
    summary = summary_frame(model).set_index("strategy")
    assert set(summary["reference"]) == {standings.reference}
    for row in model.rows:
        name, found = row.summary.strategy, standings.against.get(row.summary.strategy)
        call = "reference" if found is None else found.verdict
        cell = call if found is None or call == "unknown" else f"{call} {signed(found.difference)}"
        assert (row.call, summary["verdict"][name]) == (call, call)
        (line,) = re.findall(rf"^{name}(?: [†‡]+)? .*$", table, re.MULTILINE)
        assert f" {cell} " in line
        lines = [line for line in markdown.splitlines() if line.startswith(f"| {name} ")]
        assert f"| {cell} |" in lines[0]
        (line,) = re.findall(rf"^{name}(?:\$.*?\$)* & .*$", latex, re.MULTILINE)
        assert f" & {call} & " in line
        (line,) = re.findall(rf">{name}(?: <sup>.*?</sup>)?</th>(?:(?!</tr>).)*class=\"words\".*?</tr>", page)
        assert f'<span class="call {call}">{call}</span>{cell.removeprefix(call)}</td>' in line
        if found is not None:
            assert f"<td>{html_text(p_value(found.p_corrected))}</td>" in line or found.p_corrected is None
            assert f"- {name}: {markdown_text(found.words)}." in markdown
            assert summary["words"][name] == found.words
            assert summary["difference"][name] == found.difference


def test_every_place_has_the_same_headline_and_reference(model: ReportModel, page: str) -> None:
    (note,) = model.reference_note
    shown = Page(page).words
    for text in (shown, comparison_caption(model)):
        for words in headline(model.decision):
            assert words in text
        assert note in text
    markdown = markdown_report(model)
    for words in headline(model.decision):
        assert markdown_text(words) in markdown
    assert markdown_text(note) in markdown
    info = model.info
    for text in (shown, markdown, comparison_caption(model), latex_table(model)):
        assert ("named for it" in text) == (info.reference is not None and info.named_beforehand)


def test_the_headline_holds_only_comparisons_of_the_table(model: ReportModel) -> None:
    standings = model.decision.standings
    assert standings is not None
    told = re.findall(r"p (?:= |< |> )[.\d]+", " ".join(headline(model.decision)))
    known = " ".join(c.words for c in standings.against.values())
    assert all(words in known for words in told)


def test_a_close_call_differs_between_the_situations_and_never_within_one() -> None:
    calls = {}
    for name, changes in SITUATIONS.items():
        standings = comparison_model(close_call(), seeds=(0, 1, 2, 3), **changes).decision.standings
        assert standings is not None
        if standings.reference == WINNER:
            calls[name] = standings.against[OTHER].verdict
    assert calls == {
        "none named": "tie",
        "winner named beforehand": "worse",
        "winner named afterwards": "tie",
    }
