"""Parameters of strategies that a comparison sets: who has them, what tuning starts from, who shares a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import OptionError
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings, Hyperparameters, ModelSettings, RecipeSettings, compare

HARD, SOFT = "optfusion-hard", "optfusion-soft"
SETTINGS = ComparisonSettings(
    source="synthetic:1000",
    data=DataOptions(),
    strategies=(HARD, SOFT),
    seeds=(0,),
    budget="1x",
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_learning_rate=0.004, retrain_epochs=1),
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:1000", cache=tmp_path_factory.mktemp("cache"))


def having(**parameters: Any) -> ComparisonSettings:
    return replace(SETTINGS, parameters={name.replace("_", "-"): values for name, values in parameters.items()})


def test_soft_has_what_hard_has_unless_it_has_its_own() -> None:
    settings = having(optfusion_hard={"gate_start": 0.2}, optfusion_soft={"arch_learning_rate": 0.3})
    hard, soft = (Hyperparameters(settings, STRATEGIES.get(name)) for name in (HARD, SOFT))
    assert hard.own() == {"gate_start": 0.2}
    assert soft.own() == {"gate_start": 0.2, "arch_learning_rate": 0.3}
    assert not soft.shares_search
    assert Hyperparameters(having(optfusion_hard={"gate_start": 0.2}), STRATEGIES.get(SOFT)).shares_search
    assert not hard.shares_search


def test_tuning_starts_from_the_comparisons_parameters() -> None:
    found = Hyperparameters(having(optfusion_hard={"gate_start": 0.2}), STRATEGIES.get(HARD))
    assert found.defaults()["gate_start"] == 0.2
    assert found.apply({})[1] == {"gate_start": 0.2}
    tuned, parameters = found.apply({"gate_start": 0.7, "learning_rate": 0.02})
    assert parameters == {"gate_start": 0.7}
    assert tuned.recipe.retrain_learning_rate == pytest.approx(0.008)


def test_wrong_parameters_are_refused(dataset: EncodedDataset, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="parameter of optfusion-hard must be one of"):
        Hyperparameters(having(optfusion_hard={"gate": 1}), STRATEGIES.get(HARD))
    with pytest.raises(OptionError, match="parameters must be those of optfusion-hard, optfusion-soft, got 'darts'"):
        compare(having(darts={"arch_learning_rate": 1}), dataset, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_re_training_has_a_rate_of_its_own() -> None:
    config = SETTINGS.train_config(100)
    assert config.learning_rate == 0.01
    assert SETTINGS.retrain_config(config).learning_rate == 0.004
    assert SETTINGS.soft_config(config).learning_rate == pytest.approx(0.001)
    plain = replace(SETTINGS, recipe=RecipeSettings(learning_rate=0.01))
    assert plain.retrain_config(config) == config


def test_cells_use_them_and_share_a_search_only_if_they_agree(dataset: EncodedDataset, tmp_path: Path) -> None:
    together = compare(having(optfusion_hard={"gate_start": 0.2}), dataset, tmp_path / "together")
    hard, soft = together.records
    assert hard.details["parameters"]["gate_start"] == soft.details["parameters"]["gate_start"] == 0.2
    assert soft.shares_search_with == HARD
    assert hard.trace == soft.trace
    apart = compare(having(optfusion_soft={"gate_start": 0.2}), dataset, tmp_path / "apart")
    hard, soft = apart.records
    assert hard.details["parameters"]["gate_start"] == 0.5
    assert soft.details["parameters"]["gate_start"] == 0.2
    assert soft.shares_search_with is None
    assert soft.trace != hard.trace
