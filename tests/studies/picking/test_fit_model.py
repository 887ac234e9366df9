"""`fit`: what it tries, what it chooses, where the model goes, and how it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.errors import NothingFinishedError, OptionError
from nas_fusion.serving import load
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings, RecipeSettings
from nas_fusion.studies import Fitted, check_out, fit
from nas_fusion.system.deadline import TimeIsUp
from nas_fusion.training import Predictions, predict_logits
from nas_fusion.training.quality import auc

pytestmark = pytest.mark.slow

GENERAL = ("lightgbm", "logistic-regression")

SETTINGS = ComparisonSettings(
    source="synthetic:3000",
    data=DataOptions(),
    strategies=("random", "stacked", "parallel", "logistic-regression", "lightgbm"),
    seeds=(0, 1, 2),
    budget="1x",
    candidates=2,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(choice="defaults", learning_rate=0.01, retrain_epochs=2),
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def fitted(dataset: EncodedDataset, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Without blending: a choice of one."""
    return fit(SETTINGS, dataset, tmp_path_factory.mktemp("fit") / "model", command="nasfusion fit", blend=False)


def test_everything_is_tried_and_the_best_few_get_further_seeds(fitted: Fitted) -> None:
    assert {r.strategy for r in fitted.records if r.seed == 0} == set(SETTINGS.strategies)
    assert [sum(r.seed == seed for r in fitted.records) for seed in SETTINGS.seeds] == [5, 4, 3]
    first = sorted((r for r in fitted.records if r.seed == 0), key=lambda r: -r.valid_auc)
    assert {r.strategy for r in fitted.records if r.seed == 1} == {r.strategy for r in first[:4]}
    assert len(fitted.left_out) == 3
    assert all("only the best few" in cell.reason for cell in fitted.left_out)


def test_the_best_mean_on_validation_is_chosen_and_of_its_seeds_the_best(fitted: Fitted) -> None:
    of = {name: [r for r in fitted.records if r.strategy == name] for name in SETTINGS.strategies}
    means = {name: sum(r.valid_auc for r in rs) / len(rs) for name, rs in of.items() if len(rs) == 3}
    assert fitted.chosen.strategy == max(means, key=lambda name: means[name])
    assert fitted.chosen.valid_auc == max(r.valid_auc for r in of[fitted.chosen.strategy])


def test_the_model_needs_nothing_else_and_scores_as_it_was_tested(fitted: Fitted, dataset: EncodedDataset) -> None:
    model = load(fitted.model)
    assert (model.manifest.strategy, model.manifest.seed) == (fitted.chosen.strategy, fitted.chosen.seed)
    logits = predict_logits(model.module, dataset.test, SETTINGS.train_config(len(dataset.train)))
    assert auc(Predictions.of(logits, dataset.test.labels)) == pytest.approx(fitted.chosen.test_auc, abs=1e-12)


def test_the_page_says_what_beat_what(fitted: Fitted) -> None:
    page = (fitted.model / "report.html").read_text()
    assert f"the model is {fitted.chosen.strategy} (" in page
    assert all(name in page for name in SETTINGS.strategies)
    assert "nasfusion predict" in page


