"""Models that did not learn, failed cells, mixed provenance: marked, named and counted wherever a report shows them."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from nas_fusion.records import CellRecord, FailedCell
from nas_fusion.report import (
    ReportModel,
    comparison_caption,
    comparison_figures,
    comparison_tables,
    decision_in_words,
    headline,
    latex_table,
    results_frame,
    summary_frame,
    write_report,
)
from nas_fusion.report.numbers.summaries import not_learned
from nas_fusion.report.pages.html_page import report_html
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.page_reader import Page
from tests.report.report_fakes import cell, cells, comparison_info, comparison_model

HERE: dict[str, Any] = {"versions": {"torch": "2.13.0"}, "device": "cpu (x)", "threads": 2, "precision": "32"}
FAILED = (
    *(FailedCell("broken", seed, f"ValueError: no such thing (study/failures/broken-{seed}.log)") for seed in range(3)),
    FailedCell("tpe", 2, "words\nof the plugin " + "x" * 300),
)


def dead(strategy: str, seed: int, **changes: Any) -> CellRecord:
    return cell(strategy, seed, "one-shot", **{"valid_auc": 0.5, "test_auc": 0.5013, **changes})


def odd() -> ReportModel:
    """Two dead seeds of three, a strategy of which every cell failed, one failed seed, one cell of another machine."""
    records = [
        *cells("tpe", [0.8, 0.81], [0.79, 0.8]),
        *cells("stacked", [0.78] * 3, [0.77, 0.78, 0.775], "reference"),
        dead("darts", 0),
        dead("darts", 1, valid_auc=0.5101),
        cell("darts", 2, "one-shot", valid_auc=0.79, test_auc=0.78),
    ]
    other = {**HERE, "versions": {"torch": "2.12.0"}, "device": "cuda (y)"}
    records = [replace(r, provenance=other if (r.strategy, r.seed) == ("tpe", 1) else HERE) for r in records]
    return comparison_model(records, failures=FAILED)


def terminal(model: ReportModel, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    for table in comparison_tables(model, width):
        console.print(table)
    return console.export_text()


def everywhere(model: ReportModel) -> dict[str, str]:
    return {
        "terminal": comparison_caption(model),
        "page": Page(report_html(model)).words,
        "markdown": markdown_report(model),
    }


# Models that did not learn ----------------------------------------------------------------------------------------


def test_a_cell_at_chance_did_not_learn_where_another_did() -> None:
    records = [dead("darts", 1), dead("darts", 0), *cells("tpe", [0.7], [0.69])]
    assert not_learned(records, comparison_info()) == {"darts": (0, 1)}


@pytest.mark.parametrize(
    "changes",
    [
        {"test_auc": 0.6},  # it knows something about the test rows
        {"valid_auc": 0.53},
        {"valid_auc": math.nan},
    ],
)
def test_a_cell_that_is_not_at_chance_on_both_splits_is_not_called_dead(changes: dict[str, float]) -> None:
    assert not_learned([dead("darts", 0, **changes), *cells("tpe", [0.7], [0.69])], comparison_info()) == {}


def test_where_nobody_learns_the_data_may_hold_nothing() -> None:
    weak = [dead("darts", 0), *cells("tpe", [0.53], [0.53])]
    assert not_learned(weak, comparison_info()) == {}
    assert not_learned([dead("darts", 0)], comparison_info()) == {}
    assert not_learned([], comparison_info()) == {}


def test_few_rows_widen_what_counts_as_chance() -> None:
    records = [dead("darts", 0, valid_auc=0.54, test_auc=0.53), *cells("tpe", [0.7], [0.69])]
    assert not_learned(records, comparison_info()) == {}
    # 4,000 rows with 4 % positives: an error of .023
    assert not_learned(records, comparison_info(rows=(32_000, 4_000, 4_000), label_rate=0.04)) == {"darts": (0,)}


def test_dead_seeds_are_marked_in_every_table_and_told_of_in_the_verdict() -> None:
    model = odd()
    assert "2 of 3 seeds of darts did not learn (AUC about .5)." in " ".join(headline(model.decision))
    assert "darts ‡ " in terminal(model)
    assert "stacked † " in terminal(model)
    for place, text in everywhere(model).items():
        assert "2 of 3 seeds of darts did not learn" in text, place
        assert "darts seeds 0, 1" in text, place
    assert "| darts ‡ |" in markdown_report(model)
    assert "; 2 of its 3 seeds did not learn." in markdown_report(model)
    assert r"darts$^\ddagger$ & " in latex_table(model)
    assert "(2 of 3 of darts)" in latex_table(model)
    summary = summary_frame(model).set_index("strategy")
    assert summary["not_learned_seeds"].to_dict() == {"tpe": 0, "stacked": 0, "darts": 2, "broken": 0}
    frame = results_frame(model.records, model.info)
    assert frame[~frame["learned"]][["strategy", "seed"]].to_numpy().tolist() == [["darts", 0], ["darts", 1]]
    (crosses,) = (t for t in comparison_figures(model)["test-auc"].data if "x" in (t.marker.symbol or ()))
    assert crosses.marker.symbol == ("x", "x", "circle")
    assert crosses.y[0] == "darts ‡"
    assert decision_in_words(model.decision)["did not learn"].startswith("2 of 3 seeds of darts")


def test_without_dead_seeds_nothing_speaks_of_them() -> None:
    model = comparison_model(cells("tpe", [0.8], [0.8]))
    for text in (*everywhere(model).values(), latex_table(model), terminal(model)):
        assert "‡" not in text
        assert "not learn" not in text.replace("(a cross: a model that did not learn)", "")


# Failed cells -----------------------------------------------------------------------------------------------------


def test_failed_cells_are_named_with_their_reason() -> None:
    model = odd()
    long = "tpe, seed 2, failed: words of the plugin xxx"
    for place, text in {**everywhere(model), "latex": latex_table(model)}.items():
        assert "broken, seeds 0, 1, 2, failed: ValueError: no such thing" in text, place
        assert long in text, place
        assert "x" * 200 not in text, place
    assert "4 cells failed." in " ".join(headline(model.decision))
    assert "Numbers over fewer seeds: tpe 2 of 3 (1 failed)." in comparison_caption(model)


def test_a_strategy_without_a_finished_cell_has_a_line_without_numbers() -> None:
    model = odd()
    assert [line.strategy for line in model.absent] == ["broken"]
    lines = [line for line in terminal(model).splitlines() if line.startswith("broken")]
    assert {word for line in lines for word in line.split()[1:]} == {"–", "0/3", "3"}
    assert "| broken | – |" in markdown_report(model)
    assert "broken & {--} & {--} & -- & " in latex_table(model)
    assert '<tr class="absent"><th scope="row">broken</th>' in report_html(model)
    line = summary_frame(model).set_index("strategy").loc["broken"]
    assert (line["seeds"], line["failed_seeds"], line["verdict"]) == (0, 3, "unknown")
    assert pd.isna(line["test_auc_mean"])
    assert summary_frame(model).set_index("strategy")["failed_seeds"]["tpe"] == 1


def test_a_comparison_in_which_everything_failed_is_reported(tmp_path: Path) -> None:
    model = comparison_model([], failures=FAILED[:3], reference="broken")
    write_report(model, tmp_path / "report.html")
    for text in (*everywhere(model).values(), latex_table(model)):
        assert "broken, seeds 0, 1, 2, failed: ValueError" in text
    assert "broken" in terminal(model)
    assert comparison_figures(model) == {}
    assert summary_frame(model)["failed_seeds"].tolist() == [3]
    assert results_frame(model.records, model.info).empty


def test_strategies_that_have_not_begun_are_named() -> None:
    model = comparison_model(cells("tpe", [0.8], [0.8]), settings={"strategies": ["tpe", "nasrec"]})
    for text in everywhere(model).values():
        assert "Not in the table, since no cell of it has ended yet: nasrec." in text


# What computed them -----------------------------------------------------------------------------------------------


def test_cells_of_another_machine_or_version_are_named() -> None:
    for place, text in {**everywhere(odd()), "latex": latex_table(odd())}.items():
        assert "torch: 2.13.0 (7 cells), 2.12.0 (tpe seed 1)" in text, place
        assert "device: cpu (x) (7 cells), cuda (y) (tpe seed 1)" in text, place
    same = comparison_model([replace(r, provenance=HERE) for r in cells("tpe", [0.8, 0.8], [0.8, 0.8])])
    assert "computed by" not in comparison_caption(same)


def test_cells_that_do_not_say_what_computed_them_are_named() -> None:
    first, second = cells("tpe", [0.8, 0.8], [0.8, 0.8])
    text = comparison_caption(comparison_model([replace(first, provenance=HERE), second]))
    assert "Some cells do not say by what they were computed: tpe seed 1." in text
    assert "not recorded" not in text
