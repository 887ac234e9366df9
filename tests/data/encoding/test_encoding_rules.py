"""Vocabularies, ids, numbers and splits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas_fusion.data import MISSING_ID, UNKNOWN_ID, DataOptions, EncodedDataset, FieldKind, prepare
from nas_fusion.data.encoding.bins import MOST_KNOTS
from nas_fusion.data.encoding.guessing.number_guesses import FEW_VALUES
from nas_fusion.data.encoding.numeric import log_bucket
from nas_fusion.field_shapes import value_fields_of


def split_log(train: Sequence[object], valid: Sequence[object], test: Sequence[object]) -> pd.DataFrame:
    """A log of one field `x` with a split column; labels alternate."""
    x = [*train, *valid, *test]
    split = ["train"] * len(train) + ["valid"] * len(valid) + ["test"] * len(test)
    return pd.DataFrame({"x": x, "split": split, "label": np.arange(len(x)) % 2})


def ids(data: EncodedDataset, split: str) -> list[int]:
    return [int(i) for i in getattr(data, split).ids[:, 0]]


def test_vocabulary_is_of_training_rows(cache: Path) -> None:
    frame = split_log(["a", "b", "a", "b", "a", "c", "c"], ["d", "a", "d"], ["d", "b"])
    data = prepare(frame, cache=cache)
    # a is most frequent; b and c are equally frequent, in order of value; d is not in the training rows.
    assert data.vocabulary("x") == ("a", "b", "c")
    assert ids(data, "train") == [2, 3, 2, 3, 2, 4, 4]
    assert ids(data, "valid") == [UNKNOWN_ID, 2, UNKNOWN_ID]
    assert ids(data, "test") == [UNKNOWN_ID, 3]
    assert data.schema.field_sizes == (5,)


def test_vocabulary_of_all_rows(cache: Path) -> None:
    frame = split_log(["a", "b", "a", "b", "a"], ["d", "a", "d"], ["d", "b"])
    data = prepare(frame, DataOptions(vocabulary_rows="all"), cache=cache)
    assert data.vocabulary("x") == ("a", "b", "d")  # a 4, b 3, d 3
    assert ids(data, "valid") == [4, 2, 4]


@pytest.mark.parametrize(("min_count", "known"), [(1, ("a", "b", "c")), (2, ("a", "b")), (3, ("a",)), (9, ())])
def test_min_count(min_count: int, known: tuple[str, ...], cache: Path) -> None:
    frame = split_log(["a", "a", "a", "b", "b", "c"], ["c", "a"], ["b", "a"])
    data = prepare(frame, DataOptions(min_count=min_count), cache=cache)
    assert data.vocabulary("x") == known
    expected = [known.index(v) + 2 if v in known else UNKNOWN_ID for v in ("a", "a", "a", "b", "b", "c")]
    assert ids(data, "train") == expected


def test_missing_values(cache: Path) -> None:
    frame = split_log(["a", None, "a", "", "b", "b"], [None, "a"], ["", "b"])
    data = prepare(frame, cache=cache)
    assert ids(data, "train") == [2, MISSING_ID, 2, MISSING_ID, 3, 3]
    assert (ids(data, "valid"), ids(data, "test")) == ([MISSING_ID, 2], [MISSING_ID, 3])


def test_ties_of_numbers_are_in_numeric_order(cache: Path) -> None:
    data = prepare(split_log([10, 9, 10, 9, 100, 100], [9, 9], [10, 9]), cache=cache)
    assert data.vocabulary("x") == ("9", "10", "100")


def test_scaled_field(cache: Path) -> None:
    train = [1.0, 2.0, np.nan, 3.0, 6.0, 4.0]
    frame = split_log([*train], [100.0, np.nan], [2.0, 1.0])
    data = prepare(frame, DataOptions(numeric={"x": "scale"}), cache=cache)
    (field,) = data.schema.fields
    present = np.array([1.0, 2.0, 3.0, 6.0, 4.0])
    assert (field.kind, field.size) == (FieldKind.SCALED, 2)
    assert field.mean == pytest.approx(present.mean())
    assert field.std == pytest.approx(present.std())
    assert data.schema.value_fields == (0,)
    assert data.train.values is not None
    assert data.valid.values is not None
    assert ids(data, "train") == [1, 1, 0, 1, 1, 1]
    expected = (np.array(train) - present.mean()) / present.std()
    np.testing.assert_allclose(data.train.values[:, 0], np.where(np.isnan(train), 1.0, expected), rtol=1e-6)
    np.testing.assert_allclose(data.valid.values[:, 0], [(100 - present.mean()) / present.std(), 1.0], rtol=1e-6)


def test_values_follow_the_order_of_scaled_fields(clicks: pd.DataFrame, cache: Path) -> None:
    options = DataOptions(numeric={"day": "scale", "user": "scale"}, split="time:day", fields=("day", "site", "user"))
    data = prepare(clicks, options, cache=cache)
    assert data.schema.value_fields == value_fields_of(data.schema.field_shapes) == (0, 2)
    assert data.train.values is not None
    # In the order of the log; the oldest 40 days of 50 train.
    old = clicks[clicks["day"] < 40]
    days, users = (data.train.values[:, i] * data.schema.fields[f].std for i, f in ((0, 0), (1, 2)))
    np.testing.assert_allclose(days + data.schema.fields[0].mean, old["day"], atol=1e-4)
    np.testing.assert_allclose(users + data.schema.fields[2].mean, old["user"], atol=1e-4)


def test_constant_number_can_be_scaled(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = split_log([5.0] * 6, [5.0, 7.0], [5.0, 5.0])
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        data = prepare(frame, DataOptions(numeric={"x": "scale"}), cache=cache)
    assert data.schema.fields[0].std == 1.0
    assert "'x' has only one value" in caplog.text


def test_quantile_buckets_hold_equal_shares(cache: Path) -> None:
    rng = np.random.default_rng(0)
    x = -np.exp(3 * rng.normal(size=8000))
    x[:100] = np.nan
    frame = pd.DataFrame({"x": x, "label": rng.integers(0, 2, 8000)})
    data = prepare(frame, DataOptions(numbers="bucket"), cache=cache)
    (field,) = data.schema.fields
    assert (field.kind, field.size) == (FieldKind.BUCKETED, 2 + MOST_KNOTS)
    counts = np.bincount(data.train.ids[:, 0], minlength=field.size)
    assert counts[MISSING_ID] > 0
    assert counts[UNKNOWN_ID] == 0
    assert counts[2:].min() > 0.9 * counts[2:].mean()
    assert counts[2:].max() < 1.1 * counts[2:].mean()


def test_quantile_buckets_keep_the_order_of_numbers(cache: Path) -> None:
    x = np.concatenate([np.linspace(-3, 3, 500), np.full(500, 0.25)])
    frame = pd.DataFrame({"x": x, "t": np.arange(1000), "label": np.arange(1000) % 2})
    options = DataOptions(split="time:t:8:1:1", numeric={"x": "bucket"}, fields=("x",), vocabulary_rows="all")
    data = prepare(frame, options, cache=cache)
    found = np.concatenate([data.train.ids, data.valid.ids, data.test.ids])[:, 0]
    assert (np.diff(found[:500]) >= 0).all()
    assert len(set(found[500:])) == 1


def test_log_buckets() -> None:
    x = np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 1e6])
    assert log_bucket(x, published=True).tolist() == [-3, -1, 0, 1, 2, 1, 1, 2, 4, 190]
    assert log_bucket(x, published=False).tolist() == [-3, -1, 0, 1, 2, 3, 3, 4, 6, 192]


@pytest.mark.parametrize("distinct", [FEW_VALUES, FEW_VALUES + 1])
def test_fractions_are_numbers_unless_they_are_few(distinct: int, cache: Path) -> None:
    x = np.resize(np.arange(distinct) + 0.5, 1000)
    data = prepare(pd.DataFrame({"x": x, "label": np.arange(1000) // 7 % 2}), cache=cache)
    assert data.schema.fields[0].kind is (FieldKind.CATEGORICAL if distinct == FEW_VALUES else FieldKind.INTERPOLATED)


def test_random_split_has_exact_sizes_and_its_own_seed(clicks: pd.DataFrame, cache: Path) -> None:
    first = prepare(clicks, DataOptions(split="random:6:3:1"), cache=cache)
    assert (len(first.train), len(first.valid), len(first.test)) == (300, 150, 50)
    other = prepare(clicks, DataOptions(split="random:6:3:1", seed=1), cache=cache)
    assert not np.array_equal(first.train.ids, other.train.ids)


def test_time_split_cuts_equal_times_in_the_order_of_the_log(cache: Path) -> None:
    # Out of order, in three runs; 10 of 100 rows have the time at the first cut.
    t = np.concatenate([np.arange(50, 100), np.arange(0, 50)])
    t[(t >= 75) & (t < 85)] = 80
    frame = pd.DataFrame({"x": np.arange(100), "t": t, "label": np.arange(100) % 2})
    data = prepare(frame, DataOptions(split="time:t", min_count=1, fields=("x",), kinds={"x": "category"}), cache=cache)
    order = np.argsort(t, kind="stable")
    train = {data.vocabulary("x")[i - 2] for i in ids(data, "train")}
    assert train == {str(i) for i in order[:80]}
    assert (len(data.valid), len(data.test)) == (10, 10)


def test_time_split_of_texts(cache: Path) -> None:
    days = [f"2024-01-{d:02d}" for d in range(1, 31)]
    frame = pd.DataFrame({"day": days[::-1] * 10, "x": ["a", "b", "b"] * 100, "label": np.arange(300) // 30 % 2})
    data = prepare(frame, DataOptions(split="time:day", min_count=1, kinds={"day": "category"}), cache=cache)
    assert set(data.vocabulary("day")) == set(days[:24])


@pytest.mark.parametrize("words", [("train", "valid", "test"), ("Train", "VAL", "Test"), (0, 1, 2), (0.0, 1.0, 2.0)])
def test_words_of_a_split_column(words: tuple[object, ...], cache: Path) -> None:
    part = [words[0]] * 10 + [words[1]] * 6 + [words[2]] * 4
    frame = pd.DataFrame({"x": list("ab") * 10, "part": part, "label": np.arange(20) // 2 % 2})
    data = prepare(frame, DataOptions(split_column="part"), cache=cache)
    assert (len(data.train), len(data.valid), len(data.test)) == (10, 6, 4)
    assert [f.name for f in data.schema.fields] == ["x"]


def test_a_column_called_split_that_holds_none_is_a_field(cache: Path) -> None:
    frame = pd.DataFrame({"split": ["half", "full"] * 50, "label": np.arange(100) // 2 % 2})
    data = prepare(frame, cache=cache)
    assert [f.name for f in data.schema.fields] == ["split"]
    assert len(data.train) == 80


def test_a_split_that_is_asked_for_wins_over_a_column(cache: Path) -> None:
    frame = split_log(list("aabb") * 10, list("ab"), list("ab"))
    data = prepare(frame, DataOptions(split="random:1:1:2"), cache=cache)
    assert (len(data.train), len(data.test)) == (11, 22)
    assert [f.name for f in data.schema.fields] == ["x"]


def test_chosen_fields_come_in_the_chosen_order(clicks: pd.DataFrame, cache: Path) -> None:
    data = prepare(clicks, DataOptions(fields=("site", "user")), cache=cache)
    assert [f.name for f in data.schema.fields] == ["site", "user"]


def test_encoding_twice_gives_the_same_bytes(clicks: pd.DataFrame, tmp_path: Path) -> None:
    one, two = (prepare(clicks, cache=tmp_path / name) for name in ("one", "two"))
    names = sorted(p.name for p in one.path.iterdir())
    assert names == sorted(p.name for p in two.path.iterdir())
    assert all((one.path / n).read_bytes() == (two.path / n).read_bytes() for n in names)


def test_booleans_and_categories_of_pandas(cache: Path) -> None:
    x = pd.Categorical(["u", "v", None, "u"] * 25, categories=["unused", "v", "u"])
    frame = pd.DataFrame({"x": x, "b": [True, False] * 50, "label": np.arange(100) // 4 % 2 == 1})
    data = prepare(frame, cache=cache)
    assert data.vocabulary("x") == ("u", "v")
    assert set(data.vocabulary("b")) == {"true", "false"}
    assert sum(s.positives for s in (data.train, data.valid, data.test)) == 48
