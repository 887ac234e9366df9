"""The hand-made models in a comparison: their entries, what is tuned, trained like everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nas_fusion.architecture import Architecture
from nas_fusion.baselines.model_entries import point_of_the_space
from nas_fusion.baselines.models import FNN, MODELS
from nas_fusion.data import DataOptions, EncodedDataset, SearchData, prepare
from nas_fusion.errors import OptionError
from nas_fusion.records import CellRecord
from nas_fusion.search import new_model, run_search
from nas_fusion.strategy import STRATEGIES, select_strategies
from nas_fusion.studies import ComparisonSettings, Hyperparameters, ModelSettings, RecipeSettings, compare
from nas_fusion.testing import tiny_data, tiny_task


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))


def settings(**options: Any) -> ComparisonSettings:
    return ComparisonSettings(
        source="synthetic:2000",
        data=DataOptions(),
        strategies=("fnn", "finalmlp"),
        seeds=(0,),
        model=ModelSettings(levels=1, emb_dim=2),
        recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
        device="cpu",
        **options,
    )


def test_all_and_models_include_every_one() -> None:
    for group in ("all", "models"):
        assert {e.name for e in select_strategies(group)} >= set(MODELS)
    assert not {e.name for e in select_strategies("searches")} & set(MODELS)
    assert [e.name for e in select_strategies("fnn")] == ["fnn", "stacked", "parallel"]


@pytest.mark.parametrize("name", MODELS)
def test_the_entry_makes_the_model_of_the_table(name: str, data: SearchData) -> None:
    task = tiny_task(data)
    entry = STRATEGIES.get(name)
    found = run_search(entry, task).design
    assert isinstance(found, Architecture)
    torch.manual_seed(5)
    ours = new_model(entry, found, task.make_space())
    torch.manual_seed(5)
    task.make_space()
    expected = MODELS[name].for_schema(data.schema, task.make_space().fields.emb_dim)
    assert type(ours) is type(expected)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in expected.state_dict().items()}


def test_parameters_reach_the_model(data: SearchData) -> None:
    entry, task = STRATEGIES.get("fnn"), tiny_task(data)
    found = run_search(entry, task, {"hidden_layers": 2, "hidden_width": 7, "batch_norm": False, "dropout": 0.0}).design
    model = new_model(entry, found, task.make_space())
    assert isinstance(model, FNN)
    assert [(m.in_features, m.out_features) for m in model.deep.tower if isinstance(m, torch.nn.Linear)] == [
        (20, 7),
        (7, 7),
    ]
    with pytest.raises(OptionError, match=r"fnn\.dropout must be a number from 0 to 0\.99"):
        new_model(entry, run_search(entry, task, {"dropout": 1.5}).design, task.make_space())


@pytest.mark.parametrize(
    ("name", "changed", "levels", "live"),
    [
        ("fnn", {"hidden_layers": 2}, 2, ["embedding", "deep1", "deep2", "output"]),
        (
            "dcnv2-stacked",
            {"hidden_layers": 2, "cross_layers": 2},
            3,
            ["embedding", "cross0", "cross1", "deep2", "deep3", "output"],
        ),
        ("dcnv2-stacked", {}, 6, None),
        ("dcnv2-stacked", {"rank": 2}, None, None),  # of the space with low-rank crosses, if at all
        ("dcnv2-stacked", {"hidden_layers": 4, "cross_layers": 1}, None, None),
        ("dcnv2-parallel", {}, None, None),
        ("edcn", {}, None, None),
    ],
)
def test_models_that_are_points_of_a_space(
    name: str, changed: dict[str, Any], levels: int | None, live: list[str] | None
) -> None:
    design = point_of_the_space(MODELS[name], {**MODELS[name].parameters, **changed})
    assert (design.levels if design else None) == levels
    if live is not None:
        assert design is not None
        assert list(design.live_blocks()) == live


@pytest.mark.parametrize(("width", "ending"), [(20, "at 3 levels"), (400, "at 3 levels, but for the width")])
def test_the_text_says_where_a_model_stands_in_the_space(width: int, ending: str, data: SearchData) -> None:
    task = tiny_task(data)
    text = run_search(STRATEGIES.get("fnn"), task, {"hidden_width": width}).design
    assert str(text).endswith(f"; a design of every fusion space {ending}")
    assert "; a design of the space dcnv2 at 6 levels" in str(run_search(STRATEGIES.get("dcnv2-stacked"), task).design)
    assert "; a design of" not in str(run_search(STRATEGIES.get("deepfm"), task).design)


@pytest.mark.parametrize("name", MODELS)
def test_tuning_takes_the_models_own_dropout(name: str) -> None:
    found = Hyperparameters(settings(), STRATEGIES.get(name))
    assert found.defaults()["dropout"] == MODELS[name].parameters["dropout"]
    assert set(found.defaults()) == set(found.distributions())
    tuned, parameters = found.apply({"dropout": 0.45, "emb_dim": 4, "learning_rate": 0.02})
    assert (tuned.model.dropout, tuned.model.emb_dim, tuned.recipe.learning_rate) == (0.0, 4, 0.02)
    assert parameters == {"dropout": 0.45}


@pytest.mark.slow
def test_a_comparison_of_models_goes_on_with_equal_records(dataset: EncodedDataset, tmp_path: Path) -> None:
    first = compare(settings(), dataset, tmp_path / "study")
    assert [r.strategy for r in first.records] == ["fnn", "finalmlp"]
    for record in first.records:
        assert record.kind == "reference"
        assert record.search_samples == 0
        assert record.parameters > 10_000
        assert CellRecord.from_json(record.to_json()) == record
    assert compare(settings(), dataset, tmp_path / "study").records == first.records
