"""Columns as strangers' logs have them: what they are read as, what is warned of, and what numbers they give."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.data.encoding.guessing.text_looks import are_decorated
from nas_fusion.data.sources.cells import DECORATED, numbers, undecorated
from nas_fusion.errors import DataError

ROWS = 1200
Read = Callable[..., EncodedDataset]


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    user = rng.integers(0, 60, ROWS)
    price = np.round(rng.lognormal(7, 2, ROWS), 2)
    click = (rng.random(ROWS) < 1 / (1 + np.exp(-(np.log(price) - 7) / 2 - user % 5 + 2))).astype(int)
    return pd.DataFrame({"click": click, "user": [f"u{u}" for u in user], "price": price})


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def from_csv(frame: pd.DataFrame, **options: object) -> EncodedDataset:
        frame.to_csv(tmp_path / "log.csv", index=False)
        return prepare(tmp_path / "log.csv", DataOptions(**options), cache=tmp_path / "cache")  # type: ignore[arg-type]

    return from_csv


def numbers_of(data: EncodedDataset) -> list[float]:
    """The numbers of all rows, sorted."""
    splits = (data.train, data.valid, data.test)
    return np.sort(np.concatenate([np.asarray(s.numbers)[:, 0] for s in splits if s.numbers is not None])).tolist()


def kind(data: EncodedDataset, name: str) -> str:
    return next(column.kind.value for column in data.columns if column.name == name)


@pytest.mark.parametrize(
    "form", ["{:,.2f}", "${:.2f}", "${:,.2f}", "{:,.2f} €", "{:.2f}%", "{:_.2f}", "-{:,.2f}"], ids=str
)
def test_numbers_with_signs_around_them_are_numbers(form: str, read: Read, base: pd.DataFrame) -> None:
    data = read(base.assign(price=[form.format(price) for price in base.price]))
    assert kind(data, "price") == "interpolate"
    sign = -1 if form.startswith("-") else 1
    np.testing.assert_allclose(numbers_of(data), np.sort(sign * base.price), rtol=1e-6)
    reason = next(column.reason for column in data.columns if column.name == "price")
    assert "written like" in reason


def test_thousands_with_blanks_and_odd_cells(read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    texts = [f"{price:,.0f}".replace(",", " ") for price in base.price]
    texts[3], texts[5] = "12 34", "many"
    data = read(base.assign(price=texts))
    assert np.isnan(numbers_of(data)).sum() == 2
    assert "2 cells no number in a column of numbers" in caplog.text
    assert "line 5: '12 34'" in caplog.text


def test_such_numbers_may_be_declared(read: Read, base: pd.DataFrame) -> None:
    data = read(base.assign(price=[f"${price:,.2f}" for price in base.price]), kinds={"price": "scale"})
    np.testing.assert_allclose(numbers_of(data), np.sort(base.price), rtol=1e-6)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1,200", "12,000", "7"], True),
        (["100,200", "300,400", "100"], False),  # lists of ids of three digits
        (["1,2", "3,4"], False),
        (["$1", "€2"], False),  # of two units
        (["1%", "2"], False),
        (["1", "2"], False),  # numbers as they are
        (["1'000", "22'000"], True),
        (["1,000 000", "2,000"], False),
    ],
)
def test_what_is_a_number_with_signs(texts: Sequence[str], expected: bool) -> None:
    assert are_decorated(pa.array(texts, pa.large_string())) is expected


def test_signs_are_taken_away_only_from_numbers() -> None:
    column = pa.array(["$1,234.50", "12,5", "-3 %", "1e5", None, "1,234,567", "$-2", "7"])
    assert undecorated(column).to_pylist() == ["1234.50", "12,5", "-3", "1e5", None, "1234567", "-2", "7"]
    coded = undecorated(column.dictionary_encode())
    np.testing.assert_array_equal(numbers(coded).values, numbers(undecorated(column)).values)
    assert DECORATED.startswith("^")


def test_a_value_that_only_clicked_rows_have_is_a_leak(
    read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    clicked = base.click == 1
    times = pd.date_range("2024-03-01", periods=ROWS, freq="47min").strftime("%Y-%m-%d %H:%M:%S")
    read(base.assign(revenue=base.price.where(clicked), at=pd.Series(times).where(clicked), seen=times))
    for name, leaks in (("revenue", True), ("at", True), ("seen", False), ("price", False)):
        assert (f"column '{name}' alone predicts the label (AUC 1.0000" in caplog.text) is leaks


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (lambda k: f"{k % 50}" if k % 2 else f"{k % 50 + 1:04d}", "holds '{}' and '00{}': with zeros in front"),
        (lambda k: f"A{k % 40}" if k % 3 else f"a{k % 40}", "in nothing but upper and lower case"),
        (lambda k: f"{k % 400},{k % 7}5", "look like numbers with a decimal comma: --decimal , reads them so"),
    ],
)
def test_values_that_may_be_meant_otherwise_are_warned_of(
    cells: Callable[[int], str], words: str, read: Read, base: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    read(base.assign(code=[cells(k) for k in range(ROWS)]))
    assert words.rsplit("{}", maxsplit=1)[-1] in caplog.text
    assert "column 'user'" not in caplog.text


def test_objects_are_said_to_be_one_value(read: Read, base: pd.DataFrame) -> None:
    data = read(base.assign(context=[f'{{"os": {k % 3}, "v": [1, 2]}}' for k in range(ROWS)]))
    reasons = {column.name: column.reason for column in data.columns}
    assert (kind(data, "context"), reasons["context"]) == ("category", "JSON, each read as one value")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"click": 0, "user": "a"}\n{"click": 1, "user": "b"}\n', "lines of JSON"),
        ("# exported today\nclick,user\n0,a\n1,b\n", "'# exported today', is a comment and no header"),
    ],
)
def test_a_first_line_that_is_no_header(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        prepare(tmp_path / "log.csv", cache=tmp_path / "cache")


def criteo(rows: int, leak: bool) -> str:
    rng = np.random.default_rng(1)
    clicks = rng.integers(0, 2, rows)
    lines = []
    for row, click in enumerate(clicks):
        values = [str(v) for v in rng.integers(0, 50, 13)]
        hashes = [f"{v:08x}" for v in rng.integers(0, 20, 26)]
        if leak:
            values[2], hashes[4], hashes[6] = str(click * 3), f"{click:08x}", f"{row:08x}"
        lines.append("\t".join([str(click), *values, *hashes]))
    return "\n".join(lines) + "\n"


def test_what_a_format_declares_is_looked_at_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is read as the format says, and what looks wrong is warned of."""
    path = tmp_path / "log.txt"
    path.write_text(criteo(400, leak=True))
    data = prepare(path, DataOptions(format="criteo"), cache=tmp_path / "cache")
    for name in ("I3", "C5"):
        assert f"column '{name}' alone predicts the label" in caplog.text
    assert "column 'C7': no two rows have the same value" in caplog.text
    assert len(data.schema.fields) == 39
    assert {column.name for column in data.columns if column.warnings} == {"I3", "C5", "C7"}
    caplog.clear()
    path.write_text(criteo(400, leak=False))
    with caplog.at_level(logging.WARNING):
        plain = prepare(path, DataOptions(format="criteo"), cache=tmp_path / "cache")
    assert [column.kind for column in plain.columns] == [column.kind for column in data.columns]
    assert caplog.text == ""
