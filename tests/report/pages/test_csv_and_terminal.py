"""Cell records, ``results.csv``, the terminal table and atomic writing."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report import (
    CLOCK,
    COLUMNS,
    comparison_caption,
    comparison_tables,
    report_model,
    results_frame,
    summarise,
    write_results_csv,
)
from nas_fusion.report.number_words import count
from nas_fusion.system.files import write_text
from tests.report.report_fakes import cell, comparison_info, comparison_model, comparison_records
from tests.report.suite_fakes import large_comparison


def test_every_record_survives_json() -> None:
    for record in comparison_records((0,)):
        assert CellRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format": 99}', "half"])
def test_a_damaged_record_is_refused(damage: str) -> None:
    text = cell("tpe", 0).to_json()
    with pytest.raises(StudyError):
        CellRecord.from_json(text[: len(text) // 2] if damage == "half" else damage)


def without_checksum(record: CellRecord) -> dict[str, Any]:
    """A record as the first format had it."""
    content = json.loads(record.to_json())
    del content["sha256"], content["files"]
    return {**content, "format": 1}


def test_records_without_checksum_are_read() -> None:
    record = cell("tpe", 0)
    assert CellRecord.with_files(json.dumps(without_checksum(record))) == (record, None)


def test_a_changed_digit_is_noticed() -> None:
    text = cell("tpe", 0, valid_auc=0.7512345).to_json()
    for changed in (text.replace("0.7512345", "0.7512344"), text.replace('"sha256": "', '"sha256": "0')):
        assert changed != text
        with pytest.raises(StudyError, match="checksum does not fit"):
            CellRecord.from_json(changed)
    without = json.dumps({name: value for name, value in json.loads(text).items() if name != "sha256"})
    with pytest.raises(StudyError, match="no checksum"):
        CellRecord.from_json(without)


def test_a_record_with_a_wrong_field_is_refused() -> None:
    content = without_checksum(cell("tpe", 0))
    for change in ({"kind": "magic"}, {"colour": 1}, {"design": {"format": 1}}, {"trace": [{"seconds": 1}]}):
        with pytest.raises(StudyError, match="not a cell"):
            CellRecord.from_json(json.dumps({**content, **change}))


def test_kind_and_mode_are_checked() -> None:
    with pytest.raises(OptionError, match="kind must be one of"):
        replace(cell("tpe", 0), kind="other")
    with pytest.raises(OptionError, match="mode must be one of"):
        replace(cell("tpe", 0), mode="other")


def test_frame_keeps_the_order_of_strategies_and_sorts_seeds() -> None:
    records = [cell("b", 2), cell("a", 1), cell("b", 0), cell("a", 0, "reference")]
    frame = results_frame(records, comparison_info())
    assert tuple(frame.columns) == COLUMNS
    assert list(zip(frame["strategy"], frame["seed"], strict=True)) == [("b", 0), ("b", 2), ("a", 0), ("a", 1)]
    assert frame["search_valid_auc"].isna().tolist() == [False, False, True, False]
    assert frame["design"][0] == str(records[0].design)


def test_further_metrics_are_the_last_columns() -> None:
    measured = replace(cell("b", 0), details={"metrics": {"bias": 0.25}})
    frame = results_frame([measured, cell("a", 1)], comparison_info())
    assert tuple(frame.columns) == (*COLUMNS, "test_bias")
    assert frame["test_bias"][0] == 0.25
    assert pd.isna(frame["test_bias"][1])


def test_csv_keeps_every_digit_and_does_not_depend_on_the_order_of_cells(tmp_path: Path) -> None:
    records = comparison_records()
    write_results_csv(records, comparison_info(), tmp_path / "a.csv")
    write_results_csv(
        sorted(records, key=lambda r: (list_index(records, r.strategy), -r.seed)), comparison_info(), tmp_path / "b.csv"
    )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    back = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8")))
    assert [float(row["test_auc"]) for row in back] == results_frame(records, comparison_info())["test_auc"].tolist()
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()


def list_index(records: list[CellRecord], strategy: str) -> int:
    return [r.strategy for r in records].index(strategy)


def test_the_costs_have_columns_of_their_own() -> None:
    costs = {"multiply_adds": 1.5e6, "latency_ms_1": 0.25}
    frame = results_frame([cell("a", 0, cost=costs), cell("b", 0)], comparison_info())
    assert frame["multiply_adds"].tolist()[0] == 1.5e6
    assert frame["latency_ms_1"].tolist()[0] == 0.25
    assert frame["latency_ms_4096"].isna().all()
    assert frame["multiply_adds"].isna().tolist() == [False, True]


def test_only_what_the_clock_says_differs_between_two_equal_runs(tmp_path: Path) -> None:
    clock = random.Random(3)
    first = [replace(r, cost=costs(clock)) for r in comparison_records()]
    second = [
        replace(r, search_seconds=clock.random(), retrain_seconds=clock.random(), cost=costs(clock)) for r in first
    ]
    write_results_csv(first, comparison_info(), tmp_path / "a.csv")
    write_results_csv(second, comparison_info(), tmp_path / "b.csv")
    a, b = pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "b.csv")
    assert not a.equals(b)
    assert a.drop(columns=list(CLOCK)).equals(b.drop(columns=list(CLOCK)))


def costs(clock: random.Random) -> dict[str, float]:
    return {
        "multiply_adds": 1e6,
        "latency_ms_1": clock.random(),
        "latency_ms_4096": clock.random(),
        "training_rows_per_second": clock.random(),
    }


def test_an_empty_frame_has_its_columns(tmp_path: Path) -> None:
    write_results_csv([], comparison_info(), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_a_file_is_replaced_whole_or_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "old")
    write_text(path, "new\n")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \udc80")
    assert path.read_bytes() == b"new\n"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StudyError, match="cannot write"):
        write_text(tmp_path / "missing" / "x.txt", "text")


def render(width: int, records: list[CellRecord], **changes: Any) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for table in comparison_tables(comparison_model(records, **changes), width):
        console.print(table)
    return console.export_text()


def lines_of(text: str, strategy: str) -> str:
    return " ".join(row for row in text.splitlines() if row.startswith((f"{strategy} ", f"{strategy}\n")))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_tables_show_every_number_in_full(width: int) -> None:
    records, info = large_comparison(attainable_auc=0.9911)
    console = Console(width=width, record=True, file=io.StringIO())
    for table in comparison_tables(report_model(records, info), width):
        console.print(table)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for summary in summarise(records):
        line = lines_of(text, summary.strategy)
        assert f"{summary.test_auc.mean:.4f} ±{f'{summary.test_auc.sd:.4f}'[1:]}" in line
        assert f"{summary.valid_auc.mean:.4f}" in line
        assert f" {100 * (summary.test_auc.mean - 0.5) / 0.4911:.1f} " in line
        assert count(summary.cost["multiply_adds"].mean) in line
        assert ("†" in line) == summary.is_reference


def test_columns_without_a_value_are_left_out() -> None:
    text = render(200, comparison_records())
    assert "tuning" not in text
    assert "ms at" not in text
    assert "attain" not in text


def test_tables_hold_large_numbers_and_long_names() -> None:
    records = [
        cell("a-strategy-of-somebody-else", s, search_seconds=123_456.7 + s, parameters=987_654_321) for s in range(3)
    ]
    text = render(80, records, attainable_auc=0.8)
    assert "123,458" in text
    assert "988 M" in text
    assert "…" not in text
    assert comparison_tables(comparison_model([]), 80) == []


def test_the_teacher_of_a_planted_log_is_told() -> None:
    model = comparison_model(attainable_auc=0.86, teacher="output <- product(embedding, cross1)")
    assert "teacher: output <- product(embedding, cross1)" in " ".join(comparison_caption(model).split())
    assert model.facts["Teacher"].startswith("output <- product(embedding, cross1)")
    assert "teacher" not in comparison_caption(comparison_model())


def test_caption_tells_data_budget_reference_and_verdict() -> None:
    records = [r for r in comparison_records() if (r.strategy, r.seed) != ("tpe", 2)]
    words = " ".join(comparison_caption(comparison_model(records, attainable_auc=0.9911)).split())
    assert "frappe.parquet: 202,027 / 57,722 / 28,860 rows, 10 fields" in words
    assert "attainable test AUC 0.9911" in words
    assert "5 passes over the training rows" in words
    assert "Numbers over fewer seeds: tpe 2 of 3 (1 not finished)." in words
    assert "optfusion-soft uses the search of optfusion-hard" in words
    assert "Best model, and best found by search: optfusion-hard" in words
    assert "Reference: optfusion-hard (chosen by validation)" in words
    named = comparison_caption(comparison_model(records, reference="stacked"))
    assert "Reference: stacked (named for it)" in named


def test_markup_in_names_is_shown_and_not_obeyed() -> None:
    assert "[red]x" in render(100, [cell("[red]x", 0)])


def test_what_was_compared_survives_json() -> None:
    info = comparison_info(attainable_auc=0.9911, reference="stacked", command=None)
    assert ComparisonInfo.from_json(info.to_json()) == info
    for damage in ("", "[]", "{}", '{"format": 99}', '{"format": 1, "rows": [1, 2]}'):
        with pytest.raises(StudyError):
            ComparisonInfo.from_json(damage)
