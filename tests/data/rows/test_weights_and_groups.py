"""Weights and groups of rows, from a log's columns to the rows of each split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, SearchData, prepare
from nas_fusion.errors import DataError

ROWS = 200


@pytest.fixture
def log() -> pd.DataFrame:
    rows = np.arange(ROWS)
    return pd.DataFrame(
        {
            "row": rows,
            "user": [f"u{i % 17}" for i in rows],
            "w": (rows % 9) / 4,
            "click": rows // 3 % 2,
            "split": np.array(["train", "train", "valid", "test"])[rows % 4],
        }
    )


def made(log: pd.DataFrame, cache: Path, **options: Any) -> EncodedDataset:
    return prepare(log, DataOptions(min_count=1, kinds={"row": "scale"}, **options), cache=cache)


def test_they_stay_with_their_rows(log: pd.DataFrame, tmp_path: Path) -> None:
    data = made(log, tmp_path, weight="w", group="user")
    assert [f.name for f in data.schema.fields] == ["row", "user"]  # a group may be a field, a weight is none
    numbers: dict[str, int] = {}
    for name in ("train", "valid", "test"):
        split, part = getattr(data, name), log[log.split == name]
        assert (split.weights.dtype, split.groups.dtype) == (np.float32, np.int32)
        np.testing.assert_array_equal(split.weights, part.w.astype(np.float32))
        for user, group in zip(part.user, split.groups, strict=True):
            assert numbers.setdefault(user, int(group)) == group
        if name == "test":
            np.testing.assert_array_equal(split.rows, part.index)
        else:
            assert split.rows is None
        assert split.mean_weight == pytest.approx(part.w.mean())
    assert len(set(numbers.values())) == 17


def test_a_process_of_its_own_sees_them(log: pd.DataFrame, tmp_path: Path) -> None:
    data = made(log, tmp_path, weight="w", group="user")
    seen = SearchData.open(data.path, data.fingerprint)
    np.testing.assert_array_equal(seen.valid.weights, data.valid.weights)
    np.testing.assert_array_equal(seen.valid.groups, data.valid.groups)


def test_none_named_none_there(log: pd.DataFrame, tmp_path: Path) -> None:
    data = made(log, tmp_path)
    assert data.train.weights is None
    assert data.train.groups is None
    assert {f.name for f in data.schema.fields} == {"row", "user", "w"}
    assert not list(data.path.glob("*weights*"))


def test_rows_of_nobody_are_groups_of_their_own(log: pd.DataFrame, tmp_path: Path) -> None:
    log.loc[log.index % 5 == 0, "user"] = None
    data = made(log, tmp_path, group="user")
    groups = np.concatenate([np.asarray(split.groups) for split in (data.train, data.valid, data.test)])
    counts = np.unique(groups, return_counts=True)[1]
    assert (counts == 1).sum() == ROWS // 5


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("-1", "line 8, column 'w': a weight must be a finite number of at least 0, found '-1'"),
        ("", "line 8, column 'w': a weight must be .* found an empty cell"),
        ("inf", "line 8, column 'w': a weight must be .* found 'inf'"),
        ("1e99", "line 8, column 'w': a weight must be .* found '1e99'"),
        ("heavy", "line 8, column 'w': expected a number, found 'heavy'"),
    ],
)
def test_what_is_no_weight(cell: str, words: str, log: pd.DataFrame, tmp_path: Path) -> None:
    weights = log.w.astype(str)
    weights[7 - 1] = cell
    log.assign(w=weights).to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(DataError, match=words):
        prepare(tmp_path / "log.csv", DataOptions(weight="w"), cache=tmp_path / "cache")


def test_weights_that_leave_nothing_to_measure(log: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all weights of the valid split \(50 rows\) are 0"):
        made(log.assign(w=np.where(log.split == "valid", 0, 1)), tmp_path, weight="w")
    with pytest.raises(DataError, match=r"the test split \(50 rows\) has no positives"):
        made(log.assign(w=np.where((log.split == "test") & (log.click == 1), 0, 1)), tmp_path, weight="w")
