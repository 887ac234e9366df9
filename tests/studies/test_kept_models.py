"""The best model of a study, and models of cells that were computed before cells kept any."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

import nas_fusion
from nas_fusion.data import DataOptions, EncodedDataset, prepare, synthetic_log
from nas_fusion.errors import StudyError
from nas_fusion.records import CellRecord
from nas_fusion.serving import check_model, copy_model
from nas_fusion.studies import (
    Comparison,
    ComparisonSettings,
    ModelSettings,
    RecipeSettings,
    StudyFolder,
    compare,
    open_cell,
    rewrite_reports,
    save_older_model,
)
from nas_fusion.system.files import save_tensors

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:1500",
    data=DataOptions(),
    strategies=("optfusion-hard", "optfusion-soft", "stacked", "logistic-regression"),
    seeds=(0,),
    budget="1x",
    candidates=2,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
    importance=False,
    anytime_test=False,
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare(SETTINGS.source, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def finished(dataset: EncodedDataset, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(SETTINGS, dataset, tmp_path_factory.mktemp("studies") / "study")


def test_the_best_model_by_validation_is_a_folder_of_its_own(finished: Comparison, tmp_path: Path) -> None:
    best = max(finished.records, key=lambda record: record.valid_auc)
    folder = finished.folder
    assert finished.best_model().manifest.strategy == best.strategy
    shutil.move(shutil.copytree(folder.best, tmp_path / "a"), tmp_path / "b")
    for place in (folder.best, folder.path, tmp_path / "b"):
        model = nas_fusion.load(place)
        assert (model.manifest.strategy, model.manifest.seed) == (best.strategy, best.seed)
        assert model.manifest.metrics["valid"]["auc"] == best.valid_auc
        assert model.manifest.metrics["test"]["auc"] == best.test_auc


def test_every_cell_has_its_model(finished: Comparison) -> None:
    for record in finished.records:
        assert finished.model(record.strategy, record.seed).manifest.design == record.design
    with pytest.raises(StudyError, match="stacked-7 has no model"):
        finished.model("stacked", 7)


def test_vocabularies_are_stored_once(finished: Comparison) -> None:
    """Of each file there is one on the disk, under a name in every model."""
    kept = finished.folder.encoding / "vocabularies"
    models = [finished.folder.cell(r.strategy, r.seed) / "model" for r in finished.records] + [finished.folder.best]
    for file in kept.iterdir():
        assert all(os.path.samefile(file, model / "vocabularies" / file.name) for model in models)


def test_a_report_that_is_written_again_leaves_the_best_model_alone(finished: Comparison) -> None:
    before = {path: path.stat().st_ino for path in finished.folder.best.rglob("*")}
    rewrite_reports(finished.folder)
    assert {path: path.stat().st_ino for path in finished.folder.best.rglob("*")} == before
    (finished.folder.best / "README.md").unlink()
    rewrite_reports(finished.folder)
    check_model(finished.folder.best)


def test_a_best_model_that_lies_elsewhere_is_said(finished: Comparison, tmp_path: Path) -> None:
    study = StudyFolder(shutil.copytree(finished.folder.path, tmp_path / "study"))
    for model in study.path.glob("cells/*/model"):
        shutil.rmtree(model)
    report = rewrite_reports(study)
    assert not study.best.exists()
    with pytest.raises(StudyError, match="has no model: it stayed on the machine that computed the cell"):
        Comparison(report, study).best_model()


def test_a_copy_may_hold_more(finished: Comparison, tmp_path: Path) -> None:
    copy_model(finished.folder.best, tmp_path / "copy", {"report.html": "<p>chosen</p>"})
    check_model(tmp_path / "copy")
    (tmp_path / "copy" / "report.html").write_text("<p>changed</p>")
    with pytest.raises(StudyError, match=r"report.html: damaged"):
        check_model(tmp_path / "copy")


@pytest.mark.parametrize("strategy", SETTINGS.strategies)
def test_bare_weights_of_an_earlier_version_become_a_model(
    strategy: str, finished: Comparison, dataset: EncodedDataset, tmp_path: Path
) -> None:
    study = StudyFolder(shutil.copytree(finished.folder.path, tmp_path / "study"))
    cell = study.cell(strategy, 0)
    state = load_file(cell / "model" / "weights.safetensors")
    state.pop("is_binned", None)  # which they did not say
    save_tensors(cell / "model.pt", state)
    shutil.rmtree(cell / "model")
    with pytest.raises(StudyError, match=r"save_older_model makes a model of them"):
        open_cell(cell)
    save_older_model(study, strategy, 0, dataset)
    model, record = open_cell(cell), CellRecord.from_json((cell / "cell.json").read_text("utf-8"))
    predicted = pd.read_parquet(cell / "predictions.parquet")
    log = pd.DataFrame(synthetic_log(1500)[0]).iloc[predicted["row"]]
    assert model.scores(log).tolist() == predicted["probability"].tolist()
    assert model.manifest.metrics["test"]["auc"] == record.test_auc
    assert json.loads((cell / "model" / "model.json").read_text("utf-8"))["notes"] == {"made_from": "model.pt"}


def test_older_weights_need_their_own_log(finished: Comparison, tmp_path: Path) -> None:
    other = prepare("synthetic:1500:7", cache=tmp_path)
    with pytest.raises(StudyError, match="is of another log"):
        save_older_model(finished.folder, "stacked", 0, other)
