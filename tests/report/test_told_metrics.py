"""What is measured of test predictions beside AUC and logloss: in records, files, tables, sentences and the curve."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from nas_fusion.records import TEST_METRICS, CellRecord, ReliabilityBin
from nas_fusion.report import (
    COLUMNS,
    ReportModel,
    comparison_figures,
    comparison_tables,
    results_frame,
    write_report,
    write_results_csv,
    write_summary_csv,
)
from nas_fusion.report.numbers.curves import reliability_curves
from nas_fusion.report.numbers.summaries import told_metrics
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.report_fakes import cell, comparison_info, comparison_model, measured

TOLD = {"normalised_entropy": 0.8, "calibration_ratio": 1.1, "calibration_error": 0.02, "pr_auc": 0.6, "gauc": 0.7}
HEADS = (
    "normalised entropy", "expected / observed clicks", "calibration error (ECE)", "PR-AUC", "AUC within groups",
)  # fmt: skip


def records() -> list[CellRecord]:
    """Two seeds of a search and of a reference; one seed of the reference has a metric of somebody else's."""
    bins = (ReliabilityBin(0.1, 0.12, 30.0), ReliabilityBin(0.6, 0.5, 30.0))
    found = [
        cell(
            "tpe", seed, valid_auc=0.75 + seed / 100, test_metrics={**TOLD, "pr_auc": 0.6 + seed / 10}, reliability=bins
        )
        for seed in (0, 1)
    ]
    entropy = {"normalised_entropy": 1.3}
    found += [cell("stacked", seed, "reference", valid_auc=0.7, test_metrics=entropy) for seed in (0, 1)]
    return [*found[:3], replace(found[3], details={"metrics": {"bias": 0.25}})]


def model() -> ReportModel:
    return comparison_model(records(), seeds=(0, 1))


def test_a_record_keeps_what_was_measured() -> None:
    record = measured(cell("tpe", 0))
    assert CellRecord.from_json(record.to_json()) == record
    assert tuple(record.test_metrics) == TEST_METRICS


def test_older_records_have_none_and_are_read() -> None:
    content = json.loads(cell("tpe", 0).to_json())
    for name in ("sha256", "files", "test_metrics", "reliability"):
        del content[name]
    assert CellRecord.from_json(json.dumps({**content, "format": 1})) == cell("tpe", 0)


def test_only_numbers_of_a_record_are_told() -> None:
    odd = cell(
        "tpe", 0, test_metrics={"gauc": "much", "pr_auc": 0.5}, details={"metrics": {"z": 1, "a": None, "b": 2.0}}
    )
    assert list(told_metrics(odd).items()) == [("pr_auc", 0.5), ("b", 2.0), ("z", 1.0)]
    assert told_metrics(replace(odd, details={"metrics": "none"})) == {"pr_auc": 0.5}


def test_results_have_a_column_for_each_after_the_others(tmp_path: Path) -> None:
    frame = results_frame(records(), comparison_info(seeds=(0, 1)))
    assert tuple(frame.columns) == (*COLUMNS, *(f"test_{name}" for name in TEST_METRICS), "test_bias")
    assert frame["test_pr_auc"].tolist()[:2] == [0.6, 0.7]
    assert frame["test_gauc"].isna().tolist() == [False, False, True, True]
    assert frame["test_bias"].isna().tolist() == [True, True, True, False]
    write_results_csv(records(), comparison_info(seeds=(0, 1)), tmp_path / "results.csv")
    assert pd.read_csv(tmp_path / "results.csv")["test_normalised_entropy"].tolist() == [0.8, 0.8, 1.3, 1.3]


def test_without_any_the_files_are_as_before(tmp_path: Path) -> None:
    plain = [cell("tpe", 0), cell("stacked", 0, "reference")]
    assert tuple(results_frame(plain, comparison_info()).columns) == COLUMNS
    write_summary_csv(comparison_model(plain), tmp_path / "summary.csv")
    assert not [c for c in pd.read_csv(tmp_path / "summary.csv").columns if "entropy" in c or "gauc" in c]
    assert comparison_model(plain).told == ()
    assert "reliability" not in comparison_figures(comparison_model(plain))


def test_the_summary_has_their_means(tmp_path: Path) -> None:
    write_summary_csv(model(), tmp_path / "summary.csv")
    found = pd.read_csv(tmp_path / "summary.csv").set_index("strategy")
    assert found["test_pr_auc_mean"]["tpe"] == pytest.approx(0.65)
    assert found["test_normalised_entropy_mean"].to_dict() == pytest.approx({"tpe": 0.8, "stacked": 1.3})
    assert "test_bias_mean" not in found.columns  # one seed has it and the other not


def test_tables_show_what_every_seed_of_a_strategy_has() -> None:
    assert tuple(column.title for column in model().told) == HEADS
    cells = {column.title: column.cells for column in model().told}
    assert cells["PR-AUC"] == ("0.6500 ±.0707", "–")
    assert cells["normalised entropy"] == ("0.8000 ±.0000", "1.3000 ±.0000")


def test_a_metric_of_somebody_elses_stands_in_the_tables(tmp_path: Path) -> None:
    both = [replace(r, details={"metrics": {"own_metric": 0.125 + r.seed}}) for r in records()]
    found = comparison_model(both, seeds=(0, 1))
    assert found.told[-1].title == "own_metric"
    assert found.told[-1].cells == ("0.6250 ±.7071", "0.6250 ±.7071")
    write_report(found, tmp_path / "report.html")
    assert "own_metric" in (tmp_path / "report.html").read_text("utf-8").partition("<h2>In pictures</h2>")[0]
    console = Console(width=160, record=True, file=io.StringIO())
    for table in comparison_tables(found, 160):
        console.print(table)
    assert "0.6250 ±.7071" in console.export_text()


def test_markdown_has_them_with_a_note() -> None:
    text = markdown_report(model())
    section = text.partition("### What else was measured on test rows")[2].partition("###")[0]
    assert "so that a constant reaches 1" in section
    assert "0.6500 ±.0707" in section


def test_probabilities_worse_than_a_constants_are_told_of() -> None:
    (line,) = [note for note in model().notes if "constant" in note]
    assert line == "Mean test logloss worse than a constant's, whatever the AUC: stacked (0.5100, 1.30 times it)."
    assert not [note for note in comparison_model(records()[:2]).notes if "constant" in note]


def test_the_curve_is_the_best_seeds() -> None:
    found = reliability_curves(model().rows)
    assert found is not None
    (curve,) = found.curves  # the reference has none
    assert (curve.strategy, curve.seed) == ("tpe", 1)
    assert found.highest == 0.6
    drawn = comparison_figures(model())["reliability"]
    diagonal, line = drawn.data
    assert (diagonal.x, diagonal.y) == ((0, 0.624), (0, 0.624))
    assert (line.x, line.y, line.name) == ((0.1, 0.6), (0.12, 0.5), "tpe")
