"""The exported encoder, which knows numpy alone, against the model's own: on the files of all readers, to the bit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.util import hash_array

from nas_fusion.data import DataOptions, prepare
from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.data.schema import CellForm, CellPart, Field, FieldKind, Schema
from nas_fusion.data.sources import CellRules, Chunk, chunks_of, open_source
from nas_fusion.data.times import TimeForm
from nas_fusion.serving.export import reference, reference_encoder
from nas_fusion.serving.export.encoding_map import write_encoding_map
from nas_fusion.serving.export.export_check import inputs_of
from nas_fusion.serving.export.reference.encoder import shortest
from nas_fusion.serving.export.reference.encoder_hashes import pandas_hash
from tests.serving.clicks_log import OPTIONS, clicks

ROWS = 300
DRAW = np.random.default_rng(4)


def csv_log(folder: Path) -> Path:
    """Texts all of them: decimal commas, times, lists, marks, hashes."""
    clicks(ROWS).to_csv(folder / "clicks.csv", sep=";", index=False)
    return folder / "clicks.csv"


def parquet_log(folder: Path) -> Path:
    """Types: whole numbers with gaps (7.0 is 7), booleans, time stamps, lists of texts, float32 categories."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "place": np.where(rng.random(ROWS) < 0.1, np.nan, rng.integers(0, 9, ROWS)),
            "rate": rng.choice([0.1, 2.5e-7, 12345678.0, 1e12], ROWS).astype(np.float32),
            "paid": rng.random(ROWS) < 0.5,
            "price": np.where(rng.random(ROWS) < 0.3, 0.0, rng.lognormal(size=ROWS)),
            "when": pd.Timestamp("2024-02-28T22:00:00", tz="Europe/Paris")
            + pd.to_timedelta(rng.integers(0, 10**6, ROWS), unit="s"),
            "tags": [None if n == 4 else [f"t{t}" for t in rng.integers(0, 5, n)] for n in rng.integers(0, 5, ROWS)],
            "click": rng.integers(0, 2, ROWS),
        }
    )
    frame.to_parquet(folder / "log.parquet", index=False)
    return folder / "log.parquet"


def criteo_log(folder: Path) -> Path:
    rng = np.random.default_rng(6)
    numbers = rng.integers(-2, 5000, (ROWS, 13)) // rng.choice([1, 50, 2000], (ROWS, 13))
    texts = [["" if rng.random() < 0.1 else f"{c:08x}" for c in row] for row in rng.integers(0, 40, (ROWS, 26))]
    cells = [[str(i % 2), *map(str, n), *t] for i, (n, t) in enumerate(zip(numbers, texts, strict=True))]
    for row in cells[::7]:
        row[1 + len(row) % 13] = ""
    return written(folder / "criteo.txt", ["\t".join(row) for row in cells])


def avazu_log(folder: Path) -> Path:
    lines = [f"{i},{i // 2 % 2},{14102500 + i % 24 + 100 * (i % 3)},{i % 3},a{i % 5}" for i in range(ROWS)]
    return written(folder / "avazu.csv", ["id,click,hour,C1,site_id", *lines])


def kdd12_log(folder: Path) -> Path:
    rows = DRAW.integers(0, 30, (ROWS, 12))
    return written(folder / "kdd.txt", ["\t".join(map(str, [row[0] % 2, *row[1:]])) for row in rows.tolist()])


def libsvm_log(folder: Path) -> Path:
    lines = [f"{i % 2} {i % 5}:1 {10 + i % 3}:1.0 20:{i / 7:.3f} {i % 2 + 30}:{i % 4 + 1}" for i in range(ROWS)]
    return written(folder / "log.svm", lines)


def libffm_log(folder: Path) -> Path:
    lines = [f"{i % 2} 0:{i % 5}:1 1:{10 + i % 3}:1 2:20:{i / 7:.3f} 3:{i % 2 + 30}:{i % 4 + 1}" for i in range(ROWS)]
    return written(folder / "log.ffm", lines)


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


