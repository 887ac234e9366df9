"""Several data sets on a page, Markdown, ``summary.csv`` and LaTeX."""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.architecture import Architecture
from nas_fusion.errors import OptionError, UnknownNameError
from nas_fusion.records import CellRecord, FailedCell
from nas_fusion.report import (
    latex_suite_table,
    latex_table,
    report_model,
    summarise,
    summary_frame,
    write_report,
    write_suite_markdown,
    write_suite_report,
    write_summary_csv,
)
from nas_fusion.report.escapes import latex_text
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.page_reader import Page
from tests.report.report_fakes import cell, comparison_model, comparison_records
from tests.report.suite_fakes import DATA, kinds, large_comparison, suite

pytestmark = pytest.mark.slow

LARGEST_PAGE = 8_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "report.html"
    write_suite_report(suite(), path)
    return path


def test_three_data_sets_fit_on_one_page(written: Path) -> None:
    html = written.read_text("utf-8")
    assert len(html.encode()) < LARGEST_PAGE
    assert html.count("plotly.js v") == 1
    page = Page(html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert sum(tag == "article" for tag, _ in page.tags) == 3
    assert "overall-ranks" in page.figures
    for number, name in enumerate(DATA):
        assert f"test AUC, {name}" in page.words
        assert f"data-{number}-pareto-latency-ms-4096" in page.figures
        assert f"data-{number}-test-samples" in page.figures
        assert f"data-{number}-importance-0" in page.figures
    assert "Over 3 data sets, against" in page.words


def test_every_legend_names_figures_that_are_there(written: Path) -> None:
    page = Page(written.read_text("utf-8"))
    legends = [str(attrs["data-plots"]).split() for _, attrs in page.tags if attrs.get("class") == "legend"]
    assert len(legends) == 3 * 4
    assert {name for names in legends for name in names} <= set(page.figures)
    pressed = [attrs["aria-pressed"] for _, attrs in page.tags if attrs.get("aria-pressed")]
    assert pressed.count("true") == 3 * (8 + 8 + 8 + len(kinds()))
    assert len(pressed) == 3 * 4 * len(kinds())


def test_hand_made_models_have_their_settings(written: Path) -> None:
    words = Page(written.read_text("utf-8")).words
    assert "low_rank.rank 32" in words
    assert "hidden [400, 400, 400]" in words


def test_a_suite_of_one_is_a_report_and_none_is_refused(tmp_path: Path) -> None:
    model = comparison_model(comparison_records((0, 1)))
    write_report(model, tmp_path / "a.html")
    write_suite_report([model], tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    for write in (write_suite_report, write_suite_markdown):
        with pytest.raises(OptionError, match="at least one data set"):
            write([], tmp_path / "c")
    write_suite_markdown([model], tmp_path / "c.md")
    assert (tmp_path / "c.md").read_text("utf-8") == markdown_report(model)


def test_a_reference_that_is_not_compared_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown reference 'nobody'"):
        comparison_model(reference="nobody")


def cells_of(line: str) -> list[str]:
    return [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_has_whole_tables() -> None:
    records, info = large_comparison()
    model = report_model(records, info)
    text = markdown_report(model)
    tables = [t.splitlines() for t in text.split("\n\n") if t.startswith("| strategy")]
    assert len(tables) == 5  # quality, what else was measured, cost, discretisation gap, agreement
    for lines in tables:
        assert len({len(cells_of(line)) for line in lines}) == 1
    assert [len(t) - 2 for t in tables[:2]] == [25, 25]
    for summary, line in zip(summarise(records), tables[0][2:], strict=True):
        assert cells_of(line)[0].split(" ")[0] == summary.strategy
        assert f"{summary.test_auc.mean:.4f} ±" in cells_of(line)[2]
    found = model.decision.standings
    assert found is not None
    for name, comparison in found.against.items():
        assert f"- {name}: {comparison.words}.".replace("<", r"\<").replace(">", r"\>") in text


def test_markdown_shows_drawings_where_they_are_and_text_elsewhere() -> None:
    def drawing(found: CellRecord) -> str | None:
        return None if isinstance(found.design, Architecture) else f"cells/{found.strategy}-{found.seed}/a b.svg"

    model = report_model(*large_comparison(seeds=2))
    text = markdown_report(model, drawing)
    assert "![design of tpe](<cells/tpe-" in text
    assert "/a%20b.svg>)" in text
    assert "- low\\_rank.rank: 32" in text
    assert "```text\nembedding\n" in markdown_report(model)


def test_markup_of_users_is_shown_and_not_obeyed() -> None:
    evil = "a|b *c* <i>`d`\n# e"
    text = markdown_report(
        comparison_model([cell(evil, 0), cell("tpe", 0)], data=evil, command=evil, versions={evil: evil})
    )
    outside = "".join(text.split("```")[::2])  # the command stands in a fence
    assert "<i>" not in outside.replace(r"\<i\>", "")
    assert "\n# e" not in outside
    tables = [t.splitlines() for t in outside.split("\n\n") if t.startswith("| strategy")]
    assert len(tables) == 3
    assert all(len({len(cells_of(line)) for line in lines}) == 1 for lines in tables)


def test_summary_has_every_strategy_and_digit(tmp_path: Path) -> None:
    records, info = large_comparison()
    model = report_model(records, info)
    write_summary_csv(model, tmp_path / "summary.csv")
    back = pd.read_csv(io.StringIO((tmp_path / "summary.csv").read_text("utf-8")))
    summaries = summarise(records)
    assert back["strategy"].tolist() == [s.strategy for s in summaries]
    assert back["test_auc_mean"].tolist() == [s.test_auc.mean for s in summaries]
    assert back["latency_ms_4096_mean"].tolist() == [s.cost["latency_ms_4096"].mean for s in summaries]
    assert back["verdict"].tolist().count("reference") == 1
    assert back.set_index("strategy")["tuning_samples"].to_dict()["tpe"] == 5_050_675
    assert back.set_index("strategy")["family"].to_dict()["DCN"] == "hand-made model"
    frame = summary_frame(model)
    assert frame["test_auc_iqm_low"].le(frame["test_auc_iqm"]).all()
    assert frame["test_auc_iqm_high"].ge(frame["test_auc_iqm"]).all()
    assert summary_frame(comparison_model([])).empty


def test_latex_has_the_verdicts_and_marks_the_highest_mean() -> None:
    records = [
        *(cell("a_1", s, test_auc=0.80 + 0.001 * s, valid_auc=0.9) for s in range(4)),
        *(cell("b", s, test_auc=0.801 + 0.001 * (3 - s), valid_auc=0.8) for s in range(4)),
        *(cell("c", s, test_auc=0.60 + 0.0011 * s, valid_auc=0.7) for s in range(4)),
        *(cell("d", s, "reference", test_auc=0.5 + 0.001 * s, valid_auc=0.6) for s in range(4)),
    ]
    text = latex_table(comparison_model(records, data="50% & more", seeds=(0, 1, 2, 3)))
    lines = {line.split(" & ")[0]: line for line in text.splitlines() if line.endswith(r"\\")}
    assert list(lines) == ["Strategy", r"a\_1", "b", "c", r"d$^\dagger$"]
    assert r"& \bfseries 0.8025(13) &" in lines["b"]
    assert r"\bfseries" not in lines["c"]
    assert lines["b"].split(" & ")[5] == "+0.0010"
    assert lines[r"a\_1"].split(" & ")[5] == "{--}"
    (kinds,) = re.findall(r"\\begin{tabular}{(.*)}", text)
    assert kinds == (
        "l S[table-format=1.4(1)] S[table-format=1.4(2)] r S[table-format=1.4(1)] S[table-format=+1.4] l r r r"
    )
    calls = [line.split(" & ")[6] for line in lines.values()]
    assert calls == ["Verdict", "reference", "tie", "worse", "worse"]
    assert r"50\% \& more" in text
    assert len({line.count(" & ") for line in lines.values()}) == 1
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_latex_of_several_data_sets() -> None:
    text = latex_suite_table(suite(3))
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 25
    for column in (1, 2, 3):
        assert sum(r"\bfseries" in line.split(" & ")[column] for line in body) == 1


def latex_tables() -> str:
    """Every sort of table: many strategies, one seed, no number, failed cells, odd names, nothing at all, a suite."""
    lost = (FailedCell("darts", 0, "≈ 3 → 4 ✓ … – × α 100 % of $5 {a_b}"),)
    odd = [cell("a|b [c] ~^é & %\\", 0), cell("x", 0, test_auc=math.nan, valid_auc=math.nan)]
    wide = [cell("far", s, test_logloss=12.5 + s, valid_auc=0.7 + 0.2 * s) for s in range(2)]
    models = [
        report_model(*large_comparison(seeds=2)),
        comparison_model([*odd, *wide], failures=lost, data="50% & more_"),
        comparison_model([], failures=lost, ended=True),
    ]
    return "\n".join([*map(latex_table, models), latex_suite_table(suite(3))])


def test_latex_compiles(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no LaTeX on this machine")
    if subprocess.run(["kpsewhich", "booktabs.sty", "siunitx.sty"], capture_output=True, check=False).returncode:
        pytest.skip("LaTeX without booktabs or siunitx on this machine")
    packages = r"\usepackage[a3paper,landscape]{geometry}\usepackage{booktabs,siunitx}"
    text = rf"\documentclass{{article}}{packages}\begin{{document}}{latex_tables()}\end{{document}}"
    (tmp_path / "t.tex").write_text(text, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    log = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False).stdout
    assert (tmp_path / "t.pdf").is_file(), log[-2000:]
    assert "Overfull" not in log
    assert "\n! " not in log


def test_latex_of_other_scripts_says_what_compiles_it() -> None:
    text = latex_table(comparison_model([cell("点击", 0), cell("tpe", 0)]))
    assert text.startswith("% letters of other scripts: compile with LuaLaTeX or XeLaTeX\n")
    assert "点击 & " in text


def test_latex_escape() -> None:
    assert latex_text("≈✓é点") == r"$\approx$U+2713é点"
    assert latex_text("a_b%{~^\\}") == r"a\_b\%\{\textasciitilde{}\textasciicircum{}\textbackslash{}\}"
