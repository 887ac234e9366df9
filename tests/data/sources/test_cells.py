"""What cells say: missing marks, blanks, decimal commas, infinity, odd cells, and Arrow's rarer types."""

from __future__ import annotations

import datetime
import decimal
import logging
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nas_fusion.data import MISSING_ID, DataOptions, prepare
from nas_fusion.data.sources import CellRules, Chunk, chunks_of, open_source
from nas_fusion.data.sources.cells import COMMON_MARKS, Numbers, categories, numbers
from nas_fusion.errors import DataError, OptionError

Write = Callable[[str, str], Path]

PRICES = [f"{k / 8:.3f}" for k in range(1, 1001)]
"""Different fractional numbers, enough for a column to be one of numbers."""


def csv(prices: list[str], name: str = "price") -> str:
    return f"click,user,{name}\n" + "".join(f"{k // 2 % 2},u{k % 7},{p}\n" for k, p in enumerate(prices))


def values(column: pa.Array, rules: CellRules) -> list[str | None]:
    found = categories(column, rules)
    return [found.values[code].as_py() if code >= 0 else None for code in found.codes.tolist()]


@pytest.mark.parametrize("mark", COMMON_MARKS)
def test_common_marks_are_missing_and_the_column_stays_one_of_numbers(mark: str, write: Write, cache: Path) -> None:
    prices = [mark if k % 10 == 3 else price for k, price in enumerate(PRICES)]
    data = prepare(write("log.csv", csv(prices)), DataOptions(split="random:8:1:1"), cache=cache)
    assert [str(f.kind) for f in data.schema.fields] == ["categorical", "interpolated"]
    parts = (data.train, data.valid, data.test)
    assert sum(int((part.ids[:, 1] == MISSING_ID).sum()) for part in parts) == 100
    assert sum(data.statistics["fields"][1]["unknown"].values()) == 0


def test_marks_of_the_user(write: Write, cache: Path) -> None:
    prices = [("void", "-999", " -999 ", "9")[k % 4] if k % 10 == 3 else p for k, p in enumerate(PRICES)]
    options = DataOptions(missing=("void", "-999", "void"))
    assert options.missing == ("void", "-999")
    source = open_source(write("log.csv", csv(prices)), options)
    (chunk,) = chunks_of(source, ["price", "user"])
    expected = [np.nan if p.strip() in ("void", "-999") else float(p) for p in prices]
    np.testing.assert_array_equal(chunk.numbers("price"), expected)
    typed = Chunk(pa.table({"x": [1.0, -999.0, 3.0], "k": [-999, 2, 3]}), rules=source.rules)
    np.testing.assert_array_equal(typed.numbers("x"), [1, np.nan, 3])
    assert typed.categories("k").codes.tolist()[0] == -1


def test_marks_must_be_texts() -> None:
    for wrong in ("NA", ("",), (3,), (" ",)):
        with pytest.raises(OptionError, match="missing must be texts that are not empty"):
            DataOptions(missing=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["none", "na", "nothing", "unknown", "no", "--", "0"])
def test_words_that_may_be_values_stay_values(word: str) -> None:
    assert values(pa.array([word]), CellRules()) == [word]


