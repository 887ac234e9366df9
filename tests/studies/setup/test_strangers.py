"""A study folder from a stranger: nothing is written outside of it, and nothing in it is run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.storages import InMemoryStorage

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import StudyError
from nas_fusion.records import CellRecord
from nas_fusion.settings.study_toml import write_settings
from nas_fusion.studies import (
    ComparisonSettings,
    ModelSettings,
    RecipeSettings,
    StudyFolder,
    compare,
    dashboard,
    find_announced,
    rewrite_reports,
    rewrite_suite,
    work_on,
)
from nas_fusion.studies.cells.artifacts import copy_artifacts
from nas_fusion.studies.setup.announcements import COMPARISON, Announced
from nas_fusion.system.files import read_text, write_text

SETTINGS = ComparisonSettings(
    source="synthetic:600",
    data=DataOptions(),
    strategies=("stacked",),
    seeds=(0,),
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(retrain_epochs=1),
    importance=False,
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare(SETTINGS.source, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def made(dataset: EncodedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "study"
    compare(SETTINGS, dataset, place)
    return place


@pytest.fixture
def study(made: Path, tmp_path: Path) -> StudyFolder:
    return StudyFolder(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file, which nobody may touch."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "mine").write_text("mine")
    yield place
    assert [p.name for p in place.iterdir()] == ["mine"]
    assert (place / "mine").read_text() == "mine"


def everything(dataset: EncodedDataset, study: StudyFolder) -> Iterator[Callable[[], Any]]:
    """Whatever writes to a study folder."""
    yield lambda: compare(SETTINGS, dataset, study.path)
    yield lambda: rewrite_reports(study)
    yield lambda: dashboard(study).__enter__()
    announced = Announced("study", SETTINGS, dataset.fingerprint, COMPARISON)
    yield lambda: work_on(announced, InMemoryStorage(), dataset, study.path)


@pytest.mark.parametrize(
    "name",
    [
        "study.toml", "optuna.db", "optuna.db-journal", "optuna.db.lock", "comparison.json", "results.csv",
        "summary.csv", "fronts.csv", "report.html", "report.md", "best_model.json", "best_model.svg", "best_model.dot",
        ".lock", "worker-1.log", "latency.json", "tuned.json", "cells/stacked-0/cell.json",
        "cells/stacked-0/.cell.json.1.tmp",
    ],
)  # fmt: skip
def test_files_are_not_written_through_links(
    name: str, dataset: EncodedDataset, study: StudyFolder, outside: Path
) -> None:
    link = study.path / name
    link.unlink(missing_ok=True)
    link.symlink_to(outside / "mine")
    for act in everything(dataset, study):
        with pytest.raises(StudyError, match=rf"{name}( is a symbolic link|: )") as caught:
            act()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["cells", "cells/stacked-0", "searches", "failures", "artifacts", "nni", "nni/1", "nni-service", ".incumbents-x"],
)
def test_folders_are_not_filled_through_links(
    name: str, dataset: EncodedDataset, study: StudyFolder, outside: Path
) -> None:
    link = study.path / name
    shutil.rmtree(link, ignore_errors=True)
    link.symlink_to(outside)
    for act in everything(dataset, study):
        with pytest.raises(StudyError, match=rf"{name} is a symbolic link"):
            act()


def test_links_of_a_user_are_left_alone(dataset: EncodedDataset, study: StudyFolder, outside: Path) -> None:
    """A link to the log beside the results, and a study that is reached through a link itself."""
    (study.path / "log.csv").symlink_to(outside / "mine")
    through = study.path.parent / "through"
    through.symlink_to(study.path)
    assert len(rewrite_reports(StudyFolder(through)).records) == 1
    assert (study.path / "log.csv").is_symlink()


def test_a_suite_is_not_written_through_links(tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    write_text(folder / "suite.json", '{"format": 1, "parts": ["a"]}')
    (folder / "report.html").symlink_to(outside / "mine")
    with pytest.raises(StudyError, match=r"report\.html is a symbolic link"):
        rewrite_suite(folder)


@pytest.mark.parametrize("name", ["../../outside", "a/../../b", "a/b", "a\\b"])
def test_names_of_strategies_lead_nowhere_else(name: str, study: StudyFolder, outside: Path) -> None:
    write_settings(replace(SETTINGS, strategies=(name,)), study.settings, "0" * 64)
    with pytest.raises(StudyError, match="is no name of a folder"):
        rewrite_reports(study)


def test_names_in_a_storage_lead_nowhere_else() -> None:
    storage = InMemoryStorage()
    optuna.create_study(study_name="../../x", storage=storage)
    with pytest.raises(StudyError, match=r"study '\.\./\.\./x': '\.\.' is no name of a folder"):
        find_announced(storage, "../../x")


def test_artifacts_of_other_names_are_not_copied(study: StudyFolder, tmp_path: Path, outside: Path) -> None:
    """The storage says what is copied from where to where, and a stranger may have written it."""
    storage = InMemoryStorage()
    trial = optuna.create_study(storage=storage).ask()
    cell = study.cell("stacked", 0)
    source = tmp_path / "secret"
    source.write_text("secret")
    upload_artifact(artifact_store=FileSystemArtifactStore(outside.parent), file_path=str(source), study_or_trial=trial)
    upload_artifact(
        artifact_store=FileSystemArtifactStore(outside.parent),
        file_path=str(cell / "design.json"),
        study_or_trial=trial,
    )
    before = sorted(study.artifacts.iterdir())
    frozen = storage.get_trial(trial._trial_id)
    for key, value in list(frozen.system_attrs.items()):
        storage.set_trial_system_attr(trial._trial_id, key, value.replace('"artifact_id": "', '"artifact_id": "../../'))
    copy_artifacts(storage.get_trial(trial._trial_id), storage, cell, study.artifacts)
    assert sorted(study.artifacts.iterdir()) == before


def test_what_killed_processes_left_goes_at_the_next_start(dataset: EncodedDataset, study: StudyFolder) -> None:
    left = [study.path / place / ".report.html.17.tmp" for place in (".", "cells", "cells/stacked-0", "artifacts")]
    for file in left:
        file.write_text("half")
    compare(SETTINGS, dataset, study.path)
    assert not [file for file in left if file.exists()]


class Harmful:
    """Unpickling it would make a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return os.mkdir, (self.place,)


