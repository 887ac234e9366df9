"""Reports written again from a study's cells."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.architecture import Architecture, found_from_json
from nas_fusion.data import DataOptions
from nas_fusion.errors import StudyError, UnknownNameError
from nas_fusion.records import CellRecord
from nas_fusion.report import results_frame
from nas_fusion.settings.study_toml import write_settings
from nas_fusion.studies import ComparisonSettings, StudyFolder, rewrite_reports
from nas_fusion.studies.cells.cell_files import write_cell
from nas_fusion.studies.study_reports import is_named_beforehand
from nas_fusion.system.files import new_folder, write_text
from tests.report.report_fakes import comparison_info, comparison_records

pytestmark = pytest.mark.slow

NAMES = ("tpe", "random", "stacked")


def records() -> list[CellRecord]:
    return [r for r in comparison_records() if r.strategy in NAMES]


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study with every cell finished and no report."""
    found = StudyFolder(tmp_path / "clicks")
    found.path.mkdir()
    settings = ComparisonSettings("clicks.csv", DataOptions(), NAMES)
    write_settings(settings, found.settings, "0" * 64)
    write_text(found.comparison, comparison_info().to_json())
    for record in records():
        with new_folder(found.cell(record.strategy, record.seed)) as folder:
            write_cell(folder, record)
    return found


def test_every_report_is_written_from_the_cells(study: StudyFolder) -> None:
    found = rewrite_reports(study, latex=study.path / "table.tex")
    expected = sorted(records(), key=lambda r: (NAMES.index(r.strategy), r.seed))
    assert list(found.records) == expected
    assert found.info == comparison_info()
    frame = results_frame(expected, found.info)
    pd.testing.assert_frame_equal(pd.read_csv(study.results), frame, check_dtype=False)
    assert pd.read_csv(study.summary)["reference"].unique().tolist() == ["tpe"]
    assert "![design of stacked](<cells/stacked-" in study.report_markdown.read_text("utf-8")
    assert study.best_svg.read_text("utf-8").startswith("<svg")
    assert r"\toprule" in (study.path / "table.tex").read_text("utf-8")
    first = study.report.read_bytes()
    rewrite_reports(study)
    assert study.report.read_bytes() == first


def test_the_best_model_and_the_best_found_by_search_have_files(study: StudyFolder) -> None:
    """A hand-made one is the best; then a search, whose model has no drawing; of an earlier drawing nothing stays."""
    rewrite_reports(study)
    searched = study.best_json.read_bytes()
    assert study.best_model_json.read_bytes() == searched
    for record in records():
        if record.strategy == "stacked":
            rewrite(study, replace(record, valid_auc=0.999))
    found = rewrite_reports(study).decision
    assert found.best is not None
    assert found.best.strategy == "stacked"
    assert study.best_json.read_bytes() == searched
    assert found_from_json(study.best_model_json.read_text()) == found.best.best.design
    assert "stacked, seed" in study.best_model_svg.read_text("utf-8")
    assert study.best_model_svg.with_suffix(".dot").read_text("utf-8").startswith('digraph "stacked, seed')
    for record in records():
        own = Architecture.build("tpe", {"width": 8})
        rewrite(study, replace(record, design=own, kind="reference" if record.strategy == "stacked" else "one-shot"))
    rewrite_reports(study)
    assert not study.best_svg.exists()
    assert not study.best_model_svg.exists()
    assert not study.best_model_svg.with_suffix(".dot").exists()


def rewrite(study: StudyFolder, record: CellRecord) -> None:
    shutil.rmtree(study.cell(record.strategy, record.seed))
    with new_folder(study.cell(record.strategy, record.seed)) as folder:
        write_cell(folder, record)


def test_another_reference(study: StudyFolder) -> None:
    assert rewrite_reports(study, reference="stacked").info.reference == "stacked"
    page = study.report.read_text("utf-8")
    assert "Reference: stacked (named when there were results)" in page
    assert "named for it" not in page
    before = study.report.read_bytes()
    with pytest.raises(UnknownNameError, match="did you mean 'stacked'"):
        rewrite_reports(study, reference="staked")
    assert study.report.read_bytes() == before


def test_a_reference_named_after_the_results_is_none_that_was_fixed(study: StudyFolder) -> None:
    best = next(record.strategy for record in records() if record.kind != "reference")
    found = rewrite_reports(study, reference=best)
    assert (found.info.reference, found.info.fixed_reference) == (best, None)
    assert "named for it" not in study.report.read_text("utf-8")
    write_text(study.comparison, replace(found.info, named_beforehand=True).to_json())
    assert rewrite_reports(study, reference=best).info.fixed_reference == best
    assert f"Reference: {best} (named for it)" in study.report.read_text("utf-8")


def test_whether_a_reference_is_named_before_there_are_results(study: StudyFolder) -> None:
    settings = ComparisonSettings("clicks.csv", DataOptions(), NAMES)
    assert is_named_beforehand(study, settings, comparison_info().reference)
    assert not is_named_beforehand(study, settings, "stacked")
    for record in records():
        (study.cell(record.strategy, record.seed) / "cell.json").unlink()
    assert is_named_beforehand(study, settings, "stacked")
    study.comparison.unlink()
    assert is_named_beforehand(study, settings, "stacked")


def test_an_unfinished_study(study: StudyFolder) -> None:
    for record in records()[1:]:
        (study.cell(record.strategy, record.seed) / "cell.json").unlink()
    found = rewrite_reports(study).records
    assert list(found) == records()[:1]
    (study.cell(found[0].strategy, found[0].seed) / "cell.json").unlink()
    with pytest.raises(StudyError, match=r"no cell of .* is finished"):
        rewrite_reports(study)


def test_folders_without_a_comparison(study: StudyFolder, tmp_path: Path) -> None:
    study.comparison.unlink()
    with pytest.raises(StudyError, match=r"comparison\.json"):
        rewrite_reports(study)
    with pytest.raises(StudyError, match="holds no study"):
        rewrite_reports(StudyFolder(tmp_path))
