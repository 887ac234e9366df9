"""What one would pick instead: logistic regression and boosted trees, on the columns of an encoded log."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Estimator

from nas_fusion.architecture import Architecture
from nas_fusion.baselines.tabular import boosted_trees
from nas_fusion.baselines.tabular.boosted_trees import BoostedTrees, CatBoostTrees, LightGbmTrees
from nas_fusion.baselines.tabular.logistic_regression import LogisticRegression, OneHot, shares
from nas_fusion.baselines.tabular.tabular_columns import IdColumns, TabularColumns
from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import MissingPackageError, TrainingError
from nas_fusion.field_shapes import PAD
from nas_fusion.records import GENERAL
from nas_fusion.search import retrain, run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, compare
from nas_fusion.system.deadline import Deadline, ending_by
from nas_fusion.testing import tiny_task
from nas_fusion.training import (
    Predictions,
    TrainConfig,
    WholeModel,
    auc_and_logloss,
    evaluate,
    predict_logits,
)
from nas_fusion.training.quality import grouped_auc

NAMES = ("logistic-regression", "lightgbm", "catboost")
FEW = {"lightgbm": {"rounds": 20}, "catboost": {"rounds": 10}}
ROWS = 1500


def frame(rows: int = ROWS, seed: int = 3) -> pd.DataFrame:
    """Clicks by a user's taste, and a price in the middle, which no line can follow; some prices are missing."""
    rng = np.random.default_rng(seed)
    user, price = rng.integers(0, 30, rows), rng.lognormal(0, 1, rows)
    score = (user % 3 - 1) * 1.2 + 2.5 * (np.abs(np.log(price)) < 0.7) - 1.2
    clicks = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    price[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame({"click": clicks, "user": [f"u{u}" for u in user], "price": price})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare(frame(), DataOptions(kinds={"price": "interpolate"}), cache=tmp_path_factory.mktemp("cache"))


def fitted(name: str, data: EncodedDataset, seed: int = 0, select: str = "auc", **parameters: Any) -> WholeModel:
    entry = STRATEGIES.get(name)
    assert entry.fit_model is not None
    settings = entry.with_parameters({**FEW.get(name, {}), **parameters})
    return entry.fit_model(
        Architecture.build(name, settings), data.search_view(), TrainConfig(seed=seed, select=select)
    )


def with_as_many_trees(name: str, few: WholeModel, many: WholeModel, folder: Path) -> WholeModel:
    """The second model with its first trees alone, as many as the first one has; the libraries cut them off."""
    assert isinstance(few, BoostedTrees)
    assert isinstance(many, BoostedTrees)
    if name == "lightgbm":
        count = lightgbm.Booster(model_str=few.file.decode()).num_trees()
        booster = lightgbm.Booster(model_str=many.file.decode())
        assert 1 <= count < booster.num_trees()
        text = booster.model_to_string(num_iteration=count)
        return LightGbmTrees(many.columns, text.encode(), many.passes, many.size)
    forests = [catboost.CatBoostClassifier().load_model(blob=model.file) for model in (few, many)]
    assert 1 <= forests[0].tree_count_ < forests[1].tree_count_
    forests[1].shrink(ntree_end=forests[0].tree_count_)
    forests[1].save_model(str(folder / "forest"))
    return CatBoostTrees(many.columns, (folder / "forest").read_bytes(), many.passes, many.size)


@pytest.mark.parametrize("name", ["lightgbm", "catboost"])
@pytest.mark.parametrize("ticks_left", [1.0, 12.0])
def test_trees_end_with_what_they_have_where_they_are_told_to(
    name: str, ticks_left: float, data: EncodedDataset, tmp_path: Path
) -> None:
    ticks = iter(range(1_000_000))
    with ending_by(Deadline(ticks_left, lambda: float(next(ticks)))):  # looked at about once a round
        some = fitted(name, data, rounds=1000, learning_rate=0.1)
    assert some.stopped == "time"
    assert 1 <= some.passes <= 12
    whole = fitted(name, data, rounds=1000, learning_rate=0.1)
    cut = with_as_many_trees(name, some, whole, tmp_path)
    assert some.split_logits(data.test).tolist() == cut.split_logits(data.test).tolist()


@pytest.mark.parametrize("name", ["lightgbm", "catboost"])
def test_every_parameter_of_trees_reaches_the_library(name: str, data: EncodedDataset) -> None:
    """Defaults are the library's own; what is tuned, and what is tried first, is inside what it allows."""
    entry = STRATEGIES.get(name)
    usual = fitted(name, data).split_logits(data.test)
    for parameter, where in entry.distributions().items():
        assert where._contains(where.to_internal_repr(entry.parameters[parameter])), parameter
        assert all(
            where._contains(where.to_internal_repr(start[parameter])) for start in entry.starts if parameter in start
        )
    for start in entry.starts:
        assert not np.array_equal(fitted(name, data, **start).split_logits(data.test), usual)


def test_the_columns_are_those_of_the_log(data: EncodedDataset) -> None:
    columns = TabularColumns.of(data.schema)
    assert [c.name for c in columns.categories] == ["user"]
    assert [b.ids.name for b in columns.bins] == ["price"]
    prices = columns.numbers_of(data.train)[:, 0]
    assert len(prices) == len(data.train)
    assert 0.05 < np.isnan(prices).mean() < 0.15
    known = set(frame()["price"].astype(np.float32))
    assert set(prices[~np.isnan(prices)]) <= known, "numbers are kept as the log has them"


def test_a_list_is_given_by_its_values() -> None:
    """Trees get the frequent ones as columns of their own, a linear model the share of each."""
    ids = np.array([[5, 2, 3, PAD], [6, 2, PAD, PAD], [5, 0, PAD, PAD]], np.int32)
    split: Any = SimpleNamespace(ids=ids, values=None, numbers=None, __len__=lambda: 3)
    tags = IdColumns("tags", 1, 3, 4)
    listed = TabularColumns((), (tags,), 0).listed_of(split)
    np.testing.assert_array_equal(listed, [[0, 0, 1, 1], [0, 0, 1, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(shares(split, tags).toarray(), [[0, 0, 0.5, 0.5], [0, 0, 1, 0], [1, 0, 0, 0]])


def test_scaled_numbers_are_those_of_the_training_rows(data: EncodedDataset) -> None:
    view = data.search_view()
    one_hot = OneHot.of(view, TabularColumns.of(data.schema), "scaled")
    dense = one_hot.matrix(view.train).toarray()
    price, missing = dense[:, 0], dense[:, 1]
    assert price[missing == 0].mean() == pytest.approx(0, abs=1e-9)
    assert price[missing == 0].std() == pytest.approx(1, abs=1e-9)
    assert (price[missing == 1] == 0).all()
    np.testing.assert_allclose(dense[:, 2:].sum(axis=1), 1, err_msg="one user")


def test_binned_numbers_share_a_row_between_two_neighbours(data: EncodedDataset) -> None:
    view = data.search_view()
    one_hot = OneHot.of(view, TabularColumns.of(data.schema), "binned")
    dense = one_hot.matrix(view.train).toarray()
    np.testing.assert_allclose(dense.sum(axis=1), 2, atol=1e-6)
    assert (np.count_nonzero(dense[:, : data.schema.fields[1].size], axis=1) <= 2).all()


def test_logistic_regression_is_that_of_scikit_learn(data: EncodedDataset) -> None:
    model = fitted("logistic-regression", data, strength=1.0, numbers="scaled")
    assert isinstance(model, LogisticRegression)
    train, valid = model.one_hot.matrix(data.train), model.one_hot.matrix(data.valid)
    estimator = Estimator(C=1.0, max_iter=300, random_state=0).fit(train, np.asarray(data.train.labels))
    np.testing.assert_allclose(model.split_logits(data.valid), estimator.decision_function(valid), rtol=1e-9)


def test_validation_chooses_how_numbers_are_given(data: EncodedDataset) -> None:
    """A price whose middle is clicked: no line can follow it, bins can."""
    chosen = fitted("logistic-regression", data)
    assert isinstance(chosen, LogisticRegression)
    assert chosen.one_hot.numbers == "binned"
    labels = np.asarray(data.valid.labels)
    scaled = fitted("logistic-regression", data, numbers="scaled")
    auc = {m: auc_and_logloss(m.split_logits(data.valid), labels).auc for m in (chosen, scaled)}
    assert auc[chosen] > auc[scaled] + 0.03


def table(split: Any, columns: TabularColumns) -> pd.DataFrame:
    """The users as integers, the numbers of the log: as a user of the libraries would give them."""
    numbers = columns.numbers_of(split)
    return pd.DataFrame({"user": columns.categories_of(split)[:, 0], "price": numbers[:, 0]})


def test_lightgbm_is_that_of_its_own_interface(data: EncodedDataset) -> None:
    columns = TabularColumns.of(data.schema)
    own = lightgbm.LGBMClassifier(n_estimators=20, random_state=0, verbosity=-1, deterministic=True, n_jobs=1)
    own.fit(
        table(data.train, columns), np.asarray(data.train.labels), categorical_feature=[0], eval_metric="auc",
        eval_X=(table(data.valid, columns),), eval_y=(np.asarray(data.valid.labels),),
        callbacks=[lightgbm.early_stopping(50, first_metric_only=True, verbose=False)],
    )  # fmt: skip
    theirs = own.booster_.predict(table(data.test, columns), raw_score=True, num_iteration=own.best_iteration_)
    ours = fitted("lightgbm", data).split_logits(data.test)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert auc_and_logloss(ours, data.test.labels).auc > 0.7


def test_catboost_is_that_of_its_own_interface(data: EncodedDataset) -> None:
    columns = TabularColumns.of(data.schema)
    own = catboost.CatBoostClassifier(
        iterations=10, eval_metric="AUC", random_seed=0, od_type="Iter", od_wait=50, thread_count=1,
        allow_writing_files=False, logging_level="Silent",
    )  # fmt: skip
    valid = (table(data.valid, columns), np.asarray(data.valid.labels))
    own.fit(table(data.train, columns), np.asarray(data.train.labels), cat_features=["user"], eval_set=valid)
    theirs = own.predict(table(data.test, columns), prediction_type="RawFormulaVal")
    np.testing.assert_allclose(fitted("catboost", data).split_logits(data.test), theirs, rtol=1e-6)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    """The same in a dozen groups, so that AUC, AUC within them and logloss differ in what they like best."""
    rng = np.random.default_rng(8)
    rows = frame()
    rows["session"] = rng.integers(0, 12, ROWS)
    options = DataOptions(group="session", drop=("session",), kinds={"price": "interpolate"})
    return prepare(rows, options, cache=tmp_path_factory.mktemp("cache"))


SELECTIONS = ("auc", "logloss", "gauc")


def quality(logits: Any, data: EncodedDataset) -> dict[str, float]:
    """By what validation may choose, the larger the better."""
    valid = data.valid
    told = auc_and_logloss(logits, valid.labels)
    within = grouped_auc(Predictions.of(logits, valid.labels, valid.weights, valid.groups))
    return {"auc": told.auc, "logloss": -told.logloss, "gauc": within or 0.0}


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("name", ["lightgbm", "catboost"])
def test_trees_stop_by_what_validation_chooses_by(
    name: str, select: str, grouped: EncodedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number of trees up to the last one that was tried would have been better."""
    monkeypatch.setattr(boosted_trees, "PATIENCE", 7)
    own: dict[str, Any] = {"rounds": 60, "learning_rate": 0.3}
    model = fitted(name, grouped, select=select, **own)
    assert isinstance(model, boosted_trees.BoostedTrees)
    assert (model.stopped, model.passes < 60) == ("patience", True)
    chosen = quality(model.split_logits(grouped.valid), grouped)[select]
    monkeypatch.setattr(boosted_trees, "PATIENCE", 1000)
    for rounds in range(1, model.passes + 1):
        fewer = quality(fitted(name, grouped, **{**own, "rounds": rounds}).split_logits(grouped.valid), grouped)
        assert fewer[select] <= chosen + 1e-6 or rounds == model.passes


@pytest.mark.parametrize("select", SELECTIONS)
def test_logistic_regression_is_chosen_by_what_validation_chooses_by(select: str, grouped: EncodedDataset) -> None:
    found = [
        quality(
            fitted("logistic-regression", grouped, strength=strength, numbers=numbers).split_logits(grouped.valid),
            grouped,
        )
        for numbers in ("scaled", "binned")
        for strength in (0.01, 0.1, 1.0, 10.0)
    ]
    chosen = quality(fitted("logistic-regression", grouped, select=select).split_logits(grouped.valid), grouped)
    assert chosen == max(found, key=lambda one: one[select])


def test_what_validation_chooses_by_matters(grouped: EncodedDataset) -> None:
    sizes = {fitted("catboost", grouped, select=s, rounds=60, learning_rate=0.1).size for s in SELECTIONS}
    assert len(sizes) == len(SELECTIONS)


@pytest.mark.parametrize(
    ("name", "own", "stopped"),
    [
        ("lightgbm", {"rounds": 3}, "rounds"),
        ("catboost", {"rounds": 3}, "rounds"),
        ("logistic-regression", {"strength": 1.0}, "converged"),
        ("logistic-regression", {"strength": 10.0, "max_iter": 2}, "rounds"),
    ],
)
def test_it_says_why_it_ended(name: str, own: dict[str, Any], stopped: str, data: EncodedDataset) -> None:
    task = tiny_task(data.search_view())
    entry = STRATEGIES.get(name)
    outcome = run_search(entry, task, own)
    assert retrain(entry, outcome, task, task.config).fit.stopped == stopped


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_one_model(name: str, data: EncodedDataset) -> None:
    first, again = (fitted(name, data, seed=1).split_logits(data.test) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", NAMES)
def test_its_state_is_tensors_and_says_it_all(name: str, data: EncodedDataset, tmp_path: Path) -> None:
    """What a library has learnt is kept without a pickle."""
    model = fitted(name, data)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert sum(tensor.numel() for tensor in state.values()) > 0
    if isinstance(model, boosted_trees.BoostedTrees):
        read = type(model)(model.columns, bytes(state["content"].numpy()), model.passes, model.size)
        np.testing.assert_array_equal(read.split_logits(data.test), model.split_logits(data.test))


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_and_says_what_it_took(name: str, data: EncodedDataset) -> None:
    task = tiny_task(data.search_view())
    entry = STRATEGIES.get(name)
    outcome = run_search(entry, task, FEW.get(name))
    retrained = retrain(entry, outcome, task, task.config)
    assert retrained.fit.best_valid_auc > 0.65
    model = retrained.model
    assert isinstance(model, WholeModel)
    assert retrained.fit.samples == model.passes * len(data.train)
    assert retrained.parameters == model.size > 1
    logits = predict_logits(model, data.test, task.config)
    assert evaluate(model, data.test, task.config).auc == auc_and_logloss(logits, data.test.labels).auc
    with pytest.raises(TrainingError, match="predicts whole splits"):
        model(torch.zeros(1, 2, dtype=torch.int32))


def test_a_library_that_is_missing_is_named(data: EncodedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(MissingPackageError, match=r"lightgbm needs lightgbm, which is not .* '\.\[trees\]'"):
        fitted("lightgbm", data)


@pytest.mark.slow
def test_a_comparison_tells_of_them(data: EncodedDataset, tmp_path: Path) -> None:
    settings = ComparisonSettings(
        source="frame",
        data=DataOptions(),
        strategies=("fnn", *NAMES),
        seeds=(0,),
        model=ModelSettings(levels=1, emb_dim=2),
        recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
        parameters=FEW,
        device="cpu",
    )
    done = compare(settings, data, tmp_path / "study")
    records = {r.strategy: r for r in done.records}
    assert [bool(records[n].details.get(GENERAL)) for n in ("fnn", *NAMES)] == [False, True, True, True]
    assert set(records["lightgbm"].cost) == {"training_rows_per_second"}
    report = (done.folder.path / "report.md").read_text("utf-8")
    assert "(general model)" in report
