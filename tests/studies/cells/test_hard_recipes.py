"""Recipes that are hard on a comparison: a last batch of one row under batch norm, and steps that end in NaN."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, compare

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:800",
    data=DataOptions(),
    strategies=("stacked", "optfusion-hard"),
    seeds=(0,),
    budget="1x",
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
    importance=False,
    anytime_test=False,
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache"))


def test_a_last_batch_of_one_row_is_trained_under_batch_norm(dataset: EncodedDataset, tmp_path: Path) -> None:
    rows = len(dataset.train)
    recipe = replace(SETTINGS.recipe, batch_size=rows - 1)
    found = compare(replace(SETTINGS, recipe=recipe, model=replace(SETTINGS.model, batch_norm=True)), dataset, tmp_path)
    assert found.failures == ()
    assert {record.strategy: record.retrain_samples for record in found.records} == {
        "stacked": rows, "optfusion-hard": rows,
    }  # fmt: skip


def test_a_cell_that_ends_in_nan_is_named_and_the_others_finish(dataset: EncodedDataset, tmp_path: Path) -> None:
    # The reference's own rate is a sane one.
    recipe = replace(SETTINGS.recipe, learning_rate=1000.0, retrain_learning_rate=0.01)
    found = compare(replace(SETTINGS, recipe=recipe, budget="6x"), dataset, tmp_path)
    assert [record.strategy for record in found.records] == ["stacked"]
    (failed,) = found.failures
    assert (failed.strategy, failed.seed) == ("optfusion-hard", 0)
    assert "try a lower learning rate" in failed.reason
    page = found.folder.report_markdown.read_text("utf-8")
    assert "optfusion-hard, seed 0, failed: " in page.replace("\\", "")
