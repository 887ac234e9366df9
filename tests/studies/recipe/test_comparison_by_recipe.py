"""A comparison that chooses its recipe first: the same for all cells, after a kill, with workers, and elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.design_file import read_design
from nas_fusion.errors import StudyError
from nas_fusion.records import ChosenRecipe, TriedRecipe
from nas_fusion.report.pages.html_page import report_html
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings, RecipeSettings
from nas_fusion.statistics import paired_error
from nas_fusion.studies import Comparison, StudyFolder, compare, load_preset, open_storage, rewrite_reports, work_on
from nas_fusion.studies.recipe.recipe_file import read_recipe
from nas_fusion.studies.recipe.recipe_sweep import recipe_name
from nas_fusion.studies.setup.announcements import find_announced

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:800",
    data=DataOptions(),
    strategies=("parallel",),
    seeds=(0,),
    budget="1x",
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(
        choice="auto", sweep_passes=7, retrain_epochs=2, batch_size=64, learning_rate=0.02, kept=("model.dropout",)
    ),
    device="cpu",
    importance=False,
)
"""L2 and batch norm are swept: seven passes are three trainings of two epochs, and one of one."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def undisturbed(dataset: EncodedDataset, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(SETTINGS, dataset, tmp_path_factory.mktemp("studies") / "study")


@pytest.fixture
def study(undisturbed: Comparison, tmp_path: Path) -> StudyFolder:
    return StudyFolder(shutil.copytree(undisturbed.folder.path, tmp_path / "study"))


def without_seconds(recipe: ChosenRecipe | None) -> ChosenRecipe:
    assert recipe is not None
    return replace(recipe, tried=tuple(replace(one, seconds=0.0) for one in recipe.tried))


def test_every_cell_is_trained_by_what_the_sweep_has_chosen(undisturbed: Comparison, dataset: EncodedDataset) -> None:
    recipe = undisturbed.info.recipe
    assert recipe == read_recipe(undisturbed.folder)
    assert recipe is not None
    assert [one.epochs for one in recipe.tried] == [2, 2, 2, 1]
    assert recipe.samples == 7 * len(dataset.train)
    assert {frozenset(one.values) for one in recipe.tried} == {frozenset({"embedding_l2", "batch_norm"})}
    best = max(recipe.tried[:3], key=lambda one: one.valid_auc or 0)
    assert recipe.values == best.values
    context = read_design(undisturbed.folder.cell("parallel", 0) / "design.json")[1]
    assert context is not None
    assert context.recipe["embedding_l2"] == recipe.values["embedding_l2"]
    assert context.model["batch_norm"] == recipe.values["batch_norm"]
    # It is the training that the sweep has made, once more.
    assert undisturbed.records[0].valid_auc == best.valid_auc


def test_the_report_has_an_account_of_it(undisturbed: Comparison) -> None:
    page, text = report_html(undisturbed.report), undisturbed.folder.report_markdown.read_text("utf-8")
    for words in (page, text):
        assert "How the recipe was chosen" in words
        assert "7.0 passes over the training rows (at most 7.0)" in words
    table = undisturbed.report.recipe_table
    assert table is not None
    assert table.heads[:3] == ("tried", "embedding_l2", "batch_norm")
    assert sum(row[0].endswith("*") for row in table.rows) == 1
    cell = undisturbed.records[0]
    assert cell.tuning_samples == cell.search_samples == 0  # it is in no strategy's account


def test_the_dashboard_shows_it(undisturbed: Comparison) -> None:
    storage = open_storage(undisturbed.folder.storage_url)
    names = [study.study_name for study in storage.get_all_studies()]
    assert recipe_name(undisturbed.folder.name) in names


