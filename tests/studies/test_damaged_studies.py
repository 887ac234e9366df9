"""Damaged files of a study: made anew, or named in a clear line; never a traceback, never other numbers.

`tests.studies.damage` has the whole of it; here is a file of each kind, without drawing the reports.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.records import CellRecord
from nas_fusion.report import ReportModel
from nas_fusion.studies import StudyFolder, compare, rewrite_reports, tune
from tests.studies import damage
from tests.studies.damage import CLEAR_LINE, MADE_ANEW, SETTINGS, TUNED, WAYS, Undamaged, make_studies

pytestmark = pytest.mark.slow

Study = tuple[Undamaged, StudyFolder]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Undamaged]:
    return make_studies(tmp_path_factory.mktemp("studies"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are decided on and not drawn, which is most of the time."""
    for module in ("study_reports", "comparing"):
        monkeypatch.setattr(f"nas_fusion.studies.{module}.write_reports", lambda *arguments: None)
    monkeypatch.setattr("nas_fusion.studies.comparing.comparison_figures", lambda *arguments: {})


@pytest.fixture
def finished(studies: dict[str, Undamaged], tmp_path: Path, quick: None) -> Iterator[Study]:
    shutil.copytree(studies["finished"].root / "study", tmp_path / "study")
    with damage.constant_latency():
        yield studies["finished"], StudyFolder(tmp_path / "study")


def of_each_kind(study: Undamaged) -> list[str]:
    """One file of each kind."""
    found: dict[str, str] = {}
    for file in study.files:
        found.setdefault("artifact" if file.startswith("artifacts") else Path(file).name, file)
    return list(found.values())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["finished", "half-finished"])
def test_a_report_of_a_damaged_study(name: str, way: str, studies: dict[str, Undamaged], quick: None) -> None:
    cases = [(name, file, way, "report") for file in of_each_kind(studies[name])]
    faults = [case for case in damage.run(studies, cases) if case[-1] not in damage.OUTCOMES]
    assert faults == []


@pytest.mark.parametrize(
    ("name", "file", "way"),
    [
        ("half-finished", "searches/optfusion-hard-0/outcome.json", "flipped"),
        ("half-finished", "searches/optfusion-hard-0/supernet.pt", "flipped"),
        ("finished", "cells/stacked-0/design.json", "truncated"),
        ("finished", "comparison.json", "not UTF-8"),
        ("finished", "study.toml", "deleted"),
        ("finished", "optuna.db", "flipped"),
        ("finished", "optuna.db", "deleted"),
        ("finished", "latency.json", "wrong type"),
    ],
)
def test_a_comparison_goes_on_in_a_damaged_study(
    name: str, file: str, way: str, studies: dict[str, Undamaged], quick: None
) -> None:
    cases = [(name, file, way, action) for action in ("compare", "worker")]
    faults = [case for case in damage.run(studies, cases) if case[-1] not in damage.OUTCOMES]
    assert faults == []


@pytest.mark.parametrize("way", WAYS)
def test_a_tuning_goes_on_in_a_damaged_folder(way: str, studies: dict[str, Undamaged]) -> None:
    cases = [("tuning", file, way, "tune") for file in studies["tuning"].files if not file.endswith(("lock", "db"))]
    faults = [case for case in damage.run(studies, cases) if case[-1] not in damage.OUTCOMES]
    assert faults == []


# What becomes of each ------------------------------------------------------------------------------------------------


def change_a_digit(path: Path, key: str = '"test_auc": 0.') -> None:
    text = path.read_text("utf-8")
    at = text.rindex(key) + len(key)
    path.write_text(f"{text[:at]}{9 - int(text[at])}{text[at + 1 :]}", "utf-8")


def named(report: ReportModel) -> list[str]:
    return [failed.words for failed in report.info.failures]


def test_a_changed_digit_of_a_cell_is_named_by_a_report(finished: Study) -> None:
    _, study = finished
    change_a_digit(study.cell("stacked", 0) / "cell.json")
    report = rewrite_reports(study)
    assert [r.strategy for r in report.records] == ["optfusion-hard", "optfusion-soft"]
    (words,) = named(report)
    assert "stacked, seed 0" in words
    assert "cell.json: damaged: its checksum does not fit" in words
    assert "delete its folder" in words