LOGS: Mapping[str, tuple[Callable[[Path], Path], DataOptions]] = {
    "csv": (csv_log, OPTIONS),
    "csv, bins": (csv_log, DataOptions(label="clicked", kinds={"age": "bucket", "price": "both"})),
    "parquet": (
        parquet_log,
        DataOptions(label="click", kinds={"place": "category", "rate": "category", "paid": "category"}),
    ),
    "criteo": (criteo_log, DataOptions()),
    "criteo, Criteo's rule": (criteo_log, DataOptions(numbers="log")),
    "criteo, as published": (criteo_log, DataOptions(reproduce_criteo_buckets=True)),
    "avazu": (avazu_log, DataOptions()),
    "kdd12": (kdd12_log, DataOptions()),
    "libsvm": (libsvm_log, DataOptions()),
    "libffm": (libffm_log, DataOptions()),
}


def plain_rows(chunk: Chunk) -> list[dict[str, Any]]:
    """Rows as dictionaries; float32 stays what it is, as it is written with fewer digits."""
    columns = {name: chunk.rows.column(name) for name in chunk.rows.schema.names}
    cells = {
        name: [None if cell is None else np.float32(cell) for cell in column.to_pylist()]
        if pa.types.is_float32(column.type)
        else column.to_pylist()
        for name, column in columns.items()
    }
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def assert_equal_encodings(encoding: FittedEncoding, chunk: Chunk, folder: Path, rules: CellRules) -> None:
    folder.mkdir()
    write_encoding_map(folder, encoding, rules)
    with reference_encoder(folder) as encode:
        found = encode(plain_rows(chunk))
    ours = encoding.encode(chunk)
    for theirs, expected in zip(map(np.asarray, found), map(np.asarray, inputs_of(ours)), strict=False):
        assert theirs.dtype == expected.dtype
        np.testing.assert_array_equal(theirs, expected)
    assert (found[1].shape[1] == 0) == (ours.values is None)


@pytest.mark.parametrize("name", LOGS)
def test_logs_of_every_reader(name: str, tmp_path: Path) -> None:
    write, options = LOGS[name]
    path = write(tmp_path)
    dataset = prepare(path, options, cache=tmp_path / "cache")
    encoding = dataset.encoding()
    (chunk,) = chunks_of(open_source(path, options), encoding.columns)
    assert dataset.log_form.format == name.partition(",")[0]
    assert_equal_encodings(encoding, chunk, tmp_path / "exported", dataset.log_form.rules)


def test_the_logs_have_every_kind_of_field(tmp_path: Path) -> None:
    found = set()
    for name, (write, options) in LOGS.items():
        folder = tmp_path / name
        folder.mkdir()
        dataset = prepare(write(folder), options, cache=folder / "cache")
        found |= {(field.kind, field.part) for field in dataset.schema.fields}
    assert {kind for kind, _ in found} == set(FieldKind)
    assert {part for _, part in found} == set(CellPart)


