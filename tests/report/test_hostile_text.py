"""A stranger's text is shown and never obeyed: on pages, in Markdown, LaTeX, terminals, drawings and files."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from plotly.offline import get_plotlyjs
from rich.console import Console

from nas_fusion.architecture import Architecture
from nas_fusion.design import FusionDesign
from nas_fusion.records import FailedCell
from nas_fusion.report import (
    ReportModel,
    clean,
    comparison_caption,
    comparison_figures,
    comparison_tables,
    draw_design,
    latex_suite_table,
    latex_table,
    report_model,
    terminal_text,
    write_fronts_csv,
    write_report,
    write_results_csv,
    write_suite_markdown,
    write_suite_report,
    write_summary_csv,
)
from nas_fusion.report.escapes import (
    csv_text,
    html_text,
    latex_text,
    markdown_code,
    markdown_item,
    markdown_text,
)
from nas_fusion.report.pages.html_page import report_html
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.page_reader import Page
from tests.report.report_fakes import architecture_details, cell, comparison_info, comparison_model

HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "<a href=javascript:window.hacked=1>x</a><br>",
    "%{customdata}<b>%{x}</b>",
    "a|b`c`*d*_e_~~f~~$g$",
    "[x](javascript:window.hacked=1) ![y](http://evil.example/z)",
    "see http://evil.example/ and www.evil.example or <http://evil.example>",
    "# heading\n\n- item\n\n```\ncode\n```\n<!-- x",
    "1. one\r\n+ two\u2028> three",
    "[bold red]x[/] [link=http://evil.example]y[/link]",
    "\x1b[31mred\x1b]8;;http://evil.example\x07link\x9b2J\x00\x08",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "\\end{table}\\input{/etc/passwd}%$x^2$ ~#&",
    "\u202egnp.exe\u2066",
    "\ud800 \ufffe",
    "&lt;b&gt; &#60;",
)
"""Where it is not escaped each runs, links, breaks a table, colours, moves the cursor, or cannot be written."""

MARKDOWN = MarkdownIt("commonmark").enable("table")
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def design(operation: str) -> FusionDesign:
    connections = [("embedding", "deep1"), ("embedding", "output"), ("deep1", "output")]
    return FusionDesign.build(1, connections, operation)


def hostile() -> ReportModel:
    """Every text of a report is a hostile one."""
    records = []
    for number, text in enumerate(HOSTILE):
        found: Any = Architecture.build(text, {text: [text], "x": {text: text}}, f"{text}\n{text}")
        records.append(cell(text, 0, design=design(text) if number % 2 else found, shares_search_with=HOSTILE[0]))
    details = {**architecture_details(1, 0), "note": HOSTILE[0]}
    details["gates"] = [{f"{t}/x": 0.1 for t in HOSTILE}]
    details["operations"] = [{t: {t: 1.0} for t in HOSTILE}]
    details["front"] = [
        {
            "design": t, "valid_auc": 0.7, "multiply_adds": 9.0, "parameters": 9.0 + at, "chosen": not at,
            "content": {t: t},
        }
        for at, t in enumerate(HOSTILE)
    ]  # fmt: skip
    details["prefer"] = HOSTILE[1]
    records.append(cell("gates", 0, "one-shot", design=design(HOSTILE[0]), details=details, provenance={"device": "a"}))
    records[0] = cell(HOSTILE[0], 0, design=design(HOSTILE[1]), provenance={"device": HOSTILE[2], "threads": 1})
    everything = " ".join(HOSTILE)
    return comparison_model(
        records,
        data=everything,
        budget=everything,
        command="\n".join(HOSTILE),
        settings={text: [text] for text in HOSTILE} | {"strategies": [*HOSTILE, everything]},
        versions={text: text for text in HOSTILE},
        failures=(
            *(FailedCell(text, seed, text) for seed, text in enumerate(HOSTILE, 1)),
            FailedCell(f"{everything}-failed", 0, everything),
        ),
        reference=HOSTILE[3],
        named_beforehand=False,
    )


@pytest.fixture(scope="module")
def model() -> ReportModel:
    return hostile()


@pytest.fixture(scope="module")
def page(model: ReportModel) -> str:
    return report_html(model)


def test_clean_text_keeps_what_can_be_seen() -> None:
    assert clean("Größe ✓ – 数 👩") == "Größe ✓ – 数 👩"
    assert clean("a\tb\r\nc\u2028d") == "a b c d"
    assert clean("a\r\nb\nc", lines=True) == "a\nb\nc"
    assert clean("\x1b[31m\u202e\ud800\x00") == r"\x1b[31m\u202e\ud800\x00"
    for text in HOSTILE:
        assert not ESCAPES.search(clean(text))
        assert clean(text).encode()


# The page ---------------------------------------------------------------------------------------------------------


def test_the_page_holds_no_tag_attribute_or_script_of_theirs(page: str) -> None:
    found = Page(page)
    assert found.open == []
    assert not {tag for tag, _ in found.tags} & {"img", "a", "iframe", "object", "embed", "base", "form", "link"}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert sum(tag == "script" and "type" not in attributes for tag, attributes in found.tags) == 2
    assert "<script>window.hacked" not in page
    assert not ESCAPES.search(page.replace(get_plotlyjs(), ""))
    for text in HOSTILE:
        assert " ".join(clean(text).split()) in found.words


def test_no_label_of_a_figure_is_markup(model: ReportModel, page: str) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [t for v in value.values() for t in texts(v)]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else [value] * isinstance(value, str)

    ours = re.compile("<extra></extra>|<br>")
    figures = {**{n: f.to_plotly_json() for n, f in comparison_figures(model).items()}, **Page(page).figures}
    assert {"test-auc", "stages", "pareto-parameters", "search-seconds"} <= set(figures)
    for name, figure in figures.items():
        for text in texts(json.loads(json.dumps(figure, default=list))):
            assert "<" not in ours.sub("", text), (name, text)
            assert "%{customdata}" not in text, (name, text)


def test_the_policy_allows_the_pages_own_scripts_alone(page: str) -> None:
    policy = dict(Page(page).tags[3][1]) if Page(page).tags[3][0] == "meta" else {}
    (content,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.get("content") == content
    assert "default-src 'none'" in content
    (scripts,) = re.findall(r"script-src ([^;]*);", content)
    assert re.fullmatch(r"'sha256-[\w+/=]+' 'sha256-[\w+/=]+'", scripts)


@pytest.mark.slow
def test_no_script_of_theirs_runs_in_a_browser(model: ReportModel, page: str, tmp_path: Path, browser: Any) -> None:
    write_report(model, tmp_path / "report.html")
    window = browser.new_page(viewport={"width": 1280, "height": 900})
    told: list[str] = []
    window.on("pageerror", lambda error: told.append(str(error)))
    window.on("console", lambda message: told.append(message.text))
    window.on("dialog", lambda dialog: told.append(dialog.message))
    window.on("request", lambda request: told.append(request.url) if not request.url.startswith("file:") else None)
    window.goto((tmp_path / "report.html").as_uri())
    opened = "for (const d of document.querySelectorAll('details')) d.open = true"
    window.evaluate(f"(async () => {{ {opened}; await drawAll(); }})()")
    assert window.locator(".js-plotly-plot").count() == len(Page(page).figures) == 8
    assert told == []
    assert window.evaluate("window.hacked") is None
    assert window.locator(".js-plotly-plot a").count() == 0
    shown = window.locator("#test-auc").text_content()
    assert "<img src=x onerror=window.hacked=1>" in shown
    assert "%{customdata}<b>%{x}</b>" in shown
    assert window.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    window.close()


@pytest.mark.slow
def test_a_page_whose_escaping_had_a_hole_would_still_run_nothing(
    model: ReportModel, tmp_path: Path, browser: Any, page: str
) -> None:
    hole = page.replace("<body>", "<body><script>window.hacked=1</script><img src=x onerror=window.hacked=1>")
    (tmp_path / "hole.html").write_text(hole, "utf-8")
    window = browser.new_page()
    window.goto((tmp_path / "hole.html").as_uri())
    assert window.evaluate("typeof Plotly") == "object"
    assert window.evaluate("window.hacked") is None
    window.close()


# Markdown ---------------------------------------------------------------------------------------------------------


def kinds(text: str) -> list[str]:
    tokens = MARKDOWN.parse(text)
    return [t.type for token in tokens for t in (token, *(token.children or ()))]


def test_markdown_shows_every_text_as_it_is() -> None:
    for text in HOSTILE:
        shown = " ".join(clean(text).split())
        for line in (f"x {markdown_text(text)}", markdown_item(text)):
            assert set(kinds(line)) <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}, line
        tokens = MARKDOWN.parse(f"x {markdown_text(text)}")[1].children
        assert tokens is not None
        assert "".join(t.content for t in tokens) == f"x {shown}"
        assert "://" not in markdown_text(text)
        assert "www." not in markdown_text(text)


def test_markdown_code_holds_its_text_whole() -> None:
    for text in HOSTILE:
        (fence,) = MARKDOWN.parse(markdown_code(text))
        assert (fence.type, fence.info) == ("fence", "text")
        assert fence.content == clean(text, lines=True) + "\n"


def test_a_report_in_markdown_has_its_own_structure_alone(model: ReportModel, tmp_path: Path) -> None:
    text = markdown_report(model, lambda record: f"cells/{record.strategy}/x>y\n.svg" if record.seed == 0 else None)
    found = kinds(text)
    assert not {"html_block", "html_inline", "link_open", "code_inline", "code_block", "blockquote_open"} & set(found)
    headings = [b.content for a, b in pairwise(MARKDOWN.parse(text)) if a.type == "heading_open"]
    assert len(headings) == 8 + len(model.rows)
    assert found.count("table_open") == 4
    assert not ESCAPES.search(text)
    write_suite_markdown([model, model], tmp_path / "suite.md")
    assert "html_inline" not in kinds((tmp_path / "suite.md").read_text("utf-8"))


# LaTeX ------------------------------------------------------------------------------------------------------------


def test_latex_has_its_own_commands_alone(model: ReportModel) -> None:
    ours = {
        "usepackage", "begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "bfseries",
        "sisetup", "smallskip", "dots",
        "pm", "dagger", "ddagger", "par", "footnotesize", "textbackslash", "textasciitilde", "textasciicircum",
        "textless", "textgreater", "textbar",
    }  # fmt: skip
    for text in (latex_table(model), latex_suite_table([model, model])):
        commands = set(re.findall(r"\\([a-zA-Z]+)", text))
        assert commands <= ours
        assert text.count(r"\begin{") == text.count(r"\end{") == 2
        assert not ESCAPES.search(text)
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
        assert not any(re.match(r"[\[*]", row) for row in rows)
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}")
    assert latex_text("[2ex]*x") == "{[}2ex{]}{*}x"


# The terminal -----------------------------------------------------------------------------------------------------


def test_a_terminal_gets_neither_markup_nor_controls(model: ReportModel) -> None:
    for width in (80, 120):
        out = io.StringIO()
        console = Console(width=width, file=out, force_terminal=True, color_system=None, legacy_windows=False)
        for table in comparison_tables(model, width):
            console.print(table)
        console.print(comparison_caption(model), markup=False, highlight=False)
        assert not ESCAPES.search(re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()))
    plain = io.StringIO()
    console = Console(width=2000, file=plain)
    for text in HOSTILE:
        console.print(terminal_text(text), highlight=False)
    assert "[bold red]x[/] [link=http://evil.example]y[/link]" in plain.getvalue()


# Files ------------------------------------------------------------------------------------------------------------


def test_drawings_are_well_formed_and_show_the_text() -> None:
    for text in HOSTILE:
        drawing = draw_design(design(text), title=text)
        root = ET.fromstring(drawing)
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert names <= {"svg", "title", "desc", "rect", "g", "path", "polygon", "text"}
        shown = [element.text for element in root.iter() if element.tag.endswith("text")]
        assert clean(text) in shown
        assert drawing.encode()


def test_spreadsheets_run_nothing_and_every_row_stays_one(model: ReportModel, tmp_path: Path) -> None:
    write_results_csv(model.records, model.info, tmp_path / "results.csv")
    write_summary_csv(model, tmp_path / "summary.csv")
    write_fronts_csv(model.records, tmp_path / "fronts.csv")
    summaries = len(model.rows) + len(model.absent)
    for name, rows in (("results", len(model.records)), ("summary", summaries), ("fronts", len(HOSTILE))):
        frame = pd.read_csv(tmp_path / f"{name}.csv", keep_default_na=False)
        assert len(frame) == rows
        for value in (v for row in frame.to_numpy().tolist() for v in row if isinstance(v, str)):
            assert not re.match(r"[=+\-@\t\r]", value) or re.fullmatch(r"[-+]?[\d.e+-]+", value), value
    assert [csv_text(t) for t in ("=1", "+1", "-x", "@x", "\t=1", "tpe")] == ["'=1", "'+1", "'-x", "'@x", "' =1", "tpe"]


def test_several_data_sets_on_a_page_are_as_safe(model: ReportModel, tmp_path: Path) -> None:
    write_suite_report([model, report_model(model.records, comparison_info(data=HOSTILE[0]))], tmp_path / "suite.html")
    found = Page((tmp_path / "suite.html").read_text("utf-8"))
    assert not {tag for tag, _ in found.tags} & {"img", "iframe"}
    assert all((a.get("href") or "#").startswith("#") for _, a in found.tags)
    assert sum(tag == "script" and "type" not in attributes for tag, attributes in found.tags) == 2


def test_html_text_fits_into_attributes() -> None:
    for text in HOSTILE:
        assert not set("<>\"'") & set(html_text(text))
