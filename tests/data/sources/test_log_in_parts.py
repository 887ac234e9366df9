"""A log in several files: folders, patterns, lists of paths, Hive's keys; on the disk and on other file systems."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from nas_fusion.cli.log_reading import default_study
from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.data.sources import Source, chunks_of, file_places, open_source
from nas_fusion.errors import DataError
from nas_fusion.log_formats import name_of_log

LOG = pd.DataFrame(
    {
        "click": np.arange(300) // 2 % 2,
        "user": [f"u{k % 7}" for k in range(300)],
        "price": [k / 8 + 0.125 for k in range(300)],
    }
)
PARTS = [LOG[:100], LOG[100:180], LOG[180:]]


def lay(folder: Path, parts: list[pd.DataFrame] = PARTS, suffix: str = "csv") -> Path:
    """Write parts into a folder."""
    folder.mkdir(parents=True)
    for number, part in enumerate(parts):
        path = folder / f"part-{number:05d}.{suffix}"
        part.to_csv(path, index=False) if suffix == "csv" else part.to_parquet(path, index=False)
    return folder


def cells(log: str | Path | list[str], **options: object) -> dict[str, list[object]]:
    source = open_source(log, DataOptions(**options))  # type: ignore[arg-type]
    tables = [pa.table(chunk.rows.to_pydict()) for chunk in chunks_of(source, source.columns)]
    return pa.concat_tables(tables, promote_options="permissive").to_pydict()


def same(found: EncodedDataset, expected: EncodedDataset) -> None:
    assert found.schema == expected.schema
    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(found, split).ids, getattr(expected, split).ids)
        np.testing.assert_array_equal(getattr(found, split).labels, getattr(expected, split).labels)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_folder_as_spark_writes_it_is_one_log(suffix: str, tmp_path: Path, cache: Path) -> None:
    folder = lay(tmp_path / "clicks.out", suffix=suffix)
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-00000.crc").write_text("crc")
    (folder / f"part-00003.{suffix}").write_text("")
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / f"part-9.{suffix}").write_text("half a row")
    lay(tmp_path / "one", [LOG], suffix)
    one = tmp_path / "one" / f"part-00000.{suffix}"
    found = prepare(folder, cache=cache)
    assert found.name == "clicks"
    same(found, prepare(one, cache=cache))
    assert cells(folder) == cells(one)


def test_hive_keys_are_columns(tmp_path: Path) -> None:
    for key, part in zip(
        ("day=2024-03-01/h=07", "day=__HIVE_DEFAULT_PARTITION__/h=8", "day=a%2Fb/h=9"), PARTS, strict=True
    ):
        lay(tmp_path / "log" / key, [part], "parquet")
    found = cells(tmp_path / "log")
    assert list(found) == ["click", "user", "price", "day", "h"]
    assert found["day"] == ["2024-03-01"] * 100 + [None] * 80 + ["a/b"] * 120
    assert found["h"] == ["07"] * 100 + ["8"] * 80 + ["9"] * 120
    assert found["price"] == LOG["price"].tolist()
    assert cells(f"{tmp_path}/log/day=*/h=[89]")["h"] == ["8"] * 80 + ["9"] * 120
    assert list(cells(tmp_path / "log" / "day=2024-03-01" / "h=07")) == ["click", "user", "price"]
    source = open_source(tmp_path / "log")
    assert sum(len(chunk) for chunk in chunks_of(source, ["day"])) == 300  # no column of the files is asked for


def test_a_key_that_is_also_a_column_is_the_column(tmp_path: Path) -> None:
    lay(tmp_path / "log" / "user=x", [LOG], "parquet")
    assert cells(tmp_path / "log")["user"] == LOG["user"].tolist()


def test_a_split_by_a_hive_key(tmp_path: Path, cache: Path) -> None:
    for day, part in zip(("2024-03-03", "2024-03-01", "2024-03-02"), [LOG[:100], LOG[100:200], LOG[200:]], strict=True):
        lay(tmp_path / "log" / f"day={day}", [part], "parquet")
    data = prepare(tmp_path / "log", DataOptions(split="time:day:1:1:1"), cache=cache)
    newest = LOG[:100]
    assert data.test.positives == newest["click"].sum()
    assert len(data.test) == 100


def test_folders_of_different_keys_are_refused(tmp_path: Path) -> None:
    lay(tmp_path / "log" / "day=1", [PARTS[0]])
    lay(tmp_path / "log" / "hour=1", [PARTS[1]])
    with pytest.raises(
        DataError, match=r"hour=1/part-00000\.csv: parts .* the same keys: day, as .*day=1/part-00000\.csv"
    ):
        open_source(tmp_path / "log")


def test_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path / "a" / "x")
    lay(tmp_path / "a" / "y,[z]", [LOG])
    monkeypatch.chdir(tmp_path)
    whole = cells("a/x")
    for text in (
        "a/x/*.csv",
        "a/x/part-0000[012].csv",
        "a/x/part-0000?.csv",
        "a/x/",
        "**/x/*.csv",
        "./a/x/**",
        f"{tmp_path}/a/x/*",
    ):
        assert cells(text) == whole, text
    assert cells("a/x/part-00000.csv, a/x/part-00001.csv,a/x/part-00002.csv") == whole
    assert cells(["a/x/part-00000.csv", "a/x/part-0000[12].csv"]) == whole
    assert (
        cells("a/y,[z]")["click"] == cells("a/y,[z]/part-00000.csv")["click"] == whole["click"]
    )  # it exists as it stands
    backwards = cells(["a/x/part-00002.csv", "a/x/part-00000.csv"])
    assert backwards["price"] == whole["price"][180:] + whole["price"][:100]


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("logs/train.csv", "train"),
        ("logs/spark.parquet/", "spark"),
        ("logs/clicks/*.csv", "clicks"),
        ("logs/clicks/day=2024-*/part-*", "clicks"),
        ("clicks/day=2024-03-01", "clicks"),
        ("a/day1.csv,a/day2.csv,a/day3.csv", "day1+2"),
        ("s3://bucket/logs/clicks.parquet?endpoint_override=http://x/y.z", "clicks"),
        ("*.csv", "log"),
    ],
)
def test_names(log: str, name: str) -> None:
    assert name_of_log(log) == name
    assert default_study(log).name == name


def test_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no file is there"):
        open_source(tmp_path / "empty")
    (tmp_path / "empty" / "a.csv").write_text("")
    with pytest.raises(DataError, match="empty: there are only empty files"):
        open_source(tmp_path / "empty")
    for text in (f"{tmp_path}/nothing/*.csv", f"{tmp_path}/empty/*.parquet"):
        with pytest.raises(DataError, match="no file is there"):
            open_source(text)
    with pytest.raises(DataError, match=r"nothing\.csv: no such file"):
        open_source(f"{tmp_path}/nothing.csv,{tmp_path}/empty")
    (tmp_path / "table" / "_delta_log").mkdir(parents=True)
    with pytest.raises(DataError, match="table: this is a Delta table"):
        open_source(tmp_path / "table")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe: neither a file nor a folder"):
        open_source(tmp_path / "pipe")
    with pytest.raises(DataError, match="foo://x/y: no file system of this kind"):
        open_source("foo://x/y")


# Parts that are not alike


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda part: part.drop(columns="user"), "it lacks user"),
        (lambda part: part.rename(columns={"user": "visitor"}), "it lacks user, only it has visitor"),
        (lambda part: part.assign(more=1), "only it has more"),
    ],
)
def test_a_part_with_other_columns_is_named(
    change: Callable[[pd.DataFrame], pd.DataFrame], problem: str, suffix: str, tmp_path: Path
) -> None:
    folder = lay(tmp_path / "log", [PARTS[0], change(PARTS[1]), PARTS[2]], suffix)
    with pytest.raises(DataError, match=rf"part-00001\.{suffix}: .* columns.* {problem}"):
        open_source(folder)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_order_of_columns_may_differ(suffix: str, tmp_path: Path) -> None:
    ordered = cells(lay(tmp_path / "ordered", suffix=suffix))
    mixed = lay(tmp_path / "mixed", [PARTS[0], PARTS[1][["price", "click", "user"]], PARTS[2]], suffix)
    assert cells(mixed) == ordered


@pytest.mark.parametrize("headless", [(1,), (1, 2), (0,)])
def test_parts_without_a_header_have_that_of_the_others(headless: tuple[int, ...], tmp_path: Path) -> None:
    folder = lay(tmp_path / "log")
    expected = cells(folder)
    for number in headless:
        path = folder / f"part-0000{number}.csv"
        path.write_text(path.read_text().partition("\n")[2])
    assert cells(folder) == expected
    (guess,) = open_source(folder).guesses
    assert guess.what == f"{len(headless)} of 3 parts have no header"
    odd = folder / f"part-0000{headless[0]}.csv"
    odd.write_text(odd.read_text().replace(".125", ".125,9", 1))
    with pytest.raises(DataError, match=rf"{odd.name}, line \d+: expected 3 columns, found 4"):
        cells(folder)


def test_parts_of_a_header_alone_have_no_rows(tmp_path: Path) -> None:
    folder = lay(tmp_path / "log", [PARTS[0][:0], PARTS[0], PARTS[1][:0], PARTS[1], PARTS[2], PARTS[2][:0]])
    assert cells(folder)["price"] == [str(price) for price in LOG["price"]]


def test_one_guess_holds_for_all_parts(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.csv").write_text("click;price\n" + "1;3,5\n0;4,25\n" * 20)
    (folder / "b.csv").write_text("click;price\n" + "1;3\n0;4\n" * 20)  # alone, it would tell nothing
    source = open_source(folder)
    found = np.concatenate([chunk.numbers("price") for chunk in chunks_of(source, ["price"])])
    assert found.tolist() == [3.5, 4.25] * 20 + [3, 4] * 20
    svm = tmp_path / "svm"
    svm.mkdir()
    (svm / "a.svm").write_text("1 3:1 20:0.5\n0 4:1 20:0.75\n")
    (svm / "b.svm").write_text("1 3:1 20:1\n0 4:1 20:1\n")
    assert cells(svm)["field2"] == ["0.5", "0.75", "1", "1"]


def test_types_of_parts_are_made_alike(tmp_path: Path) -> None:
    kinds = [(pa.int64(), [1, 2]), (pa.float64(), [1.0, 2.5]), (pa.null(), [None, None]), (pa.int8(), [3, None])]
    tables = [pa.table({"click": [0, 1], "x": pa.array(values, kind)}) for kind, values in kinds]
    (tmp_path / "log").mkdir()
    for number, table in enumerate(tables):
        pq.write_table(table, tmp_path / "log" / f"{number}.parquet")
    assert cells(tmp_path / "log")["x"] == [1.0, 2.0, 1.0, 2.5, None, None, 3.0, None]
    texts = pa.table({"click": [0, 1], "x": ["a", "b"]})
    pq.write_table(texts, tmp_path / "log" / "4.parquet")
    with pytest.raises(
        DataError, match=r"4\.parquet, column 'x': cells of type string, and of type int64 in the first"
    ):
        open_source(tmp_path / "log")


def test_dictionaries_and_texts_are_alike(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for number, column in enumerate((pa.array(["a", "b"]), pa.array(["b", None]).dictionary_encode())):
        pq.write_table(pa.table({"click": [0, 1], "x": column}), tmp_path / "log" / f"{number}.parquet")
    assert cells(tmp_path / "log")["x"] == ["a", "b", "b", None]


def test_errors_and_notes_name_the_part_and_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", 300)
    odd = PARTS[1].astype({"price": object})
    odd.iloc[5, 2], odd.iloc[7, 2] = "five", "inf"
    folder = lay(tmp_path / "log", [PARTS[0], odd, PARTS[2]])
    source = open_source(folder)
    with pytest.raises(DataError, match=r"part-00001\.csv, line 7, column 'price': expected a number, found 'five'"):
        [chunk.numbers("price") for chunk in chunks_of(source, ["price"])]
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        for chunk in chunks_of(source, ["price"]):
            chunk.numbers("price", odd_is_missing=True)
    assert f"({folder}/part-00001.csv line 7: 'five')" in caplog.text
    assert f"({folder}/part-00001.csv line 9: 'inf')" in caplog.text
    (folder / "part-00002.csv").write_text("click,user,price\n1,u\n")
    with pytest.raises(DataError, match=r"part-00002\.csv, line 2: expected 3 columns, found 2"):
        cells(folder)


def test_a_log_in_parts_is_found_again_wherever_it_lies(tmp_path: Path, cache: Path) -> None:
    first = prepare(lay(tmp_path / "a" / "day=1"), cache=cache)
    assert prepare(lay(tmp_path / "b" / "day=1"), cache=cache).fingerprint == first.fingerprint
    keyed = prepare(tmp_path / "a", cache=cache)
    assert keyed.fingerprint != first.fingerprint
    (tmp_path / "a" / "day=1").rename(tmp_path / "a" / "day=2")
    assert prepare(tmp_path / "a", cache=cache).fingerprint != keyed.fingerprint
    path = tmp_path / "b" / "day=1" / "part-00002.csv"
    path.write_text(path.read_text().replace("u3", "u9", 1))
    assert prepare(tmp_path / "b" / "day=1", cache=cache).fingerprint != first.fingerprint


# Other file systems


def test_addresses_of_this_machine(tmp_path: Path) -> None:
    folder = lay(tmp_path / "log", suffix="parquet")
    whole = cells(folder)
    assert cells(f"file://{folder}") == cells(f"file://{folder}/*.parquet") == whole
    with pytest.raises(DataError, match=r"file://.*nothing: no such file"):
        open_source(f"file://{folder}/nothing")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_system_of_fsspec(suffix: str, tmp_path: Path, cache: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    folder = lay(tmp_path / "log", suffix=suffix)
    memory.put(f"{folder}/", "/logs/clicks/day=1/", recursive=True)
    try:
        same(prepare("memory://logs/clicks/day=1", cache=cache), prepare(folder, cache=cache))
        assert cells("memory://logs/clicks/day=*/*0[12]." + suffix)["day"] == ["1"] * 200
        memory.pipe(f"/logs/clicks/day=1/part-00002.{suffix}", b"PK\x03\x04 and more")
        with pytest.raises(DataError, match=rf"memory://.*part-00002\.{suffix}: "):
            cells("memory://logs/clicks/day=1")
    finally:
        memory.rm("/logs", recursive=True)


@pytest.mark.parametrize(
    ("address", "query", "expected"),
    [
        ("gs://bucket/log", "", "gs://bucket/log?retry_limit_seconds=30"),
        ("gs://bucket/log", "scheme=http", "gs://bucket/log?scheme=http&retry_limit_seconds=30"),
        ("gs://bucket/log", "retry_limit_seconds=5", "gs://bucket/log?retry_limit_seconds=5"),
        ("s3://bucket/log", "region=a", "s3://bucket/log?region=a"),
        ("hdfs://host:8020/log", "", "hdfs://host:8020/log"),
    ],
)
def test_google_is_not_waited_for_for_long(address: str, query: str, expected: str) -> None:
    assert file_places.with_patience(address, query) == expected


@pytest.mark.parametrize(
    ("address", "error", "remedy"),
    [
        ("hdfs://host:8020/log.csv", "Unable to load libjvm", "JAVA_HOME, HADOOP_HOME and CLASSPATH"),
        ("gs://bucket/log.csv", "Could not create a OAuth2 access token", "gs://anonymous@BUCKET"),
    ],
)
def test_what_a_file_system_lacks_is_named(
    address: str, error: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lacking:
        @staticmethod
        def from_uri(uri: str) -> None:
            raise OSError(error)

    monkeypatch.setattr(pyarrow.fs, "FileSystem", Lacking)
    with pytest.raises(DataError, match=f"(?s){error}.*{remedy}") as caught:
        open_source(address)
    assert address in str(caught.value)


def test_a_package_that_fsspec_lacks_is_named() -> None:
    if importlib.util.find_spec("adlfs"):
        pytest.skip("the package of this address is installed")
    with pytest.raises(DataError, match=r"needs a package that is not installed .*adlfs"):
        open_source("abfs://container/log.csv")
    with pytest.raises(DataError, match="no file system of this kind"):
        open_source("nosuch://container/log.csv")


@pytest.mark.slow
def test_an_object_store(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = pytest.importorskip("moto.server", reason="moto, which stands in for an object store, is not installed")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    store = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        host, port = store.get_host_and_port()
        where = f"?scheme=http&region=us-east-1&endpoint_override={host}:{port}"
        system, _ = pa.fs.FileSystem.from_uri(f"s3://logs/{where}&allow_bucket_creation=true")
        system.create_dir("logs")
        folder = lay(tmp_path / "clicks")
        for path in sorted(folder.iterdir()):
            with system.open_output_stream(f"logs/clicks/day=2/{path.name}") as file:
                file.write(path.read_bytes())
        same(prepare(f"s3://logs/clicks/day=2{where}", cache=cache), prepare(folder, cache=cache))
        assert cells(f"s3://logs/clicks/*/*0[12].csv{where}")["day"] == ["2"] * 200
        with pytest.raises(DataError, match=r"s3://logs/nothing.*: no such file"):
            open_source(f"s3://logs/nothing{where}")
        with system.open_output_stream("logs/clicks/day=2/part-00002.csv") as file:
            file.write(b"click,user,price\n1,u\n")
        with pytest.raises(DataError, match=r"s3://logs/clicks/day=2/part-00002\.csv, line 2: expected 3 columns"):
            cells(f"s3://logs/clicks/day=2{where}")
    finally:
        store.stop()