def test_nothing_of_it_is_unpickled(dataset: EncodedDataset, study: StudyFolder, tmp_path: Path) -> None:
    """Weights with a pickle in them, in a cell and in a search that is kept for others."""
    harm = tmp_path / "harm"
    weights = study.cell("stacked", 0) / "model.pt"
    torch.save({"weight": Harmful(harm)}, weights)
    shutil.copy(weights, study.cell("stacked", 0) / "model" / "weights.safetensors")
    search = study.search("optfusion-hard", 0)
    search.mkdir(parents=True)
    shutil.copy(weights, search / "supernet.pt")
    (search / "outcome.json").write_text("{}")
    settings = replace(SETTINGS, strategies=("stacked", "optfusion-hard", "optfusion-soft"), budget="1x")
    write_settings(settings, study.settings, dataset.fingerprint)
    study.database.unlink()
    records = compare(settings, dataset, study.path).records
    assert [r.strategy for r in records] == list(settings.strategies)
    assert not harm.exists()


def test_a_record_is_data(study: StudyFolder) -> None:
    path = study.cell("stacked", 0) / "cell.json"
    record = CellRecord.from_json(read_text(path))
    evil = replace(record, details={"__nni_type__": "os.system", "__nni_obj__": "gASVAAAA"})
    write_text(path, evil.to_json())
    assert rewrite_reports(study).records[0].details == evil.details
