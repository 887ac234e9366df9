"""A model goes on from its weights: what it knows stays, new values begin as unknown ones, and the test rows judge."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas_fusion
from nas_fusion.cli import main
from nas_fusion.data import UNKNOWN_ID, EncodedSplit, Field, FieldKind, Schema
from nas_fusion.data.further_rows import FurtherRows, encode_further
from nas_fusion.data.schema import FIRST_ID
from nas_fusion.errors import DataError, TrainingError
from nas_fusion.serving import SavedModel
from nas_fusion.serving.training_profile import FieldProfile, profiles
from nas_fusion.serving.updating import drift_of, grown_module, update
from nas_fusion.settings import UpdateSettings
from nas_fusion.training import evaluate, predict_logits
from tests.serving.clicks_log import OPTIONS, clicks, trained_cells

NETWORKS = ("stacked", "optfusion-soft", "deepfm", "finalmlp", "autoctr", "nasrec")
LATER_ROWS = 2000


def later_rows() -> pd.DataFrame:
    """As the log of the training, but a fifth of the users and many tags are new."""
    frame = clicks(LATER_ROWS, seed=5)
    rng = np.random.default_rng(6)
    frame.loc[rng.random(len(frame)) < 0.2, "user"] = "somebody new"
    frame["tags"] = frame["tags"].str.replace("t5", "t99")
    return frame


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("updating")
    trained_cells(folder, (*NETWORKS, "lightgbm"))
    later_rows().to_csv(folder / "later.csv", sep=";", index=False)
    return folder


def opened(place: Path, strategy: str) -> SavedModel:
    return nas_fusion.load(place / "study" / "cells" / f"{strategy}-0" / "model")


@pytest.fixture(scope="module")
def further(place: Path, tmp_path_factory: pytest.TempPathFactory) -> FurtherRows:
    model = opened(place, "stacked")
    folder = tmp_path_factory.mktemp("further")
    return encode_further(
        str(place / "later.csv"), model.encoding, model.manifest.log.form, model.reading_options, folder
    )


@pytest.mark.slow
def test_known_values_keep_their_ids_and_new_ones_stand_behind_them(place: Path, further: FurtherRows) -> None:
    model = opened(place, "stacked")
    for old, new in zip(model.encoding.vocabularies, further.encoding.vocabularies, strict=True):
        if old is not None:
            assert new is not None
            assert new.values.to_pylist()[: len(old)] == old.values.to_pylist()
    added = {f.name: n for f, n in zip(model.schema.fields, further.added, strict=True) if n}
    assert set(added) == {"user", "tags"}
    data = further.dataset
    names = [f.name for f in data.schema.fields]
    user, tags = names.index("user"), names.index("tags")
    assert new_values(model, further, tags) == ["t99"]
    users = new_values(model, further, user)
    assert users[0] == "somebody new"  # the most frequent of them
    assert later_rows()["user"].value_counts()[users].min() >= OPTIONS.min_count
    assert data.schema.fields[user].size == model.schema.fields[user].size + len(users)
    ids = np.concatenate([one.ids[:, user] for one in (data.train, data.valid, data.test)])
    somebody = int((later_rows()["user"] == "somebody new").sum())
    assert int((ids == model.schema.fields[user].size).sum()) == somebody


def new_values(model: SavedModel, further: FurtherRows, field: int) -> list[str]:
    old, new = model.encoding.vocabularies[field], further.encoding.vocabularies[field]
    assert old is not None
    assert new is not None
    return new.values.to_pylist()[len(old) :]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", NETWORKS)
def test_before_it_learns_the_grown_model_says_what_the_model_says(
    place: Path, further: FurtherRows, strategy: str
) -> None:
    """Also of new values: they were unknown to the model. Scores are those of the rows of the file, bit for bit."""
    model = opened(place, strategy)
    grown = grown_module(model, further.encoding.schema)
    test = further.dataset.test
    assert test.rows is not None
    rows = pd.read_csv(place / "later.csv", sep=";", dtype=str, keep_default_na=False).iloc[np.asarray(test.rows)]
    logits = np.asarray(predict_logits(grown, test, model.config), np.float64)
    np.testing.assert_array_equal(logits, model.predict_logits(rows))
    if model.manifest.mode == "hard":
        wider = further.encoding.schema.num_features - model.schema.num_features
        assert sum(p.numel() for p in grown.parameters()) > sum(p.numel() for p in model.module.parameters()) + wider


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["stacked", "optfusion-soft"])
def test_an_update_learns_and_says_what_it_gave(place: Path, tmp_path: Path, strategy: str) -> None:
    model = opened(place, strategy)
    out = tmp_path / "new"
    made = update(model, str(place / "later.csv"), out, UpdateSettings(epochs=8, learning_rate=0.01))
    assert made.learnt
    assert sum(made.rows) == LATER_ROWS
    assert list(made.drift) == sorted(made.drift, key=lambda one: -one.psi)
    assert {one.name for one in made.drift if one.added} == {"user", "tags"}
    assert next(one for one in made.drift if one.name == "user").unknown_now == pytest.approx(0.2, abs=0.05)

    new = nas_fusion.load(out)
    assert new.manifest.metrics["test"]["auc"] == made.after.auc != made.before.auc
    (step,) = new.manifest.notes["updates"]
    assert step["before"]["auc"] == made.before.auc
    assert new.manifest.size == sum(p.numel() for p in new.module.parameters())
    again = update(new, str(place / "later.csv"), tmp_path / "newer", UpdateSettings(epochs=1))
    assert again.before.auc == made.after.auc  # it went on from where it was
    assert max(one.psi for one in again.drift) == 0.0  # the same training rows as before
    assert len(nas_fusion.load(tmp_path / "newer").manifest.notes["updates"]) == 2
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.slow
def test_weights_stay_where_no_epoch_is_better(place: Path, tmp_path: Path) -> None:
    model = opened(place, "stacked")
    made = update(model, str(place / "later.csv"), tmp_path / "new", UpdateSettings(epochs=1, learning_rate=1.0))
    assert not made.learnt
    assert made.after.auc == made.before.auc
    rows = clicks(50, seed=9)
    np.testing.assert_array_equal(nas_fusion.load(tmp_path / "new").scores(rows), model.scores(rows))


@pytest.mark.slow
def test_one_seed_one_update(place: Path, tmp_path: Path) -> None:
    found = [
        update(opened(place, "deepfm"), str(place / "later.csv"), tmp_path / name, UpdateSettings(epochs=2, seed=3))
        for name in ("a", "b")
    ]
    assert found[0].after == found[1].after
    rows = clicks(50, seed=9)
    one, two = (nas_fusion.load(tmp_path / name).scores(rows) for name in ("a", "b"))
    np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_a_boosted_tree_and_a_log_without_labels_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="lightgbm, seed 0 is no network that goes on from its weights"):
        update(opened(place, "lightgbm"), str(place / "later.csv"), tmp_path / "new")
    unlabelled = tmp_path / "rows.csv"
    later_rows().drop(columns="clicked").to_csv(unlabelled, sep=";", index=False)
    with pytest.raises(DataError, match="no label column 'clicked'"):
        update(opened(place, "stacked"), str(unlabelled), tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.slow
def test_the_command_shows_drift_and_metrics(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = place / "study" / "cells" / "stacked-0" / "model"
    out = tmp_path / "new"
    with pytest.raises(SystemExit, match="0"):
        main(["update", str(model), "--data", str(place / "later.csv"), "--out", str(out), "--epochs", "1"])
    said = capsys.readouterr().out
    assert "Drift, training rows then and now" in said
    assert "before" in said
    assert "after" in said
    test = evaluate(opened(place, "stacked").module, _test_rows(place, tmp_path), opened(place, "stacked").config)
    assert f"{test.auc:.4f}" in said
    assert (out / "model.json").is_file()


def _test_rows(place: Path, tmp_path: Path) -> EncodedSplit:
    model = opened(place, "stacked")
    folder = tmp_path / "encoded"
    folder.mkdir()
    found = encode_further(
        str(place / "later.csv"), model.encoding, model.manifest.log.form, model.reading_options, folder
    )
    test = found.dataset.test
    ids = np.minimum(test.ids, np.array(_columns(model.schema)) - 1)
    ids[np.asarray(test.ids) != ids] = UNKNOWN_ID
    return EncodedSplit(ids, test.values, test.labels, test.positives)


def _columns(schema: Schema) -> list[int]:
    return [field.size for field in schema.fields for _ in range(field.columns)]


# The index and the profiles, by hand ---------------------------------------------------------------------------------


def split(ids: list[int], numbers: list[float] | None = None) -> EncodedSplit:
    column = np.array(ids, np.int32)[:, None]
    own = None if numbers is None else np.array(numbers, np.float32)[:, None]
    return EncodedSplit(column, None, np.zeros(len(ids), np.float32), 0, own)


def test_stability_index_of_a_category() -> None:
    schema = Schema((Field("a", FieldKind.CATEGORICAL, 4),), "y")
    (then,) = profiles(schema, split([2] * 5 + [3] * 3 + [0, 1]))
    assert then.shares == (0.1, 0.1, 0.5, 0.3, 0.0)
    grown = Schema((Field("a", FieldKind.CATEGORICAL, 5),), "y")
    (drift,) = drift_of([then], grown, split([2] * 2 + [3] * 3 + [0] + [4] * 4), [1])
    # Id 4 is new: of the model as it was, 40 % are unknown.
    assert (drift.unknown_then, drift.unknown_now, drift.missing_then, drift.missing_now) == (0.1, 0.4, 0.1, 0.1)
    assert drift.psi == pytest.approx(0.3 * math.log(4) + (-0.3) * math.log(0.2 / 0.5))
    assert drift.in_a_word == "strong"
    (same,) = drift_of([then], schema, split([2] * 5 + [3] * 3 + [0, 1]), [0])
    assert (same.psi, same.in_a_word) == (0.0, "little")


def test_profile_of_numbers_has_equal_parts_and_missing_cells() -> None:
    schema = Schema((Field("n", FieldKind.SCALED, FIRST_ID, number=0),), "y")
    numbers = [float(n) for n in range(100)]
    (then,) = profiles(schema, split([1] * 100, numbers))
    assert then.shares == pytest.approx((0.0, 0.0, *[0.1] * 10))
    now = split([1] * 100, [math.nan] * 50 + [200.0] * 50)
    (drift,) = drift_of([then], schema, now, [0])
    assert (drift.missing_now, drift.unknown_now) == (0.5, 0.0)
    floor = 1e-4
    expected = (0.5 - floor) * math.log(0.5 / floor) + 0.4 * math.log(5) + 9 * (floor - 0.1) * math.log(floor / 0.1)
    assert drift.psi == pytest.approx(expected)


def test_profile_of_a_list_counts_items_and_no_pads() -> None:
    schema = Schema((Field("t", FieldKind.LIST, 4, columns=3),), "y")
    ids = np.array([[2, 3, -1], [2, -1, -1], [0, -1, -1]], np.int32)
    rows = EncodedSplit(ids, None, np.zeros(3, np.float32), 0)
    (then,) = profiles(schema, rows)
    assert then.shares == (0.25, 0.0, 0.5, 0.25, 0.0)
    assert FieldProfile.from_dict(then.to_dict()) == then