MOMENT = datetime(2024, 2, 29, 23, 5, 7)
TIMES: Mapping[TimeForm, list[str]] = {
    TimeForm.YMD: [
        "2024-02-29", "2024-02-29 23:05", "2024/02/29T23:05:07.25Z", "2024-02-29T23:05:07+0530", "24-2-29",
        "29/Feb/2024:23:05:07 +0200", "Feb 29, 2024 11:05 PM", "Thu Feb 29 23:05:07 -0930 2024", "2024-Feb-29",
        "20240229T230507Z", "2024-02", "Thursday, 29th February 2024", "2024-02-29 12:00 am", "2024-02-29 24:00",
        " 2024-02-29 08:00 ", "NULL", "",
    ],
    TimeForm.MDY: ["2/29/2024 8:00 PM", "02-29-24", "3.1.1999 23:59:60", "12/31/68"],
    TimeForm.DMY: ["29/2/2024 20:00", "29.02.24", "1.3.1999", "31-12-69 07:08:09.123456789"],
    TimeForm.TIMESTAMP: ["2024-02-29 23:05:07", "2024-02-29"],
    TimeForm.CLOCK: ["20:00", "8:05:07 pm", "12:00 AM", "7 a.m."],
    TimeForm.SECONDS: ["1709247907", "1709247907.75", "1.709247907e9", "+1709247907", "1709247907.0"],
    TimeForm.MILLISECONDS: ["1709247907123", "1709247907123.5"],
    TimeForm.MICROSECONDS: ["1709247907123456"],
    TimeForm.NANOSECONDS: ["1709247907123456789"],
    **{
        form: [MOMENT.strftime(layout)]
        for form, layout in (
            (TimeForm.YYYYMMDDHHMMSS, "%Y%m%d%H%M%S"), (TimeForm.YYYYMMDDHHMM, "%Y%m%d%H%M"),
            (TimeForm.YYYYMMDDHH, "%Y%m%d%H"), (TimeForm.YYYYMMDD, "%Y%m%d"), (TimeForm.YYMMDDHHMMSS, "%y%m%d%H%M%S"),
            (TimeForm.YYMMDDHHMM, "%y%m%d%H%M"), (TimeForm.YYMMDDHH, "%y%m%d%H"), (TimeForm.YYMMDD, "%y%m%d"),
            (TimeForm.MMDDYYYY, "%m%d%Y"), (TimeForm.DDMMYYYY, "%d%m%Y"), (TimeForm.MMDDYY, "%m%d%y"),
            (TimeForm.DDMMYY, "%d%m%y"),
        )
    },
}  # fmt: skip


def time_fields(form: TimeForm) -> FittedEncoding:
    """Hour, weekday and day of a column, each as a number that is not rounded."""
    cells = CellForm(time=form.value, start=1_600_000_000_000_000)
    parts = (CellPart.HOUR, CellPart.WEEKDAY, CellPart.DAY)
    fields = [Field(f"when.{part}", FieldKind.SCALED, 2, "when", part, cells) for part in parts]
    return FittedEncoding.of(Schema(tuple(fields), "click"), [None] * len(fields))


@pytest.mark.parametrize("form", TIMES)
def test_times_in_every_form(form: TimeForm, tmp_path: Path) -> None:
    chunk = Chunk(pa.table({"when": pa.array([*TIMES[form], None], pa.large_string())}))
    assert_equal_encodings(time_fields(form), chunk, tmp_path / "exported", CellRules())


def test_every_form_of_time_is_here() -> None:
    assert set(TIMES) == set(TimeForm) - {TimeForm.NUMBER}


@pytest.mark.parametrize("form", [TimeForm.SECONDS, TimeForm.YYYYMMDD])
@pytest.mark.parametrize("text", ["yesterday", "20241301", "2024-13-01", "-"])
def test_what_is_no_time_is_refused(form: TimeForm, text: str, tmp_path: Path) -> None:
    write_encoding_map(tmp_path, time_fields(form), CellRules(marks=()))
    if form is TimeForm.SECONDS and text.isdigit():
        return
    with (
        reference_encoder(tmp_path) as encode,
        pytest.raises(ValueError, match=f"when: expected a time .{form}., found"),
    ):
        encode([{"when": text}])


@given(st.floats(width=64, allow_nan=False, allow_infinity=False))
@settings(deadline=None, derandomize=True)
def test_numbers_as_text(x: float) -> None:
    assert shortest(x) == pa.array([x]).cast(pa.string())[0].as_py()
    with np.errstate(over="ignore"):
        narrow = np.float32(x)
    assert np.isinf(narrow) or shortest(narrow) == pa.array([narrow]).cast(pa.string())[0].as_py()


@given(st.text(max_size=40))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_hashes_are_those_of_pandas(text: str) -> None:
    assert pandas_hash(text) == int(hash_array(np.array([text], object), categorize=False)[0])


def test_it_needs_numpy_and_the_standard_library_alone() -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "encoder_hashes", "encoder_times"}
    for path in Path(*reference.__path__).glob("encoder*.py"):
        imported = {line.split()[1].partition(".")[0] for line in path.read_text().splitlines() if is_import(line)}
        assert imported <= allowed


def is_import(line: str) -> bool:
    return line.lstrip().startswith(("import ", "from ")) and '"""' not in line
