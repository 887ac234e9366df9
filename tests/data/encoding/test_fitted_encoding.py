"""A fitted encoding is a value of its own: read from a data set's folder, it encodes rows as the log's were."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nas_fusion.data import MISSING_ID, UNKNOWN_ID, DataOptions, EncodedDataset, prepare
from nas_fusion.data.sources import Chunk
from nas_fusion.errors import DataError

# The oldest rows train, so that the splits keep the order of a log that is in the order of its days.
FIELDS = ("site", "user", "day", "price")
OPTIONS = DataOptions(split="time:day", numeric={"day": "scale", "user": "bucket"}, fields=FIELDS)


@pytest.fixture
def log(clicks: pd.DataFrame) -> pd.DataFrame:
    return clicks.sort_values("day", kind="stable", ignore_index=True)


@pytest.fixture
def data(log: pd.DataFrame, cache: Path) -> EncodedDataset:
    return prepare(log, OPTIONS, cache=cache)


def rows_of(frame: pd.DataFrame) -> Chunk:
    return Chunk(pa.Table.from_pandas(frame, preserve_index=False))


def test_rows_of_the_log_get_its_ids(data: EncodedDataset, log: pd.DataFrame) -> None:
    found = data.encoding().encode(rows_of(log))
    splits = (data.train, data.valid, data.test)
    np.testing.assert_array_equal(found.ids, np.concatenate([s.ids for s in splits]))
    assert found.values is not None
    np.testing.assert_array_equal(found.values, np.concatenate([s.values for s in splits if s.values is not None]))


def test_new_rows(data: EncodedDataset) -> None:
    new = pd.DataFrame(
        {"site": ["news", "a new site", None], "user": [1, 1, 2], "day": [3, 3, None], "price": [0.5] * 3}
    )
    found = data.encoding().encode(rows_of(new))
    assert found.ids[:, 0].tolist() == [data.vocabulary("site").index("news") + 2, UNKNOWN_ID, MISSING_ID]
    assert found.ids[:, 2].tolist() == [1, 1, MISSING_ID]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": ["1", "free"]}, "line 2, column 'price': expected a number, found 'free'"),
        ({"site": None}, "column 'site': there is no such column"),
    ],
)
def test_errors_name_row_and_column(data: EncodedDataset, change: dict[str, list[str] | None], message: str) -> None:
    columns = {"site": ["news"] * 2, "user": [1, 2], "day": [1, 2], "price": [0.5, 0.5], **change}
    new = pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})
    with pytest.raises(DataError, match=message):
        data.encoding().encode(rows_of(new))


def test_it_needs_neither_the_log_nor_the_folder(data: EncodedDataset, log: pd.DataFrame) -> None:
    encoding = pickle.loads(pickle.dumps(data.encoding()))
    np.testing.assert_array_equal(encoding.encode(rows_of(log)).ids, data.encoding().encode(rows_of(log)).ids)
    assert encoding.columns == FIELDS
