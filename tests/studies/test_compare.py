"""A whole comparison, small: its files, its resumption, its fairness."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import optuna
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.records import CellRecord
from nas_fusion.report import CLOCK
from nas_fusion.studies import (
    Comparison,
    ComparisonSettings,
    ModelSettings,
    RecipeSettings,
    StudyFolder,
    compare,
    make_space,
)
from nas_fusion.training import evaluate

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:3000",
    data=DataOptions(),
    strategies=("random", "optfusion-hard", "optfusion-soft", "stacked", "parallel"),
    seeds=(0, 1),
    budget="1x",
    candidates=2,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=2),
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def finished(dataset: EncodedDataset, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(SETTINGS, dataset, tmp_path_factory.mktemp("studies") / "study", command="nasfusion compare")


def without_times(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    return frame.drop(columns=list(CLOCK))


def test_every_cell_has_its_record_design_and_weights(finished: Comparison) -> None:
    assert [(r.strategy, r.seed) for r in finished.records] == [(s, n) for s in SETTINGS.strategies for n in (0, 1)]
    for record in finished.records:
        folder = finished.folder.cell(record.strategy, record.seed)
        assert CellRecord.from_json((folder / "cell.json").read_text()) == record
        assert FusionDesign.from_json((folder / "design.json").read_text()) == record.design
        assert (folder / "design.svg").read_text().startswith("<svg")


def test_the_study_folder_is_complete(finished: Comparison) -> None:
    folder = finished.folder
    for path in (
        folder.settings,
        folder.results,
        folder.report,
        folder.best_json,
        folder.best_model_json,
        folder.best_svg,
    ):
        assert path.stat().st_size > 0
    leftovers = list(folder.path.rglob("*.tmp*"))
    assert leftovers == []


def test_results_hold_a_row_per_cell(finished: Comparison) -> None:
    frame = pd.read_csv(finished.folder.results)
    assert len(frame) == len(SETTINGS.strategies) * 2
    assert frame["test_auc"].between(0.4, 1.0).all()


def test_optuna_knows_every_cell(finished: Comparison) -> None:
    study = optuna.load_study(study_name="study", storage=finished.folder.storage_url)
    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    by_cell = {(t.params["strategy"], t.params["seed"]): t.value for t in complete}
    assert by_cell == {(r.strategy, r.seed): r.valid_auc for r in finished.records}


def test_hard_and_soft_share_one_search(finished: Comparison) -> None:
    cells = {(r.strategy, r.seed): r for r in finished.records}
    hard, soft = cells["optfusion-hard", 1], cells["optfusion-soft", 1]
    assert hard.design == soft.design
    assert (hard.trace, hard.search_seconds) == (soft.trace, soft.search_seconds)
    assert soft.parameters > hard.parameters


def test_searches_keep_to_one_budget(finished: Comparison, dataset: EncodedDataset) -> None:
    budget, batch = len(dataset.train), SETTINGS.batch_size(len(dataset.train))
    for record in finished.records:
        assert record.search_samples <= budget + batch
        assert (record.search_samples == 0) == (record.kind == "reference")


def test_test_auc_is_that_of_the_kept_weights(finished: Comparison, dataset: EncodedDataset) -> None:
    record = next(r for r in finished.records if r.strategy == "random")
    assert isinstance(record.design, FusionDesign)
    model = make_space(SETTINGS, dataset).derive(record.design, weights=False)
    model.load_state_dict(load_file(finished.folder.cell("random", record.seed) / "model" / "weights.safetensors"))
    metrics = evaluate(model, dataset.test, SETTINGS.train_config(len(dataset.train)))
    assert metrics.auc == pytest.approx(record.test_auc, abs=1e-9)


def test_the_same_comparison_again_gives_the_same_numbers(
    finished: Comparison, dataset: EncodedDataset, tmp_path: Path
) -> None:
    torch.manual_seed(12345)  # whatever the process did before must not matter
    again = compare(SETTINGS, dataset, tmp_path / "again")
    pd.testing.assert_frame_equal(without_times(again.folder.results), without_times(finished.folder.results))


def test_a_finished_comparison_runs_nothing_again(finished: Comparison, dataset: EncodedDataset) -> None:
    cells = sorted(finished.folder.path.glob("cells/*/cell.json"))
    before = [(p, p.stat().st_mtime_ns) for p in cells]
    again = compare(SETTINGS, dataset, finished.folder.path)
    assert again.records == finished.records
    assert [(p, p.stat().st_mtime_ns) for p in cells] == before


def test_a_lost_cell_is_run_again(finished: Comparison, dataset: EncodedDataset, tmp_path: Path) -> None:
    study = StudyFolder(shutil.copytree(finished.folder.path, tmp_path / "study"))
    lost = study.cell("stacked", 0) / "cell.json"
    expected = json.loads(lost.read_text())
    lost.unlink()
    compare(SETTINGS, dataset, tmp_path / "study")
    found = json.loads(lost.read_text())
    assert found["test_auc"] == expected["test_auc"]
    assert found["design"] == expected["design"]