def test_a_comparison_computes_a_damaged_cell_again(finished: Study, caplog: pytest.LogCaptureFixture) -> None:
    undamaged, study = finished
    change_a_digit(study.cell("stacked", 0) / "cell.json")
    again = compare(SETTINGS, undamaged.dataset, study.path)
    assert [r.test_auc for r in again.records] == [r.test_auc for r in undamaged.records]
    told = [m for m in caplog.messages if "cell.json: damaged" in m and "computed again" in m]
    assert len(told) == 1, "once, and not whenever it is looked at"
    assert named(rewrite_reports(study)) == []


def test_design_and_drawing_of_a_cell_are_made_anew(finished: Study, caplog: pytest.LogCaptureFixture) -> None:
    _, study = finished
    folder = study.cell("stacked", 0)
    design, drawing = (folder / name for name in ("design.json", "design.svg"))
    before = design.read_bytes(), drawing.read_bytes()
    design.write_text("{}")
    drawing.unlink()
    rewrite_reports(study)
    assert (design.read_bytes(), drawing.read_bytes()) == before
    assert sum("it is made anew" in message for message in caplog.messages) == 2
    caplog.clear()
    rewrite_reports(study)
    assert not caplog.messages


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "vocabularies/000.parquet"])
def test_damaged_weights_are_warned_of(name: str, finished: Study, caplog: pytest.LogCaptureFixture) -> None:
    undamaged, study = finished
    WAYS["flipped"](study.cell("stacked", 0) / "model" / name)
    report = rewrite_reports(study)
    assert len(report.records) == len(undamaged.records)
    (told,) = [m for m in caplog.messages if f"{name}: damaged" in m]
    assert "the cell's figures hold, its weights do not" in told


def test_cells_without_checksum_are_read_and_told_of(finished: Study, caplog: pytest.LogCaptureFixture) -> None:
    undamaged, study = finished
    path = study.cell("stacked", 0) / "cell.json"
    content = json.loads(path.read_text("utf-8"))
    del content["sha256"], content["files"]
    path.write_text(json.dumps({**content, "format": 1}))
    assert rewrite_reports(study).records == undamaged.records
    assert "1 cells have no checksum, being older; damage to them would not be noticed" in caplog.messages


def test_a_record_of_another_cell_is_noticed(finished: Study) -> None:
    _, study = finished
    shutil.copy(study.cell("optfusion-hard", 0) / "cell.json", study.cell("stacked", 0) / "cell.json")
    (words,) = named(rewrite_reports(study))
    assert "it is the record of optfusion-hard, seed 0" in words


@pytest.mark.parametrize("way", ["deleted", "flipped", "truncated"])
def test_a_report_makes_comparison_json_anew(way: str, finished: Study, caplog: pytest.LogCaptureFixture) -> None:
    undamaged, study = finished
    before = rewrite_reports(study).info
    WAYS[way](study.comparison)
    after = rewrite_reports(study)
    assert after.records == undamaged.records
    assert after.info == replace(before, command=None, named_beforehand=False, ended=False)
    assert any("made anew from the cells" in message for message in caplog.messages)
    assert rewrite_reports(study).info == after.info


def test_a_lost_comparison_json_does_not_make_a_reference_one_that_was_named_beforehand(finished: Study) -> None:
    undamaged, study = finished
    study.comparison.unlink()
    again = compare(SETTINGS, undamaged.dataset, study.path, reference="stacked")
    assert again.info.fixed_reference is None


@pytest.mark.parametrize("way", ["deleted", "flipped"])
def test_a_comparison_makes_its_settings_anew(way: str, finished: Study) -> None:
    undamaged, study = finished
    before = study.settings.read_bytes()
    WAYS[way](study.settings)
    with pytest.raises(StudyError, match=r"study\.toml"):
        rewrite_reports(study)
    with pytest.raises(StudyError, match="was made with other settings"):
        compare(replace(SETTINGS, budget="2x"), undamaged.dataset, study.path)
    assert compare(SETTINGS, undamaged.dataset, study.path).records == undamaged.records
    assert study.settings.read_bytes() == before


