"""Every format is read as documented, the real samples among them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, FieldKind, open_rows, prepare
from nas_fusion.data.sources import FileHead, Source, open_source
from nas_fusion.data.sources.readers import recognise
from nas_fusion.errors import DataError

Sample = Callable[[str], Path]
Write = Callable[[str, str], Path]

REAL = {
    # rows, fields, label rate
    "frappe.parquet": (288_609, 10, 1 / 3),
    "ml100k.parquet": (100_000, 11, 0.55375),
    "criteo_10k.txt": (10_000, 39, 0.2182),
    "avazu_8k.csv": (8_087, 24, 0.172746),
    "kdd12_40k.txt": (39_948, 11, 6_728 / 39_948),
}


def rows(data: EncodedDataset) -> int:
    return len(data.train) + len(data.valid) + len(data.test)


def all_ids(data: EncodedDataset) -> np.ndarray:
    return np.concatenate([data.train.ids, data.valid.ids, data.test.ids])


@pytest.mark.parametrize("name", REAL)
def test_real_samples(name: str, sample: Sample, cache: Path) -> None:
    expected_rows, fields, rate = REAL[name]
    kinds = {"genres": "category"} if name == "ml100k.parquet" else {}  # a list of words, undeclared
    data = prepare(sample(name), DataOptions(kinds=kinds), cache=cache)
    assert rows(data) == expected_rows
    assert len(data.schema.fields) == data.train.ids.shape[1] == fields
    positives = sum(float(s.labels.sum()) for s in (data.train, data.valid, data.test))
    assert positives / expected_rows == pytest.approx(rate, abs=1e-5)
    assert (all_ids(data) < np.array(data.schema.field_sizes)).all()


def test_frappe_uses_its_split_column(sample: Sample, cache: Path) -> None:
    data = prepare(sample("frappe.parquet"), cache=cache)
    assert (len(data.train), len(data.valid), len(data.test)) == (202_027, 57_722, 28_860)
    assert [f.name for f in data.schema.fields][:2] == ["user", "item"]
    assert all(f.kind is FieldKind.CATEGORICAL for f in data.schema.fields)
    assert data.train.values is None


def test_criteo_numbers_are_bucketed(sample: Sample, cache: Path) -> None:
    numbers = prepare(sample("criteo_10k.txt"), cache=cache)
    assert [f.kind for f in numbers.schema.fields] == [FieldKind.INTERPOLATED] * 13 + [FieldKind.CATEGORICAL] * 26
    apart = prepare(sample("criteo_10k.txt"), DataOptions(numbers="log"), cache=cache)
    kinds = [f.kind for f in apart.schema.fields]
    assert kinds == [FieldKind.BUCKETED] * 13 + [FieldKind.CATEGORICAL] * 26
    published = prepare(sample("criteo_10k.txt"), DataOptions(reproduce_criteo_buckets=True), cache=cache)
    # I4 holds 1, 2, 3, 4, 5 often enough: as published 3 and 4 share a bucket with 1, and 5 with 2.
    assert published.schema.fields[3].size == apart.schema.fields[3].size - 2


@pytest.mark.parametrize(
    ("lines", "suffix", "kind"),
    [
        (["\t".join(["0"] * 40)] * 3, ".txt", "criteo"),
        (["\t".join(["0"] * 3), *["\t".join(["1"] * 40)] * 3], ".txt", "criteo"),
        (["\t".join(["0"] * 12)] * 3, ".txt", "kdd12"),
        (["id,click,hour,C1", "1,0,14102100,5"], ".txt", "avazu"),
        (["1 3:1 5:0.5", "0 4:1 5:1"], ".txt", "libsvm"),
        (["a,b,label", "1,2,0"], ".txt", "csv"),
        (["a\tb\tlabel", "1\t2\t0"], ".tsv", "csv"),
    ],
)
def test_recognised(lines: list[str], suffix: str, kind: str, write: Write) -> None:
    path = write(f"log{suffix}", "\n".join(lines) + "\n")
    assert recognise(FileHead(path)).kind == kind


def test_parquet_is_recognised_without_its_extension(clicks: pd.DataFrame, tmp_path: Path) -> None:
    clicks.to_parquet(tmp_path / "log.bin", index=False)
    assert open_source(tmp_path / "log.bin").kind == "parquet"


def test_frame_parquet_and_csv_give_the_same(clicks: pd.DataFrame, tmp_path: Path, cache: Path) -> None:
    clicks.to_parquet(tmp_path / "log.parquet", index=False)
    clicks.to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress((tmp_path / "log.csv").read_bytes()))
    clicks.to_csv(tmp_path / "log.tsv", index=False, sep="\t")
    sources: list[Path | pd.DataFrame] = [clicks]
    sources += [tmp_path / f"log.{suffix}" for suffix in ("parquet", "csv", "csv.gz", "tsv")]
    first, *others = [prepare(s, cache=cache) for s in sources]
    assert [f.kind for f in first.schema.fields] == ["categorical", "categorical", "interpolated", "categorical"]
    for other in others:
        assert other.schema == first.schema
        for split in ("train", "valid", "test"):
            np.testing.assert_array_equal(getattr(other, split).ids, getattr(first, split).ids)
            np.testing.assert_array_equal(getattr(other, split).labels, getattr(first, split).labels)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_size_of_chunks_does_not_show(
    suffix: str, clicks: pd.DataFrame, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"log.{suffix}"
    clicks.to_csv(path, index=False) if suffix == "csv" else clicks.to_parquet(path, index=False)
    options = DataOptions(numeric={"day": "scale"}, split="time:day")
    whole = prepare(path, options, cache=cache / "whole")
    monkeypatch.setattr(Source, "chunk_rows", 7)
    monkeypatch.setattr(Source, "chunk_bytes", 200)
    monkeypatch.setattr("nas_fusion.data.encoding.vocabulary.MIN_PENDING", 1)
    small = prepare(path, options, cache=cache / "small")
    assert small.schema.field_sizes == whole.schema.field_sizes
    assert small.statistics == whole.statistics
    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(small, split).ids, getattr(whole, split).ids)
        np.testing.assert_allclose(getattr(small, split).values, getattr(whole, split).values, rtol=1e-6)
        np.testing.assert_array_equal(getattr(small, split).labels, getattr(whole, split).labels)


KDD12 = "".join(
    f"{k % 4 == 0:d}\t{k % 3 + 1}\t" + "\t".join(str(k % n + n) for n in range(2, 12)) + "\n" for k in range(60)
)


@pytest.mark.parametrize(
    ("options", "fields", "told"),
    [
        (DataOptions(), 11, True),
        (DataOptions(drop=("impression",)), 10, False),
        (DataOptions(kinds={"impression": "number"}), 11, False),
        (DataOptions(fields=("ad", "impression")), 2, False),
    ],
)
def test_kdd12_impressions_are_a_field_and_it_is_said_that_they_are_counted_afterwards(
    options: DataOptions, fields: int, told: bool, write: Write, cache: Path
) -> None:
    lines: list[str] = []
    data = prepare(write("log.tsv", KDD12), options, cache=cache, planned=lines.extend)
    assert data.log_form.format == "kdd12"
    assert len(data.schema.fields) == fields
    said = [line for line in lines if "impression is a field" in line]
    assert len(said) == told
    assert all("known only afterwards" in line and "(--drop impression says otherwise)" in line for line in said)


def test_avazu_hour_becomes_three_fields(write: Write, cache: Path) -> None:
    # 2014-10-25 was a Saturday, 2014-10-27 a Monday.
    lines = [f"{i},{i // 2 % 2},{'14102500' if i % 2 else '14102723'},{i % 3}" for i in range(200)]
    path = write("log.csv", "id,click,hour,C1\n" + "\n".join(lines) + "\n")
    data = prepare(path, cache=cache)
    assert [f.name for f in data.schema.fields] == ["hour_of_day", "weekday", "is_weekend", "C1"]
    assert set(data.vocabulary("hour_of_day")) == {"0", "23"}
    assert set(data.vocabulary("weekday")) == {"5", "0"}
    assert set(data.vocabulary("is_weekend")) == {"0", "1"}


def avazu(rows: int = 400) -> pd.DataFrame:
    """Hours from Friday, 2014-10-24, 0:00 on; numbers are numbers."""
    k = np.arange(rows)
    hours = 14_102_400 + k // 24 % 6 * 100 + k % 24
    ids = {"id": k + 10**9, "click": (k * 7 % 5 == 0).astype(int), "hour": hours, "C1": 1005 + k % 4}
    return pd.DataFrame({**ids, "site_id": [f"{j * 2654435761 % 2**32:08x}" for j in k % 17]})


def with_times(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(hour=pd.to_datetime(frame["hour"].astype(str), format="%y%m%d%H"))


AVAZU_FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "numbers": lambda frame: frame,
    "texts": lambda frame: frame.astype(str).assign(click=frame["click"]),
    "floats": lambda frame: frame.assign(hour=frame["hour"].astype(float)),
    "categories": lambda frame: frame.astype({"hour": "category"}),
    "times": with_times,
    "arrow": pa.Table.from_pandas,
}


@pytest.mark.parametrize("form", AVAZU_FRAMES)
@pytest.mark.parametrize("split", ["random:8:1:1", "time:hour"])
def test_avazu_in_frames_is_what_it_is_as_text(form: str, split: str, write: Write, cache: Path) -> None:
    options = DataOptions(format="avazu", split=split, min_count=1)
    text = prepare(write("log.csv", avazu().to_csv(index=False)), options, cache=cache)
    data = prepare(AVAZU_FRAMES[form](avazu()), options, cache=cache)
    same_rows(data, text)
    one = {str(name): value for name, value in avazu().iloc[0].items()}
    rows_of_one = open_rows(one, data.encoding().columns, data.log_form, DataOptions())
    assert set(data.encoding().columns) <= set(rows_of_one.columns)


def same_rows(data: EncodedDataset, expected: EncodedDataset) -> None:
    assert [f.name for f in data.schema.fields] == ["hour_of_day", "weekday", "is_weekend", "C1", "site_id"]
    assert data.schema == expected.schema
    for name in ("hour_of_day", "weekday", "is_weekend", "C1", "site_id"):
        assert data.vocabulary(name) == expected.vocabulary(name)
    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(data, split).ids, getattr(expected, split).ids)
        np.testing.assert_array_equal(getattr(data, split).labels, getattr(expected, split).labels)


def test_avazu_in_parquet_is_what_it_is_as_text(write: Write, tmp_path: Path, cache: Path) -> None:
    options = DataOptions(format="avazu", min_count=1)
    text = prepare(write("log.csv", avazu().to_csv(index=False)), options, cache=cache)
    avazu().to_parquet(tmp_path / "log.parquet", index=False)
    same_rows(prepare(tmp_path / "log.parquet", options, cache=cache), text)
    (tmp_path / "parts").mkdir()
    for part in range(2):
        avazu()[part * 200 : part * 200 + 200].to_parquet(tmp_path / "parts" / f"{part}.parquet", index=False)
    same_rows(prepare(tmp_path / "parts", options, cache=cache), text)
    with pytest.raises(DataError, match="this is parquet, and the format criteo is one of text"):
        prepare(tmp_path / "log.parquet", DataOptions(format="criteo"), cache=cache)


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ([14102124, 14102100], "line 1, column 'hour': expected a time YYMMDDHH, found '14102124'"),
        ([14102100.0, 14102100.5], "line 2, column 'hour': expected a time YYMMDDHH, found 14102100.5"),
        (["14102100", "later"], "line 2, column 'hour': expected a time YYMMDDHH, found 'later'"),
    ],
)
def test_an_hour_of_a_frame_that_is_none_is_named(hours: list[object], message: str, cache: Path) -> None:
    filled = [*hours, *hours[:1] * 58]
    frame = pd.DataFrame({"click": [0, 1] * 30, "hour": filled, "C1": range(60)})
    with pytest.raises(DataError, match=message):
        prepare(frame, DataOptions(format="avazu"), cache=cache)
    with pytest.raises(DataError, match="an Avazu log has a column 'hour'; columns are click, C1"):
        prepare(frame.drop(columns="hour"), DataOptions(format="avazu"), cache=cache)


def test_avazu_can_be_split_by_its_hour(write: Write, cache: Path) -> None:
    lines = [f"{i},{i % 2},{14102500 + i // 10 % 10:08d},{i // 10}" for i in range(100)]
    path = write("log.csv", "id,click,hour,C1\n" + "\n".join(lines) + "\n")
    data = prepare(path, DataOptions(split="time:hour", min_count=1), cache=cache)
    assert set(data.vocabulary("hour_of_day")) == {str(h) for h in range(8)}
    assert (data.test.ids[:, 0] == 1).all()


def test_kdd12_label_is_any_click(write: Write, cache: Path) -> None:
    lines = ["\t".join([str(i % 3), *["1"] * 10, str(i % 5)]) for i in range(300)]
    data = prepare(write("kdd.txt", "\n".join(lines) + "\n"), cache=cache)
    positives = sum(s.positives for s in (data.train, data.valid, data.test))
    assert (rows(data), positives) == (300, 200)


@pytest.mark.parametrize("end", ["\n", " \n"])
def test_libsvm_categories_and_numbers(end: str, write: Write, cache: Path) -> None:
    lines = [f"{i % 2} {i % 5}:1 {10 + i % 3}:1.0 20:{i / 7:.3f} {i % 2 + 30}:{i % 4 + 1}" for i in range(300)]
    data = prepare(write("log.svm", end.join(lines) + end), cache=cache)
    assert [f.name for f in data.schema.fields] == ["field1", "field2", "field3", "field4"]
    assert [f.kind for f in data.schema.fields] == ["categorical", "categorical", "interpolated", "categorical"]
    assert set(data.vocabulary("field2")) == {"10", "11", "12"}
    assert set(data.vocabulary("field4")) == {"30", "31:2", "30:3", "31:4"}


def test_blank_lines_are_skipped(write: Write, cache: Path) -> None:
    text = "a,label\n" + "1,0\n2,1\n" * 50
    plain = prepare(write("plain.csv", text), cache=cache)
    blank = prepare(write("blank.csv", "\n" + text.replace("2,1\n", "2,1\n\n", 5) + "\n\n"), cache=cache)
    np.testing.assert_array_equal(blank.train.ids, plain.train.ids)


def test_quotes_and_semicolons(write: Write, cache: Path) -> None:
    path = write("log.csv", "a;label\n" + '"x;1";0\ny;1\n' * 50)
    assert set(prepare(path, cache=cache).vocabulary("a")) == {"x;1", "y"}