def test_published_formats_have_no_marks(write: Write) -> None:
    line = "\t".join(["1", *["3"] * 13, *["NULL"] * 26])
    (chunk,) = chunks_of(open_source(write("log.txt", f"{line}\n{line}\n")), ["C1"])
    assert chunk.categories("C1").values.to_pylist() == ["NULL"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_cells_are_trimmed(kind: pa.DataType) -> None:
    cells = pa.array([" a", "a", "a\u00a0", "\ta b ", "", "  ", None, " NA "]).cast(kind)
    found = categories(cells)
    assert sorted(found.values.drop_null().to_pylist()) == ["a", "a b"]
    assert [found.values[c].as_py() if c >= 0 else None for c in found.codes.tolist()] == ["a"] * 3 + ["a b"] + [
        None
    ] * 4


def test_spaces_after_commas(write: Write, cache: Path) -> None:
    text = csv(PRICES)
    plain = prepare(write("plain.csv", text), cache=cache)
    spaced = prepare(write("spaced.csv", text.replace(",", " , ")), cache=cache)
    assert spaced.schema == plain.schema
    np.testing.assert_array_equal(spaced.train.ids, plain.train.ids)


def same(found: Numbers, expected: list[float]) -> None:
    np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize("wrap", [pa.array, lambda cells: pa.array(cells).dictionary_encode()])
def test_numbers_with_a_decimal_comma(wrap: Callable[[list[str]], pa.Array]) -> None:
    cells = ["3,5", "-0,25", ",5", "7", "1.234,5", "12.345.678,9", "1,5e3", "4,"]
    rules = CellRules(decimal=",")
    same(numbers(wrap(cells), rules), [3.5, -0.25, 0.5, 7, 1234.5, 12345678.9, 1500, 4])
    assert values(wrap(cells), rules)[:3] == ["3.5", "-0.25", ".5"]
    odd = numbers(wrap(["1,2,3", "12.34,5", "a,b", "5"]), rules)
    assert odd.odd.tolist() == [True, True, True, False]
    assert numbers(wrap(["3,5"]), CellRules()).odd.tolist() == [True]


@pytest.mark.parametrize("word", ["inf", "-inf", "+Inf", "Infinity", "-INFINITY", "1e999"])
def test_infinity_is_missing_with_a_warning(
    word: str, write: Write, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prices = [word if k in (3, 8) else price for k, price in enumerate(PRICES)]
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        data = prepare(write("log.csv", csv(prices)), cache=cache)
    assert str(data.schema.fields[1].kind) == "interpolated"
    assert sum(data.statistics["fields"][1]["missing"].values()) == 2
    (message,) = [r.getMessage() for r in caplog.records if "infinite" in r.getMessage()]
    assert "column 'price': 2 cells infinite" in message
    assert f"line 5: '{word}', line 10: '{word}'" in message


def test_infinity_of_a_frame(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"x": [1.5, np.inf, -np.inf, 2.5] * 20, "label": [0, 1] * 40})
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        data = prepare(frame, DataOptions(numeric={"x": "scale"}), cache=cache)
    assert sum(data.statistics["fields"][0]["missing"].values()) == 40
    assert np.isfinite(np.asarray(data.train.values)).all()
    assert "column 'x': 40 cells infinite" in caplog.text


def test_odd_cells_are_refused_where_declared_and_noted_where_guessed(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    prices = ["12 EUR" if k in (5, 500, 501, 900) else price for k, price in enumerate(PRICES)]
    source = open_source(write("log.csv", csv(prices)))
    (chunk,) = chunks_of(source, ["price"])
    with pytest.raises(DataError, match="line 7, column 'price': expected a number, found '12 EUR'"):
        chunk.numbers("price")
    for _ in range(2):  # a second reading says nothing new
        for chunk in chunks_of(source, ["price"]):
            found = chunk.numbers("price", odd_is_missing=True)
            assert np.flatnonzero(np.isnan(found)).tolist() == [5, 500, 501, 900]
    (record,) = caplog.records
    assert "4 cells no number" in record.getMessage()
    assert "(line 7: '12 EUR', line 502: '12 EUR', line 503: '12 EUR', …)" in record.getMessage()


D = decimal.Decimal

TYPES = {
    "decimal": (pa.array([D("1.50"), D("2.25"), None], pa.decimal128(12, 2)), ["1.5", "2.25", None]),
    "decimal256": (pa.array([D("1.5"), D("2.25"), None], pa.decimal256(40, 3)), ["1.5", "2.25", None]),
    "whole decimal": (pa.array([D(7), D(8), None], pa.decimal128(18, 0)), ["7", "8", None]),
    "long decimal": (
        pa.array([D(10**25), D(10**25 + 1), None], pa.decimal128(38, 0)),
        [f"{10**25}", f"{10**25 + 1}", None],
    ),
    "binary": (pa.array([b"a", "é".encode(), None]), ["a", "é", None]),
    "key": (pa.array([uuid.UUID(int=255).bytes, b"\xff" * 16, None], pa.uuid()), [None, "0x" + "ff" * 16, None]),
    "half": (pa.array([1.5, float("nan"), None], pa.float16()), ["1.5", None, None]),
    "duration": (pa.array([datetime.timedelta(seconds=1), None, None], pa.duration("s")), ["1", None, None]),
    "date": (pa.array([0, 1, None], pa.date32()), ["1970-01-01", "1970-01-02", None]),
    "null": (pa.nulls(3), [None, None, None]),
    "boolean": (pa.array([True, False, None]), ["true", "false", None]),
    "view": (pa.array(["a", "NULL", None], pa.string_view()), ["a", None, None]),
    "dictionary": (pa.array([D("1.5"), D("2.5"), None]).dictionary_encode(), ["1.5", "2.5", None]),
    "member": (pa.array([{"a": 1}, {"a": None}, None]), ["1", None, None]),
}


@pytest.mark.parametrize("name", TYPES)
def test_types_of_parquet_have_a_text_form(name: str, tmp_path: Path) -> None:
    column, expected = TYPES[name]
    pq.write_table(pa.table({"x": column, "label": [0, 1, 0]}), tmp_path / "log.parquet")
    source = open_source(tmp_path / "log.parquet")
    column_name = "x.a" if name == "member" else "x"
    assert source.columns == (column_name, "label")
    (chunk,) = chunks_of(source, [column_name])
    found = chunk.categories(column_name)
    texts = [found.values[c].as_py() if c >= 0 else None for c in found.codes.tolist()]
    if name == "key":
        texts[0] = None  # bytes that happen to be a text
    assert texts == expected


def test_decimals_are_numbers(tmp_path: Path, cache: Path) -> None:
    prices = pa.array([D(price) for price in PRICES], pa.decimal128(12, 3))
    pq.write_table(pa.table({"click": np.arange(1000) % 2, "price": prices}), tmp_path / "log.parquet")
    data = prepare(tmp_path / "log.parquet", cache=cache)
    assert str(data.schema.fields[0].kind) == "interpolated"
    frame = pd.DataFrame({"click": np.arange(1000) % 2, "price": [D(price) for price in PRICES]})
    assert prepare(frame, cache=cache).schema == data.schema


def test_columns_without_a_text_form_are_left_out_and_said(tmp_path: Path) -> None:
    table = pa.table(
        {"m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), "x": [1, 2], "label": [0, 1]}
    )
    pq.write_table(table, tmp_path / "log.parquet")
    source = open_source(tmp_path / "log.parquet")
    assert source.columns == ("x", "label")
    assert source.guesses[0].what == "column 'm' is left out"


def test_columns_of_one_name(tmp_path: Path) -> None:
    arrays = [pa.array([0, 1]), pa.array([1, 2]), pa.array([3, 4])]
    pq.write_table(pa.Table.from_arrays(arrays, names=["click", "user", "user"]), tmp_path / "log.parquet")
    with pytest.raises(DataError, match=r"log\.parquet: two columns are called 'user'"):
        prepare(tmp_path / "log.parquet")