def test_it_goes_on_and_nothing_is_trained_again(
    study: StudyFolder, dataset: EncodedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = study.recipe.read_text("utf-8")
    monkeypatch.delattr("nas_fusion.studies.recipe.sweeping.retrain")
    monkeypatch.delattr("nas_fusion.studies.queue.cell_loop.run_cell")
    assert compare(SETTINGS, dataset, study.path).records
    study.database.unlink()  # the file knows it, too
    assert compare(SETTINGS, dataset, study.path).info.recipe == read_recipe(study)
    assert study.recipe.read_text("utf-8") == before


def test_a_damaged_file_is_written_anew(study: StudyFolder, dataset: EncodedDataset) -> None:
    before = study.recipe.read_text("utf-8")
    study.recipe.write_text(before.replace("0.05", "0.06"), "utf-8")
    compare(SETTINGS, dataset, study.path)
    assert study.recipe.read_text("utf-8") == before


def test_a_killed_sweep_goes_on_and_chooses_the_same(
    undisturbed: Comparison, dataset: EncodedDataset, tmp_path: Path
) -> None:
    def kill(tried: TriedRecipe, number: int, spent: float, allowed: float) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(SETTINGS, dataset, tmp_path / "study", sweep_listener=kill)
    with pytest.raises(StudyError, match="not chosen yet"):
        load_preset(str(tmp_path / "study"))
    told: list[int] = []
    result = compare(
        SETTINGS, dataset, tmp_path / "study", sweep_listener=lambda tried, number, spent, allowed: told.append(number)
    )
    assert told == [3, 4]
    assert without_seconds(result.info.recipe) == without_seconds(undisturbed.info.recipe)
    assert result.records[0].test_auc == undisturbed.records[0].test_auc


def test_a_worker_takes_over(undisturbed: Comparison, dataset: EncodedDataset, tmp_path: Path) -> None:
    def kill(tried: TriedRecipe, number: int, spent: float, allowed: float) -> None:
        raise KeyboardInterrupt

    url = f"sqlite:///{tmp_path}/shared.db"
    with pytest.raises(KeyboardInterrupt):
        compare(SETTINGS, dataset, tmp_path / "study", storage=url, sweep_listener=kill)
    storage = open_storage(url)
    assert work_on(find_announced(storage, "study"), storage, dataset, tmp_path / "worker") == ()
    result = compare(SETTINGS, dataset, tmp_path / "study", storage=url)
    assert without_seconds(result.info.recipe) == without_seconds(undisturbed.info.recipe)
    assert result.records[0].test_auc == undisturbed.records[0].test_auc


def test_its_folder_is_a_preset_with_the_chosen_values(undisturbed: Comparison) -> None:
    recipe = undisturbed.info.recipe
    assert recipe is not None
    settings = load_preset(str(undisturbed.folder.path)).settings
    assert settings["recipe.choice"] == "defaults"
    assert settings["recipe.embedding_l2"] == recipe.values["embedding_l2"]
    assert settings["model.batch_norm"] == recipe.values["batch_norm"]


def test_reports_are_written_again_from_the_files_alone(study: StudyFolder) -> None:
    known = read_recipe(study)
    assert rewrite_reports(study).info.recipe == known
    study.comparison.unlink()
    info = rewrite_reports(study).info
    assert info.recipe == known
    assert known is not None
    assert info.settings["recipe"]["embedding_l2"] == known.values["embedding_l2"]


def test_a_comparison_that_is_too_small_takes_the_usual_recipe(dataset: EncodedDataset, tmp_path: Path) -> None:
    small = replace(SETTINGS, recipe=replace(SETTINGS.recipe, sweep_passes=0.0))
    result = compare(small, dataset, tmp_path / "study")
    assert result.info.recipe is not None
    assert not result.info.recipe.tried
    assert "too few to choose a recipe" in result.report.recipe_note[0]
    assert "embedding_l2 0.2" in result.report.recipe_note[0]
    assert result.info.settings["recipe"]["embedding_l2"] == 0.2


def test_a_sweep_follows_the_selection(dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = replace(SETTINGS, recipe=replace(SETTINGS.recipe, select="logloss"))
    done = compare(settings, dataset, tmp_path / "study")
    recipe = done.info.recipe
    assert recipe is not None
    assert recipe == read_recipe(done.folder)
    scores = [one.score for one in recipe.tried]
    assert all(score is not None and -1 < score < -0.1 for score in scores)
    assert recipe.tried[0].score_error is not None
    assert 0.005 < recipe.tried[0].score_error < 0.1  # of some 80 validation rows
    assert recipe.margin == pytest.approx(paired_error(recipe.tried[0].score_error))
    table = done.report.recipe_table
    assert table is not None
    assert "by validation logloss of parallel" in done.folder.report_markdown.read_text("utf-8")
    assert table.rows[0][table.heads.index("validation logloss")] == f"{-(recipe.tried[0].score or 0):.4f}".lstrip("0")
