"""``report.html``: complete, self-contained, escaped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from nas_fusion.errors import StudyError
from nas_fusion.report import report_model, summarise, write_report
from nas_fusion.report.number_words import seconds
from nas_fusion.report.pages.html_page import report_html
from tests.report.page_reader import Page
from tests.report.report_fakes import architecture_details, cell, comparison_info, comparison_model, comparison_records


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(report_html(comparison_model(attainable_auc=0.9911)))


def test_page_says_what_a_stranger_needs(page: Page) -> None:
    assert page.open == []
    for text in (
        "Which fusion search to trust on frappe.parquet",
        "Best model, and best found by search: optfusion-hard",
        "202,027 to train, 57,722 to validate, 28,860 to test",
        "33.41% positive labels",
        "0.9911, from the true probabilities",
        "5 passes over the training rows",
        "% of attainable",
        "nasfusion compare --strategies all --data frappe.parquet",
        "model.emb_dim 10",
        "model.deep.batch_norm true",
        "split [8, 1, 1]",
        "torch 2.9.0",
        "Soft: every block keeps the mixture",
    ):
        assert text in page.words


def test_table_has_every_number(page: Page) -> None:
    for summary in summarise(comparison_records()):
        mark = " †" if summary.is_reference else ""
        assert f"{summary.strategy}{mark} {summary.valid_auc.mean:.4f} ±" in page.words
        assert seconds(summary.retrain_seconds.mean) in page.words
        assert f"{summary.test_auc.mean:.4f} ±" in page.words
    rows = [attrs["class"] for tag, attrs in page.tags if tag == "tr" and "class" in attrs]
    assert rows.count("reference") == 2 * 2  # in the table of quality and in that of cost
    assert rows.index("best") == 0


def test_figures_are_all_there_and_hold_the_data(page: Page) -> None:
    places = {attrs.get("id") for tag, attrs in page.tags if tag == "div" and attrs.get("class") == "plot"}
    histories = {"gates-0", "operations-0"}
    agreement = {"agreement-connections", "agreement-operations"}
    curves = {"search-seconds", "search-samples"}
    assert places == set(page.figures)
    assert places == {"test-auc", "ranks", "stages", "pareto-parameters", *curves, *histories, *agreement}
    traces = page.figures["search-samples"]["data"]
    assert isinstance(traces, list)
    names = {t.get("name") for t in traces}
    assert {r.strategy for r in comparison_records()} <= names


def test_one_drawing_per_strategy(page: Page) -> None:
    drawings = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(drawings) == 10


def test_page_loads_nothing_from_anywhere(page: Page) -> None:
    loading = {"src", "href", "srcset", "data", "action", "poster", "background"}
    places = [a for _, attrs in page.tags for name, a in attrs.items() if name in loading]
    assert [p for p in places if not (p or "").startswith("#")] == []
    assert not [tag for tag, _ in page.tags if tag in ("link", "img", "iframe", "object", "embed")]
    html = report_html(comparison_model(comparison_records((0,))))
    assert 'src="http' not in html
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert html.count("plotly.js v") == 1


def test_text_of_users_is_escaped() -> None:
    evil = "</script><script>alert(1)</script><i>x&y"
    details = {**architecture_details(3, 0), "note": evil}
    records = [cell(evil, 0, details=details), cell("tpe", 0, shares_search_with=evil)]
    info = comparison_info(data=evil, budget=evil, command=evil, settings={evil: [evil]}, versions={evil: evil})
    html = report_html(report_model(records, info)).replace(get_plotlyjs(), "")
    assert "<script>alert" not in html
    assert "<i>x" not in html
    found = Page(html)
    assert found.open == []
    assert found.words.count("alert(1)") >= 8
    assert "<script>" not in json.dumps([t.get("name") for t in found.figures["search-seconds"]["data"]])  # type: ignore[attr-defined]


def test_report_can_be_written_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(comparison_model([], command=None), path)
    assert "no verdict" in Page(path.read_text(encoding="utf-8")).words
    write_report(comparison_model([cell("stacked", 0, "reference")]), path)
    write_report(comparison_model([cell("tpe", 0, trace=(), valid_auc=float("nan"), test_auc=float("nan"))]), path)
    assert "tpe nan" in Page(path.read_text(encoding="utf-8")).words
    assert list(tmp_path.iterdir()) == [path]


def test_equal_records_give_an_equal_page() -> None:
    first, second = (report_html(comparison_model(comparison_records((0, 1)))) for _ in range(2))
    assert first == second


def test_a_folder_that_is_missing_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot write"):
        write_report(comparison_model([cell("tpe", 0)]), tmp_path / "missing" / "report.html")
