"""A study that an earlier version has made opens, and goes on, in this one.

The folder holds what was written at version 0.1 before the package was put into rooms, without the binary files: there
are no weights, no database and no records of NNI's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nas_fusion.cli import main
from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.design_file import read_design
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.study_toml import read_settings
from nas_fusion.studies import StudyFolder, compare, dashboard

MADE_BEFORE = Path(__file__).parent.parent / "fixtures" / "study_made_before"
DECIDED = ("results.csv", "summary.csv")
"""Files that are made anew from the cells, and hold every figure that a report decides on."""


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return StudyFolder(shutil.copytree(MADE_BEFORE, tmp_path / "study"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache"))


def settings_of(study: StudyFolder) -> ComparisonSettings:
    return ComparisonSettings.from_dict(read_settings(study.settings)[0])


def contents(study: StudyFolder, *names: str) -> dict[str, str]:
    return {name: (study.path / name).read_text("utf-8") for name in names}


def test_its_report_is_written_again_with_the_same_numbers(
    study: StudyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(study, *DECIDED)
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(study.path)])
    assert not stopped.value.code, capsys.readouterr().err
    assert contents(study, *DECIDED) == before
    assert study.report.is_file()
    assert read_design(study.best_json) == read_design(study.cell("optfusion-hard", 0) / "design.json")


def test_it_goes_on_and_nothing_is_computed_again(
    study: StudyFolder, dataset: EncodedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(study, *DECIDED, "study.toml")
    monkeypatch.delattr("nas_fusion.studies.queue.cell_loop.run_cell")
    result = compare(settings_of(study), dataset, study.path)
    assert [(record.strategy, record.seed) for record in result.records] == [
        ("optfusion-hard", 0), ("stacked", 0), ("parallel", 0),
    ]  # fmt: skip
    assert result.failures == ()
    assert contents(study, *DECIDED, "study.toml") == before
    with dashboard(study) as address:
        assert address.startswith("http://127.0.0.1:")
