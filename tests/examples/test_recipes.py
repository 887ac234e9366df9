"""The contributors' recipes: each does what it says, once what it adds is registered."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from nas_fusion.cli import Command
from nas_fusion.cli.application import help_words, run_command
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.registry import Registry
from nas_fusion.report import FURTHER_FIGURES, comparison_figures, results_frame, write_report
from nas_fusion.search import retrain, run_search
from nas_fusion.search_spaces import SPACES
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import METRICS, evaluate
from tests.report.report_fakes import comparison_info, comparison_model, comparison_records

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "contributing" / "recipes.md"
BLOCKS = re.findall(r"^## (.+?)\n.*?^```python\n(.*?)^```$", RECIPES.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def _own_registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a recipe registers is gone after the test."""
    registries: tuple[Registry[object], ...] = (METRICS, SPACES, STRATEGIES)  # type: ignore[assignment]
    for registry in registries:
        monkeypatch.setattr(registry, "_entries", dict(registry))
    figures = list(FURTHER_FIGURES)
    yield
    FURTHER_FIGURES[:] = figures


@pytest.fixture
def recipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _own_registries: None) -> ModuleType:
    """A recipe's code, run as a module that can be found: NNI looks classes up by module and name."""
    module = ModuleType("recipe")
    monkeypatch.setitem(sys.modules, "recipe", module)
    exec(compile(dict(BLOCKS)[request.param], "recipe", "exec"), module.__dict__)
    return module


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recipe", [name], indirect=True, ids=[name])


def test_every_recipe_of_the_table_has_its_code() -> None:
    table = re.findall(r"^\| \[(.+?)\]\(#", RECIPES.read_text("utf-8"), re.MULTILINE)
    assert [name.lower() for name, _ in BLOCKS] == table


@pytest.mark.parametrize(
    ("recipe", "space", "module"),
    [("A fusion operation", "MaximumSpace", "Maximum"), ("A block", "GatedSpace", "GatedBlock")],
    indirect=["recipe"],
)
def test_a_registered_space_is_searched(recipe: ModuleType, space: str, module: str, tmp_path: Path) -> None:
    SPACES.register("mine", getattr(recipe, space))
    data = tiny_data(tmp_path / "cache")
    made = SPACES.get("mine").for_schema(data.schema, levels=1, emb_dim=2)  # type: ignore[attr-defined]
    assert module in {type(part).__name__ for part in made.modules()}
    task = dataclasses.replace(tiny_task(data, budget="1x"), make_space=lambda: made)
    outcome = run_search(STRATEGIES.get("optfusion-hard"), task)
    assert isinstance(outcome.design, FusionDesign)
    assert made.designs.problem(outcome.design) is None


@of("A strategy")
def test_the_strategy_searches(recipe: ModuleType, tmp_path: Path) -> None:
    STRATEGIES.register("plain-random", recipe.ENTRY)
    task = tiny_task(tiny_data(tmp_path / "cache"))
    outcome = run_search(STRATEGIES.get("plain-random"), task)
    assert outcome.candidates == task.candidates
    assert outcome.valid_auc == max(point.valid_auc for point in outcome.trace)


@of("A hand-made model")
def test_the_model_stands_in_the_registry_and_trains(recipe: ModuleType, tmp_path: Path) -> None:
    STRATEGIES.register("logistic", recipe.ENTRY)
    entry, task = STRATEGIES.get("logistic"), tiny_task(tiny_data(tmp_path / "cache"))
    assert entry.kind == "reference"
    retrained = retrain(entry, run_search(entry, task), task, dataclasses.replace(task.config, max_epochs=5))
    assert retrained.fit.best_valid_auc > 0.5


@of("A metric")
def test_the_metric_is_measured_and_written(recipe: ModuleType, tmp_path: Path) -> None:
    assert recipe.calibration is not None
    data = tiny_data(tmp_path / "cache")
    task = tiny_task(data)
    found = evaluate(task.make_space().freeze(task.make_space().designs.sample(0).to_sample()), data.valid, task.config)
    assert found.further["calibration"] > 0
    records = comparison_records()
    records[0] = dataclasses.replace(records[0], details={**records[0].details, "metrics": dict(found.further)})
    frame = results_frame(records, comparison_info())
    assert frame.columns[-1] == "test_calibration"
    assert frame["test_calibration"].notna().sum() == 1


@of("A figure")
def test_the_figure_stands_on_the_page(recipe: ModuleType, tmp_path: Path) -> None:
    model = comparison_model()
    figure = comparison_figures(model)["further-search-seconds"]
    assert len(figure.data[0].y) == len(model.rows)
    write_report(model, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert 'id="further-search-seconds"' in page
    assert recipe.FURTHER_FIGURES[-1].caption in page


def test_what_is_no_number_in_a_record_is_no_metric() -> None:
    records = comparison_records()
    for i, odd in enumerate(({"a": "1"}, ["b"], "c", {"d": None})):
        records[i] = dataclasses.replace(records[i], details={**records[i].details, "metrics": odd})
    frame: pd.DataFrame = results_frame(records, comparison_info())
    assert list(frame.columns) == list(results_frame(comparison_records(), comparison_info()).columns)


@of("An option")
def test_the_option_is_parsed_checked_and_explained(recipe: ModuleType) -> None:
    taken: list[float] = []

    def train(recipe: recipe.MyRecipe) -> None:  # type: ignore[name-defined]
        """Train."""
        taken.append(recipe.label_smoothing)

    train.__annotations__["recipe"] = recipe.MyRecipe
    command = Command(train, "nasfusion train --label-smoothing 0.1")
    (option,) = [one for one in command.options if one.flag == "--label-smoothing"]
    assert help_words(option).startswith("Labels are moved by so much towards the middle.")
    run_command([command], ["train", "--label-smoothing", "0.1"])
    run_command([command], ["train"])
    assert taken == [0.1, 0.0]
    with pytest.raises(OptionError, match=r"label_smoothing must be a number from 0 to 0\.5, got 0\.7"):
        recipe.MyRecipe(label_smoothing=0.7)
