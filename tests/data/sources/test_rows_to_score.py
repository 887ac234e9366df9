"""Rows that are to be scored: any log or frame without a label, read as the log was that a model learnt from."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, LogForm, open_rows, prepare
from nas_fusion.data.encoding import EncodedRows
from nas_fusion.data.sources import chunks_of, open_source
from nas_fusion.errors import DataError

Sample = Callable[[str], Path]

FRAME = pd.DataFrame(
    {
        "user": [f"u{k % 7}" for k in range(300)],
        "count": [k % 50 for k in range(300)],
        "price": [k / 8 + 0.125 if k % 9 else None for k in range(300)],
        "site": [["news", "-", "häuser; fern", None][k % 4] for k in range(300)],
        "when": [f"2024-03-{k // 24 + 1:02} {k % 24:02}:00:00" for k in range(300)],
        "click": np.arange(300) // 2 % 2,
    }
)
NEW = FRAME.drop(columns="click")


def encoded(data: EncodedDataset, rows: Any, **options: Any) -> EncodedRows:
    """Rows as a model that learnt from a data set sees them."""
    encoding = data.encoding()
    source = open_rows(rows, encoding.columns, data.log_form, DataOptions(**options))
    return EncodedRows.joined([encoding.encode(chunk) for chunk in chunks_of(source, encoding.columns)])


def the_same(found: EncodedRows, expected: EncodedRows) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def data(cache: Path, tmp_path: Path) -> EncodedDataset:
    path = tmp_path / "log.csv"
    FRAME.to_csv(path, index=False)
    return prepare(path, DataOptions(min_count=1), cache=cache)


@pytest.fixture
def expected(data: EncodedDataset, tmp_path: Path) -> EncodedRows:
    return encoded(data, tmp_path / "log.csv")


def test_the_labelled_log_itself(data: EncodedDataset, expected: EncodedRows) -> None:
    assert data.test.rows is not None
    np.testing.assert_array_equal(expected.ids[data.test.rows], data.test.ids)


@pytest.mark.parametrize(
    "rows",
    [
        NEW,
        NEW[NEW.columns[::-1]].assign(more=1),
        NEW.to_dict("list"),
        NEW.to_dict("records"),
        pl.from_pandas(NEW),
        pl.from_pandas(NEW).with_columns(pl.col("user").cast(pl.Categorical)),
        pa.Table.from_pandas(NEW),
        pa.Table.from_pandas(NEW, preserve_index=False).combine_chunks().to_batches()[0],
        {name: NEW[name].to_numpy() for name in NEW},
        NEW.assign(when=pd.to_datetime(NEW["when"])),
    ],
    ids=["pandas", "reordered", "columns", "rows", "polars", "categorical", "table", "batch", "arrays", "typed-times"],
)
def test_frames_of_every_kind(rows: object, data: EncodedDataset, expected: EncodedRows) -> None:
    the_same(encoded(data, rows), expected)


def test_files_of_every_kind(data: EncodedDataset, expected: EncodedRows, tmp_path: Path) -> None:
    reordered = NEW[NEW.columns[::-1]].assign(more="x")
    folder = tmp_path / "parts"
    for day in range(3):
        (folder / f"day={day}").mkdir(parents=True)
        part = NEW[day * 100 : day * 100 + 100].assign(**{f"only{day}": day})
        part.to_parquet(folder / f"day={day}" / "part.parquet", index=False)
    reordered.to_csv(tmp_path / "new.tsv", sep="\t", index=False)
    reordered.to_csv(tmp_path / "semicolon.csv", sep=";", index=False, encoding="utf-16")
    with gzip.open(tmp_path / "new.csv.gz", "wt") as file:
        file.write(reordered.to_csv(index=False))
    for name in ("parts", "parts/*/*.parquet", "new.tsv", "semicolon.csv", "new.csv.gz"):
        the_same(encoded(data, tmp_path / name if "*" not in name else f"{tmp_path}/{name}"), expected)
    the_same(encoded(data, [folder / f"day={day}" for day in range(3)]), expected)


def test_one_row_is_read_like_many(data: EncodedDataset, expected: EncodedRows, tmp_path: Path) -> None:
    for row in (0, 1, 2, 9):
        one = expected.part(slice(row, row + 1))
        NEW[row : row + 1].to_csv(tmp_path / "one.csv", index=False)
        the_same(encoded(data, tmp_path / "one.csv"), one)
        the_same(encoded(data, NEW.iloc[row].to_dict()), one)


@pytest.mark.parametrize(("name", "cut"), [("criteo_10k.txt", 1), ("kdd12_40k.txt", 2), ("avazu_8k.csv", 1)])
def test_published_formats_without_their_labels(name: str, cut: int, sample: Sample, cache: Path) -> None:
    lines = sample(name).read_text().splitlines()[:2000]
    delimiter = "," if name.endswith("csv") else "\t"
    log, new = cache.parent / name, cache.parent / f"new-{name}"
    log.write_text("\n".join(lines) + "\n")
    cells = [line.split(delimiter) for line in lines]
    kept = [row[cut:] if delimiter == "\t" else [row[0], *row[2:]] for row in cells]
    new.write_text("".join(f"{delimiter.join(row)}\n" for row in kept))
    data = prepare(log, DataOptions(drop=("impression",) if cut == 2 else ()), cache=cache)
    expected = encoded(data, log)
    assert open_source(new).kind == data.log_form.format
    the_same(encoded(data, new), expected)
    header = list(open_source(log).columns)[cut:] if delimiter == "\t" else kept[0]
    named = pd.read_csv(new, sep=delimiter, names=header, dtype=str, header=0 if delimiter == "," else None)
    named[header[::-1]].to_csv(cache.parent / "named.csv", index=False)  # the same with a header, in another order
    the_same(encoded(data, cache.parent / "named.csv"), expected)
    with pytest.raises(DataError, match="can be scored, but not learnt from"):
        prepare(new, cache=cache)


def test_rows_of_avazu_in_any_form_have_its_time_columns(sample: Sample, cache: Path) -> None:
    log = cache.parent / "log.csv"
    log.write_text("\n".join(sample("avazu_8k.csv").read_text().splitlines()[:2000]) + "\n")
    data = prepare(log, cache=cache)
    expected = encoded(data, log)
    frame = pd.read_csv(log).drop(columns="click")
    the_same(encoded(data, frame[frame.columns[::-1]]), expected)
    frame.to_parquet(cache.parent / "new.parquet", index=False)
    the_same(encoded(data, cache.parent / "new.parquet"), expected)
    the_same(encoded(data, frame.iloc[7].to_dict()), expected.part(slice(7, 8)))
    made = encoded(data, frame.drop(columns="hour").assign(hour_of_day=0, weekday=1, is_weekend=0))
    assert (made.ids[:, 3:] == expected.ids[:, 3:]).sum() > 0
    with pytest.raises(DataError, match="the rows lack 3 columns: 'hour_of_day', 'weekday', 'is_weekend'"):
        encoded(data, frame.drop(columns="hour"))


def svm(rows: Iterable[int], *, labelled: bool) -> str:
    return "".join(f"{f'{k % 2} ' if labelled else ''}{k % 5}:1 7:{k % 3 / 2} {100 + k % 11}:1\n" for k in rows)


def test_svm_rows_are_numbers_where_the_log_had_numbers(cache: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.svm"
    log.write_text(svm(range(300), labelled=True))
    data = prepare(log, DataOptions(min_count=1), cache=cache)
    assert data.log_form.numbers == {"field2": "7"}
    expected = encoded(data, log)
    for labelled in (True, False):
        (tmp_path / "new.svm").write_text(svm(range(300), labelled=labelled))
        the_same(encoded(data, tmp_path / "new.svm"), expected)
        (tmp_path / "new.svm").write_text(svm([2], labelled=labelled))  # 7:1, which alone looks like a category
        the_same(encoded(data, tmp_path / "new.svm"), expected.part(slice(2, 3)))


def test_numbers_with_commas_are_told_by_the_log(cache: Path, tmp_path: Path) -> None:
    prices = FRAME["price"].map(lambda price: None if np.isnan(price) else f"{price:.3f}".replace(".", ","))
    decimal = FRAME.assign(price=prices)
    decimal.to_csv(tmp_path / "log.csv", sep=";", index=False)
    data = prepare(tmp_path / "log.csv", cache=cache)
    assert data.log_form.decimal == ","
    expected = encoded(data, tmp_path / "log.csv")
    decimal[7:8].to_csv(tmp_path / "new.csv", sep=";", index=False)  # one number is no evidence
    the_same(encoded(data, tmp_path / "new.csv"), expected.part(slice(7, 8)))
    the_same(encoded(data, NEW), expected)


def test_marks_of_missing_values_are_the_logs(cache: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    FRAME.assign(site=FRAME["site"].fillna("unbekannt")).to_csv(log, index=False)
    data = prepare(log, DataOptions(missing=("unbekannt",)), cache=cache)
    the_same(encoded(data, FRAME.assign(site=FRAME["site"].fillna("unbekannt"))), encoded(data, log))
    assert (encoded(data, log).ids == 0).any()


def test_a_folder_of_one_day_knows_its_day(cache: Path, tmp_path: Path) -> None:
    for day in range(3):
        (tmp_path / "log" / f"day={day}").mkdir(parents=True)
        FRAME[day::3].to_csv(tmp_path / "log" / f"day={day}" / "part.csv", index=False)
    data = prepare(tmp_path / "log", DataOptions(kinds={"day": "category"}), cache=cache)
    every = encoded(data, tmp_path / "log")
    the_same(encoded(data, tmp_path / "log" / "day=2"), every.part(slice(200, None)))


def test_missing_columns_are_named(data: EncodedDataset, tmp_path: Path) -> None:
    lacking = NEW.drop(columns=["price", "site"]).rename(columns={"user": "User"})
    with pytest.raises(DataError, match=r"frame: the rows lack 3 columns: 'user', 'price', 'site'; columns are User,"):
        encoded(data, lacking)
    lacking.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(DataError, match=r"new.csv: the rows lack 3 columns"):
        encoded(data, tmp_path / "new.csv")
    (tmp_path / "parts").mkdir()
    NEW.to_csv(tmp_path / "parts" / "a.csv", index=False)
    NEW.drop(columns="site").to_csv(tmp_path / "parts" / "b.csv", index=False)
    with pytest.raises(DataError, match=r"b.csv: .* it lacks site"):
        encoded(data, tmp_path / "parts")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1, 2], "expected a frame .* found list"),
        ({"user": ["a"], "site": ["x", "y"]}, "column 'site': 2 cells, but 1 in column 'user'"),
        ({"user": [1, "a"]}, "column 'user': cells that are no column"),
        ({"user": [10**400]}, "column 'user': cells that are no column"),
    ],
)
def test_rows_that_are_none(rows: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_rows(rows, ["user"], LogForm())  # type: ignore[arg-type]


def test_a_bad_cell_is_named(data: EncodedDataset, tmp_path: Path) -> None:
    bad = NEW.astype({"price": object})
    bad.loc[123, "price"] = "free"
    bad.to_csv(tmp_path / "new.csv", index=False)
    data = prepare(tmp_path / "log.csv", DataOptions(min_count=1, numeric={"price": "bucket"}), cache=data.path.parent)
    with pytest.raises(DataError, match=r"new.csv, line 125, column 'price': expected a number, found 'free'"):
        encoded(data, tmp_path / "new.csv")


def test_lists_and_times_with_types_or_without(cache: Path, tmp_path: Path) -> None:
    tags = [["a", "b", "c"][: k % 3 + 1] for k in range(300)]
    typed = FRAME.assign(tags=pd.Series(tags), when=pd.to_datetime(FRAME["when"]))
    text = FRAME.assign(tags=["|".join(items) for items in tags])
    text.to_csv(tmp_path / "log.csv", index=False)
    options = DataOptions(kinds={"tags": "list"}, list_delimiter="|")
    learnt_from_text = prepare(tmp_path / "log.csv", options, cache=cache)
    the_same(encoded(learnt_from_text, typed), encoded(learnt_from_text, text))
    learnt_from_types = prepare(typed, DataOptions(kinds={"tags": "list"}), cache=cache)
    the_same(encoded(learnt_from_types, typed.assign(when=FRAME["when"])), encoded(learnt_from_types, typed))
    with pytest.raises(DataError, match="line 1, column 'tags': expected a list"):
        encoded(learnt_from_types, text)


def test_polars_and_arrow_are_logs_to_learn_from(cache: Path) -> None:
    found = prepare(pl.from_pandas(FRAME), cache=cache)
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    np.testing.assert_array_equal(prepare(table, cache=cache).train.ids, found.train.ids)
    np.testing.assert_array_equal(found.train.ids, prepare(FRAME, cache=cache).train.ids)
