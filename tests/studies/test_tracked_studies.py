"""A study that trackers are told of is the same study: the same numbers, and it goes on with others or none."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.report import CLOCK
from nas_fusion.settings import NO_PART_OF_A_STUDY, ComparisonSettings, DataOptions, ModelSettings, RecipeSettings
from nas_fusion.settings.study_toml import differences, read_settings
from nas_fusion.studies import StudyFolder, compare, load_preset
from nas_fusion.tracking import known_trackers
from nas_fusion.tracking.known_trackers import KnownTracker
from nas_fusion.tracking.tracked_cell import TrackedStudy, Tracker
from tests.tracking.test_telling import Notebook

SETTINGS = ComparisonSettings(
    source="synthetic:600",
    data=DataOptions(),
    strategies=("stacked", "random"),
    seeds=(0,),
    budget="1x",
    candidates=1,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(choice="defaults", retrain_epochs=1),
    device="cpu",
    track=("mlflow",),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:600", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """Stands where MLflow does."""
    notebook = Notebook()

    def open_it(study: TrackedStudy) -> Tracker:
        return notebook

    known = {**known_trackers.KNOWN, "mlflow": KnownTracker("json", "json", open_it)}
    monkeypatch.setattr(known_trackers, "KNOWN", known)
    return notebook


def without_times(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).drop(columns=list(CLOCK))


@pytest.mark.slow
def test_tracking_changes_no_number_and_no_study(dataset: EncodedDataset, tmp_path: Path, notebook: Notebook) -> None:
    untracked = replace(SETTINGS, track=())
    plain = compare(untracked, dataset, tmp_path / "plain")
    tracked = compare(SETTINGS, dataset, tmp_path / "tracked")
    assert notebook.told == ["stacked-0", "random-0"]
    pd.testing.assert_frame_equal(without_times(plain.folder.results), without_times(tracked.folder.results))
    for name in ("stacked-0", "random-0"):
        first, second = (pd.read_parquet(c.folder.path / f"cells/{name}/predictions.parquet") for c in (plain, tracked))
        pd.testing.assert_frame_equal(first, second)
    assert not plain.folder.tracked.exists()
    # What is finished is told later, too; and a study that was tracked goes on without.
    compare(SETTINGS, dataset, plain.folder.path)
    assert notebook.told == ["stacked-0", "random-0"] * 2
    compare(untracked, dataset, tracked.folder.path)
    assert notebook.told == ["stacked-0", "random-0"] * 2


@pytest.mark.slow
def test_a_tracker_that_fails_leaves_the_study_whole(
    dataset: EncodedDataset, tmp_path: Path, notebook: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.broken = True
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        result = compare(SETTINGS, dataset, tmp_path / "study")
    assert len(result.records) == 2
    assert [r.getMessage() for r in caplog.records if "tracker" in r.getMessage()] == [
        "tracker mlflow: ConnectionError: the server is away; the study goes on without it, and the same command tells "
        "it what it has missed"
    ]


def test_a_study_s_settings_say_who_is_told_but_do_not_differ_by_it(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "study")
    folder.join(SETTINGS, "abc")
    theirs, _ = read_settings(folder.settings)
    assert theirs["track"] == ["mlflow"]
    assert ComparisonSettings.from_dict(theirs) == SETTINGS
    other = replace(SETTINGS, track=("wandb", "tensorboard"))
    assert differences(other.to_dict(), theirs) == []
    folder.check(other, "abc")
    assert NO_PART_OF_A_STUDY == ("track",)


def test_a_preset_may_name_trackers(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('summary = "mine"\nsource = "me"\ntrack = ["mlflow", "wandb"]\n', "utf-8")
    assert load_preset(str(tmp_path / "own.toml")).settings["track"] == ["mlflow", "wandb"]


def test_a_tracker_is_named_once() -> None:
    assert replace(SETTINGS, track=["mlflow", "wandb", "mlflow"]).track == ("mlflow", "wandb")  # type: ignore[arg-type]