def test_it_goes_on_where_it_was_and_replaces_its_own_model(
    fitted: Fitted, dataset: EncodedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing is left to be computed")

    monkeypatch.setattr("nas_fusion.studies.queue.cell_loop.run_cell", never)
    again = fit(SETTINGS, dataset, fitted.model, blend=False)
    assert again.chosen == fitted.chosen
    assert again.records == fitted.records


def test_the_best_network_and_the_trees_are_blended(fitted: Fitted, dataset: EncodedDataset, tmp_path: Path) -> None:
    """From the same study, whose cells are all there: the mean of the logits of two of them."""
    said: list[str] = []
    found = fit(SETTINGS, dataset, tmp_path / "model", study=fitted.study.path, say=said.append)
    of = {name: [r for r in fitted.records if r.strategy == name] for name in SETTINGS.strategies}
    means = {name: sum(r.valid_auc for r in rs) / 3 for name, rs in of.items() if len(rs) == 3 and name not in GENERAL}
    names = {max(means, key=lambda name: means[name]), "lightgbm"}
    assert set(found.title.split(" + ")) == names
    assert found.title.split(" + ")[0] == fitted.chosen.strategy
    model = load(found.model)
    assert model.manifest.title == f"{found.title}, seed {fitted.chosen.seed}"
    assert found.chosen.seed == fitted.chosen.seed
    logits = predict_logits(model.module, dataset.test, SETTINGS.train_config(len(dataset.train)))
    parts = [load(best_cell(fitted, name) / "model") for name in found.title.split(" + ")]
    alone = [predict_logits(part.module, dataset.test, part.config) for part in parts]
    assert logits.tolist() == ((np.asarray(alone[0], np.float64) + alone[1]) / 2).tolist()
    assert auc(Predictions.of(logits, dataset.test.labels)) == pytest.approx(found.chosen.test_auc, abs=1e-12)
    assert found.chosen.parameters == sum(part.manifest.size for part in parts)
    assert found.network == best_cell(fitted, next(name for name in names if name != "lightgbm")) / "model"
    page = (found.model / "report.html").read_text()
    assert f"the model is {found.title} (" in page
    assert any(line.startswith(f"blended: {found.title}") for line in said)


def test_several_networks_are_blended_as_one_part(fitted: Fitted, dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = replace(SETTINGS, recipe=replace(SETTINGS.recipe, members=2))
    found = fit(settings, dataset, tmp_path / "model", study=fitted.study.path)
    network = next(title for title in found.title.split(" + ") if title != "lightgbm")
    assert network.endswith(", 2 networks")
    part = next(part for part in load(found.model).manifest.parts if part.strategy != "lightgbm")
    assert part.recipe.members == 2
    assert found.title in (found.model / "report.html").read_text()


def test_a_model_has_as_many_networks_as_there_was_time_for(
    fitted: Fitted, dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there_is = iter([True, False])
    monkeypatch.setattr("nas_fusion.search.retraining.has_time_for", lambda seconds: next(there_is))
    settings = replace(SETTINGS, recipe=replace(SETTINGS.recipe, members=4))
    found = fit(settings, dataset, tmp_path / "model", study=fitted.study.path)
    part = next(part for part in load(found.model).manifest.parts if part.strategy != "lightgbm")
    assert part.recipe.members == 2
    assert ", 2 networks" in found.title


def best_cell(fitted: Fitted, strategy: str) -> Path:
    record = max((r for r in fitted.records if r.strategy == strategy), key=lambda r: r.valid_auc)
    return fitted.study.cell(strategy, record.seed)


def test_nothing_else_is_replaced(dataset: EncodedDataset, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(OptionError, match="out must be a new folder, or one with a model of an earlier fit"):
        fit(SETTINGS, dataset, tmp_path)
    check_out(tmp_path / "new")


def test_when_the_time_is_up_the_best_so_far_is_the_model(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boosted trees and the like come first, so there is a model early."""
    batches = iter(range(1_000_000))

    def up(*_: object) -> None:
        if next(batches) == 200:
            raise TimeIsUp

    monkeypatch.setattr("nas_fusion.training.watching.sample_meter.check_deadline", up)
    found = fit(SETTINGS, dataset, tmp_path / "model")
    assert {"logistic-regression", "lightgbm"} <= {r.strategy for r in found.records}
    assert found.left_out
    assert (found.model / "report.html").is_file()


def test_slow_trees_wait_until_quick_networks_have_had_their_turn(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a short time: what is quick, two networks, then the trees that would leave no time for any."""
    monkeypatch.setattr(
        "nas_fusion.studies.picking.fit_model.Picking._is_slow", lambda _, entry: entry.name == "lightgbm"
    )
    monkeypatch.setattr("nas_fusion.studies.picking.fit_model.Picking._tune", lambda _: None)
    said: list[str] = []
    settings = replace(SETTINGS, strategies=("lightgbm", "fnn", "stacked", "parallel", "logistic-regression"))
    found = fit(settings, dataset, tmp_path / "model", time_limit=600, say=said.append)
    waves = [line.partition(": ") for line in said if ": " in line]
    assert waves[0][2] == "logistic-regression"
    quick, slow, others = (names for title, _, names in waves[1:4])
    assert slow == "lightgbm"
    assert len(quick.split(", ")) == 2
    assert {*quick.split(", "), others} == {"fnn", "stacked", "parallel"}
    assert len(found.records) == 5
    assert {"no networks", "hand-made models"} <= set(found.spent)


def test_without_any_time_there_is_no_model(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def up(*_: object) -> None:
        raise TimeIsUp

    monkeypatch.setattr("nas_fusion.studies.queue.cell_loop.check_deadline", up)
    with pytest.raises(NothingFinishedError):
        fit(replace(SETTINGS, strategies=("stacked",)), dataset, tmp_path / "model")
    assert not (tmp_path / "model").exists()