def test_settings_that_nobody_knows_any_more_are_not_guessed(finished: Study) -> None:
    undamaged, study = finished
    WAYS["flipped"](study.settings)
    study.database.unlink()
    with pytest.raises(DamagedFileError, match=r"study\.toml: damaged"):
        compare(SETTINGS, undamaged.dataset, study.path)


def test_a_lost_database_is_made_anew_from_the_cells(finished: Study) -> None:
    undamaged, study = finished
    study.database.unlink()
    assert compare(SETTINGS, undamaged.dataset, study.path).records == undamaged.records


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\x00" + bytes(200)])
def test_a_damaged_database_is_named(content: bytes, finished: Study) -> None:
    undamaged, study = finished
    study.database.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"optuna\.db: damaged: .*; move it away"):
        compare(SETTINGS, undamaged.dataset, study.path)


@pytest.mark.parametrize("way", ["emptied", "flipped", "folder"])
def test_artifacts_are_copied_again(way: str, finished: Study) -> None:
    undamaged, study = finished
    damaged, *_ = sorted(study.artifacts.iterdir())
    before = damaged.read_bytes()
    WAYS[way](damaged)
    compare(SETTINGS, undamaged.dataset, study.path)
    assert damaged.is_dir() if way == "folder" else damaged.read_bytes() == before


def test_what_the_web_ui_shows_is_made_anew(finished: Study, caplog: pytest.LogCaptureFixture) -> None:
    undamaged, study = finished
    (database,) = study.nni.glob("*/db/nni.sqlite")
    WAYS["truncated"](database)
    compare(SETTINGS, undamaged.dataset, study.path)
    (made,) = study.nni.glob("*/db/nni.sqlite")
    assert any("nni.sqlite: damaged" in message for message in caplog.messages)
    with sqlite3.connect(made) as connection:
        ended = connection.execute("select count(*) from TrialJobEvent where event = 'SUCCEEDED'").fetchone()[0]
    connection.close()
    assert ended >= len(undamaged.records)


def test_a_changed_tuning_trial_is_noticed(studies: dict[str, Undamaged], tmp_path: Path) -> None:
    shutil.copytree(studies["tuning"].root / "study", tmp_path / "study")
    connection = sqlite3.connect(tmp_path / "study" / "optuna.db")
    connection.execute("update trial_values set value = value + 0.01")
    connection.commit()
    connection.close()
    with pytest.raises(StudyError, match="the storage is damaged: trial 0 of 'study / tuning of stacked' was changed"):
        tune(TUNED, studies["tuning"].dataset, tmp_path / "study")


def test_the_harness_notices_other_numbers(finished: Study) -> None:
    undamaged, study = finished
    path = study.cell("stacked", 0) / "cell.json"
    record = CellRecord.from_json(path.read_text("utf-8"))
    path.write_text(replace(record, test_auc=record.test_auc / 2).to_json())
    with pytest.raises(damage.SilentlyWrong, match="other numbers of stacked"):
        damage.outcome(undamaged, study.path, "cells/stacked-0/cell.json", damage.ACTIONS["finished"]["report"])


def test_the_harness_tells_outcomes_apart(finished: Study) -> None:
    undamaged, study = finished

    def outcome(file: str) -> str:
        act: Callable[..., Any] = damage.ACTIONS["finished"]["report"]
        return damage.outcome(undamaged, study.path, file, act)

    (study.cell("stacked", 0) / "design.json").write_text("{}")
    assert outcome("cells/stacked-0/design.json") == MADE_ANEW
    change_a_digit(study.cell("stacked", 0) / "cell.json")
    logging.getLogger("nas_fusion").setLevel(logging.NOTSET)
    assert outcome("cells/stacked-0/cell.json") == CLEAR_LINE
