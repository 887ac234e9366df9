"""`FusionClassifier` keeps scikit-learn's contract, and its model is one that `nas_fusion.load` opens."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import nas_fusion
from nas_fusion import FusionClassifier
from nas_fusion.errors import OptionError, UnknownNameError

SMALL = {"model.levels": 1, "model.emb_dim": 4, "recipe.retrain_epochs": 20, "recipe.learning_rate": 0.02,
         "recipe.batch_size": 32}  # fmt: skip

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "rows are shuffled into batches and a part of them chooses the "
    "epoch: a row of weight 2 is not the same as two rows",
}


def classifier(**parameters: Any) -> FusionClassifier:
    return FusionClassifier(**{"strategy": "parallel", "settings": SMALL, **parameters})


def clicks(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user": rng.choice([f"u{n}" for n in range(12)], rows),
            "price": rng.gamma(2.0, 3.0, rows),
            "tags": [[f"t{t}" for t in rng.integers(0, 5, n)] for n in rng.integers(0, 3, rows)],
        }
    )
    frame.loc[rng.random(rows) < 0.1, "price"] = np.nan
    return frame


def labels(frame: pd.DataFrame, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    chance = np.where(frame["user"].isin([f"u{n}" for n in range(6)]), 0.8, 0.2)
    return np.where(rng.random(len(frame)) < chance, "yes", "no")


@pytest.fixture(scope="module")
def fitted() -> FusionClassifier:
    frame = clicks()
    return classifier().fit(frame, labels(frame))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_scikit_learns_own_checks() -> None:
    found = check_estimator(classifier(), on_fail=None, on_skip=None, expected_failed_checks=EXPECTED)
    failed = {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"}
    assert failed == {}
    assert sum(one["status"] == "passed" for one in found) >= 59
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == set(EXPECTED)


@pytest.mark.slow
def test_frames_of_any_kind_and_a_saved_model_give_the_same_scores(fitted: FusionClassifier, tmp_path: Path) -> None:
    later = clicks(80, seed=4)
    scores = fitted.predict_proba(later)[:, 1]
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.score(later, labels(later, seed=5)) > 0.6
    np.testing.assert_array_equal(fitted.predict(later), np.where(scores > 0.5, "yes", "no"))
    np.testing.assert_array_equal(fitted.predict_proba(pl.from_pandas(later))[:, 1], scores)
    fitted.save_model(tmp_path / "model")
    model = nas_fusion.load(tmp_path / "model")
    np.testing.assert_array_equal(model.scores(later), scores)
    assert set(model.manifest.metrics) == {"valid"}  # nothing was measured on rows that chose nothing


@pytest.mark.slow
def test_it_is_cloned_pickled_piped_and_cross_validated(fitted: FusionClassifier) -> None:
    later = clicks(80, seed=4)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(later), fitted.predict_proba(later))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(later)
    frame = clicks()
    again = fresh.fit(frame, labels(frame))
    np.testing.assert_array_equal(again.predict_proba(later), fitted.predict_proba(later))
    assert cross_val_score(classifier(), frame, labels(frame), cv=2, scoring="roc_auc").min() > 0.6
    pipe = make_pipeline(FunctionTransformer(lambda rows: rows.drop(columns="tags")), classifier())
    assert pipe.fit(frame, labels(frame)).predict_proba(later).shape == (80, 2)


@pytest.mark.slow
def test_groups_stay_together_and_judges_may_be_given() -> None:
    frame = clicks()
    groups = np.arange(len(frame)) // 5
    parted = classifier(random_state=3).fit(frame, labels(frame), groups=groups)
    assert parted.manifest_.log.rows[1] % 5 == 0
    assert parted.predict_proba(clicks(10, seed=8)).shape == (10, 2)  # a group says who chooses, and is no field
    judged = classifier().fit(frame, labels(frame), eval_set=(clicks(90, seed=7), labels(clicks(90, seed=7))))
    assert judged.manifest_.log.rows[:2] == (600, 90)
    found = cross_val_score(classifier(), frame, labels(frame), groups=groups, cv=GroupKFold(2))
    assert len(found) == 2


@pytest.mark.slow
def test_auto_tries_several_within_a_time_limit() -> None:
    frame = clicks()
    found = FusionClassifier(time_limit=20, settings=SMALL).fit(frame, labels(frame))
    assert found.manifest_.metrics["valid"]["auc"] > 0.6
    assert found.predict_proba(clicks(10, seed=8)).shape == (10, 2)


def test_bad_parameters_are_named() -> None:
    frame = clicks(60)
    with pytest.raises(UnknownNameError, match="paralel"):
        classifier(strategy="paralel").fit(frame, labels(frame))
    with pytest.raises(OptionError, match="validation_fraction"):
        classifier(validation_fraction=1.5).fit(frame, labels(frame))
    with pytest.raises(OptionError, match="random_state"):
        classifier(random_state=-1).fit(frame, labels(frame))
    with pytest.raises(ValueError, match="one class"):
        classifier().fit(frame, np.ones(60))
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        classifier().fit(frame, np.arange(60) % 3)
    with pytest.raises(ValueError, match="2 rows of each class"):
        classifier().fit(frame, np.arange(60) == 0)
