"""What the columns of a stranger's log are read as, and what is said about those that look wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, describe, prepare
from nas_fusion.errors import DataError

ROWS = 2000


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    """A label, two ids that tell something, and a number that does."""
    rng = np.random.default_rng(7)
    user, item = rng.integers(0, 60, ROWS), rng.integers(0, 40, ROWS)
    price = np.round(rng.lognormal(2, 1, ROWS), 2)
    logit = (user % 5 - 2) * 0.6 + (item % 3 - 1) * 0.8 + (np.log(price) - 2) * 0.9
    click = (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(int)
    return pd.DataFrame({"click": click, "user": user, "item": item, "price": price})


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., EncodedDataset]:
    """Read a frame as the CSV that it is written to."""

    def from_csv(frame: pd.DataFrame, **options: object) -> EncodedDataset:
        frame.to_csv(tmp_path / "log.csv", index=False)
        return prepare(tmp_path / "log.csv", DataOptions(**options), cache=tmp_path / "cache")  # type: ignore[arg-type]

    return from_csv


Read = Callable[..., EncodedDataset]


def kinds(data: EncodedDataset) -> dict[str, str]:
    return {column.name: column.kind.value for column in data.columns}


def test_ids_and_numbers(read: Read, base: pd.DataFrame) -> None:
    frame = base.assign(cents=(base.price * 100).round().astype(int), ratio=base.price / 3, flag=base.user % 2)
    data = read(frame)
    assert kinds(data) == {
        "user": "category", "item": "category", "price": "interpolate", "cents": "interpolate", "ratio": "interpolate",
        "flag": "category",
    }  # fmt: skip
    assert data.schema.number_columns == ("price", "cents", "ratio")
    assert all(column.reason for column in data.columns)


def test_the_numbers_are_kept_as_they_are(read: Read, base: pd.DataFrame) -> None:
    part = np.repeat(["train", "valid", "test"], [1600, 200, 200])
    data = read(base.assign(part=part, price=base.price.where(base.index % 10 > 0)), split_column="part")
    assert data.train.numbers is not None
    np.testing.assert_array_equal(
        data.train.numbers[:, 0], base.price.where(base.index % 10 > 0)[:1600].to_numpy(np.float32)
    )
    (price,) = [field for field in data.schema.fields if field.name == "price"]
    assert (price.number, [f.number for f in data.schema.fields if f.name != "price"]) == (0, [None, None])


@pytest.mark.parametrize("odd", [1, 40])
def test_odd_cells_in_a_column_of_numbers(
    odd: int, read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    price = base.price.astype(str)
    price[3 :: ROWS // odd] = "unknown"
    data = read(base.assign(price=price))
    assert kinds(data)["price"] == "interpolate"
    assert f"column 'price': {odd} cell" in caplog.text
    assert "line 5: 'unknown'" in caplog.text


def test_many_words_among_numbers_are_categories(read: Read, base: pd.DataFrame) -> None:
    price = base.price.round().astype(int).astype(str)
    price[::5] = "unknown"
    assert kinds(read(base.assign(price=price)))["price"] == "category"


def test_one_id_written_in_two_ways(read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    texts = [f"{u}.0" if k % 2 else f"{u}" for k, u in enumerate(base.user)]
    data = read(base[["click"]].assign(user=texts))
    assert set(data.vocabulary("user")) == {str(u) for u in range(60)}
    assert "'user' holds whole numbers with and without a point" in caplog.text
    assert not any((split.ids == 1).any() for split in (data.train, data.valid, data.test))


def test_zip_codes_keep_their_zeros(read: Read, base: pd.DataFrame) -> None:
    data = read(base.assign(zip=[f"{u:05d}" for u in base.user * 997]))
    assert kinds(data)["zip"] == "category"
    assert "00997" in data.vocabulary("zip")


def _index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=np.arange(len(frame)))


def _falling(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=10**6 - 7 * np.arange(len(frame)))


def _shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=np.random.default_rng(0).permutation(len(frame)) * 3 + 10**6)


def _uuid(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=[f"{k * 2654435761 % 2**32:08x}" for k in range(len(frame))])


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=[str(10**19 + k * 7919 % 10007) for k in range(len(frame))])


@pytest.mark.parametrize("unique", [_index, _falling, _shuffled, _uuid, _long])
def test_what_no_two_rows_share_is_left_out(
    unique: Callable[[pd.DataFrame], pd.DataFrame], read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    data = read(unique(base))
    assert kinds(data)["x"] == "ignore"
    assert "x" not in [field.column for field in data.schema.fields]
    assert "column 'x' is left out" in caplog.text
    assert any("'x' is left out" in warning for warning in describe(data).warnings)


def test_a_column_that_is_asked_for_is_read(read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    data = read(_index(base), kinds={"x": "category"}, fields=("x", "user"))
    assert [field.name for field in data.schema.fields] == ["x", "user"]
    assert "field 'x': 100% of the validation rows hold values that are out of the vocabulary" in caplog.text


def test_nothing_but_an_index_says_so(read: Read, base: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column is left to be a field: x is left out: it counts the rows"):
        read(_index(base)[["click", "x"]])


@pytest.mark.parametrize("leak", [lambda click: click, lambda click: click * 37.5 + 0.25, lambda click: click + 100])
def test_a_column_that_gives_the_label_away(
    leak: Callable[[pd.Series], pd.Series], read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    read(base.assign(copy=leak(base.click)), label="click")
    assert "column 'copy' alone predicts the label (AUC 1.0000" in caplog.text
    assert caplog.text.count("alone predicts") == 1


def test_a_number_that_gives_the_label_away(read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    noise = np.random.default_rng(0).random(ROWS)
    data = read(base.assign(dwell=base.click * 2 + noise), label="click")
    assert kinds(data)["dwell"] == "interpolate"
    assert "column 'dwell' alone predicts the label" in caplog.text


WHEN = pd.Timestamp("2024-03-01 08:00") + pd.to_timedelta(
    np.random.default_rng(5).integers(0, 14 * 1440, ROWS), unit="m"
)


@pytest.mark.parametrize(
    ("name", "cells", "parts"),
    [
        ("at", WHEN.strftime("%Y-%m-%d %H:%M"), ["hour", "weekday", "day"]),
        ("at", WHEN.strftime("%m/%d/%Y"), ["weekday", "day"]),
        ("anything", [int(t.timestamp()) for t in WHEN], ["hour", "weekday", "day"]),
        ("ts", [int(t.timestamp() * 1000) for t in WHEN], ["hour", "weekday", "day"]),
        ("day", WHEN.strftime("%Y%m%d"), ["weekday", "day"]),
        ("clock", WHEN.strftime("%H:%M"), ["hour"]),
        ("day", np.where(WHEN.day % 2, "2024-03-01", "2024-03-02"), ["day"]),  # Hive's key of a folder a day
    ],
)  # fmt: skip
def test_times(name: str, cells: Any, parts: list[str], read: Read, base: pd.DataFrame) -> None:
    data = read(pd.concat([base, pd.Series(cells, name=name)], axis=1))
    assert kinds(data)[name] == "time"
    found = {field.part.value: field for field in data.schema.fields if field.column == name}
    assert list(found) == parts
    assert data.schema.number_columns[1:] == tuple(f"{name}.{part}" for part in parts)


def test_the_parts_of_a_time(tmp_path: Path, base: pd.DataFrame) -> None:
    part = np.repeat(["train", "valid", "test"], [1600, 200, 200])
    data = prepare(base.assign(at=WHEN, part=part), DataOptions(split_column="part"), cache=tmp_path)
    assert data.train.numbers is not None
    names = data.schema.number_columns
    hour, weekday, day = (data.train.numbers[:, names.index(f"at.{part}")] for part in ("hour", "weekday", "day"))
    np.testing.assert_array_equal(hour, WHEN[:1600].hour)
    np.testing.assert_array_equal(weekday, WHEN[:1600].day_of_week)
    since = (WHEN[:1600] - WHEN[:1600].min()) / pd.Timedelta(days=1)
    np.testing.assert_allclose(day, since, atol=1e-5)
    ids = data.train.ids[:, [f.name for f in data.schema.fields].index("at.hour")]
    assert len(set(zip(ids.tolist(), hour.tolist(), strict=True))) == 24  # an id per hour


def test_lists_in_texts(read: Read, base: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    words = ["|".join(f"g{g}" for g in rng.choice(18, rng.integers(1, 6), replace=False)) for _ in range(ROWS)]
    data = read(base.assign(genres=words, json=[f"[{', '.join(w.split('|'))}]" for w in words]))
    assert (kinds(data)["genres"], kinds(data)["json"]) == ("list", "list")
    assert set(data.vocabulary("genres")) == set(data.vocabulary("json")) == {f"g{g}" for g in range(18)}
    shapes = {field.name: field.columns for field in data.schema.fields}
    assert (shapes["genres"], shapes["genres.length"]) == (5, 1)


@pytest.mark.parametrize(
    "cells",
    [
        [f"{k % 90},{k % 170}" for k in range(ROWS)],  # sizes
        [f"shoes {k % 7}" for k in range(ROWS)],  # a few texts with a blank in them
        [f"{k % 90}.5,{k % 170}.25" for k in range(ROWS)],  # coordinates
    ],
)
def test_texts_that_are_no_lists(cells: list[str], read: Read, base: pd.DataFrame) -> None:
    assert kinds(read(base.assign(x=cells)))["x"] == "category"


def test_lists_by_their_type(tmp_path: Path, base: pd.DataFrame) -> None:
    tags = [[f"g{g}" for g in range(1 + u % 3)] for u in base.user]
    pyarrow.parquet.write_table(
        pa.table({"click": base.click.to_numpy(), "user": base.user.to_numpy(), "tags": tags}), tmp_path / "log.parquet"
    )
    data = prepare(tmp_path / "log.parquet", cache=tmp_path / "cache")
    assert kinds(data) == {"user": "category", "tags": "list"}
    as_frame = prepare(pd.read_parquet(tmp_path / "log.parquet"), cache=tmp_path / "cache")
    assert as_frame.schema == data.schema


def test_declared_kinds(read: Read, base: pd.DataFrame) -> None:
    options = {"kinds": {"price": "both", "item": "list"}, "hash": {"user": "2^4"}, "drop": ("extra",)}
    data = read(base.assign(extra=1), **options)
    assert [(f.name, f.kind.value, f.size) for f in data.schema.fields][:1] == [("user", "hashed", 2 + 16)]
    assert [f.name for f in data.schema.fields] == ["user", "item", "item.length", "price", "price.scaled"]
    assert data.schema.number_columns == ("item.length", "price")
    assert kinds(data)["extra"] == "ignore"


def test_a_declared_time_that_is_none(read: Read, base: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"column 'price'.*time"):
        read(base, kinds={"price": "time"})


def test_the_plan_is_told_before_anything_is_encoded(tmp_path: Path, base: pd.DataFrame) -> None:
    told: list[str] = []
    stages: list[str] = []

    def planned(lines: object) -> None:
        assert "encode" not in stages
        told.extend(lines)  # type: ignore[arg-type]

    for _ in range(2):  # a data set that is found in the cache tells it, too
        prepare(base, cache=tmp_path, progress=lambda stage, _: stages.append(stage), planned=planned)
        assert told[:2] == ["categories: user, item", "numbers, interpolated: price"]
        assert "--kind COLUMN=KIND" in told[2]
        told.clear()
        stages.clear()


def test_a_log_that_is_sorted_by_its_label(read: Read, base: pd.DataFrame) -> None:
    assert kinds(read(base.sort_values("click"))) == kinds(read(base))


@pytest.mark.slow
def test_real_logs(sample: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    found = {
        name: [c.name for c in prepare(sample(f"{name}.parquet"), cache=tmp_path).columns if c.kind == "interpolate"]
        for name in ("adult", "bank_marketing", "ml100k")
    }
    assert found == {
        "adult": ["age", "fnlwgt", "capital_gain", "capital_loss", "hours_per_week"],
        "bank_marketing": ["age", "balance", "duration", "campaign", "pdays", "previous"],
        "ml100k": ["release_year"],
    }
