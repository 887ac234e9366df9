"""A text is parsed once, and nobody can tell by what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nas_fusion.data import prepare
from nas_fusion.data.encoding.parsed_rows import ParsedOnce
from nas_fusion.data.sources.cells import ArrowRows
from nas_fusion.data.sources.chunk import Chunk
from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.readers import open_source
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import DataError
from nas_fusion.settings import DataOptions

Write = Callable[[str, str], Path]

ROWS = 600


@pytest.fixture
def log(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ids that repeat, numbers that do not, missing cells; in blocks of about 60 rows."""
    monkeypatch.setattr(Source, "chunk_bytes", 1 << 10)
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "click": rng.integers(0, 2, ROWS),
            "user": rng.integers(0, 9, ROWS),
            "price": rng.normal(size=ROWS).round(5),
            "age": rng.integers(18, 50, ROWS),
            "note": "the same",
        }
    )
    frame.loc[rng.random(ROWS) < 0.1, ["price", "user"]] = np.nan
    return write("log.csv", frame.to_csv(index=False))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The columns of every reading of a text."""
    found: list[tuple[str, ...]] = []
    batches = DelimitedSource.batches

    def counted(source: DelimitedSource, columns: Sequence[str]) -> Iterator[ArrowRows]:
        found.append(tuple(columns))
        return batches(source, columns)

    monkeypatch.setattr(DelimitedSource, "batches", counted)
    return found


def _cells(source: Source, columns: Sequence[str]) -> list[dict[str, list[object]]]:
    return [pa.table(rows).to_pydict() for rows in source.batches(columns)]


def _content(cache: Path) -> dict[str, bytes]:
    (schema,) = cache.rglob("schema.json")
    return {file.name: file.read_bytes() for file in schema.parent.iterdir()}


def test_a_log_is_parsed_once_without_the_columns_that_are_dropped(
    log: Path, cache: Path, readings: list[tuple[str, ...]]
) -> None:
    prepare(log, DataOptions(drop=("note",)), cache=cache)
    assert readings == [("click", "user", "price", "age")]
    assert [place.is_dir() and not place.name.startswith(".") for place in cache.iterdir()] == [True]


def test_nobody_can_tell(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(log, cache=tmp_path / "once")
    monkeypatch.setattr(ParsedOnce, "_has_room", lambda self, written: False)
    prepare(log, cache=tmp_path / "often")
    assert _content(tmp_path / "once") == _content(tmp_path / "often")


def test_later_readings_give_the_cells_of_the_first(log: Path, tmp_path: Path) -> None:
    text = open_source(log)
    kept = ParsedOnce(text, text.columns, tmp_path / "rows")
    for columns in (["click"], ["user", "price"], ["price", "click"], list(text.columns)):
        assert _cells(kept, columns) == _cells(text, columns)


def test_other_columns_are_read_from_the_text(log: Path, tmp_path: Path, readings: list[tuple[str, ...]]) -> None:
    text = open_source(log)
    kept = ParsedOnce(text, ("click", "user"), tmp_path / "rows")
    _cells(kept, ["click"])
    assert _cells(kept, ["age"]) == _cells(text, ["age"])
    assert readings == [("click", "user"), ("age",), ("age",)]


@pytest.mark.parametrize("room", [0, 1, 4000])
def test_a_full_disk_costs_time_and_nothing_else(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(ParsedOnce, "_has_room", lambda self, written: written < room)
    text = open_source(log)
    kept = ParsedOnce(text, text.columns, tmp_path / "rows")
    for _ in range(2):
        assert _cells(kept, ["user"]) == _cells(text, ["user"])
        assert not (tmp_path / "rows").exists()


def test_cells_of_a_new_type_are_read_from_the_source(tmp_path: Path) -> None:
    class Changing(Source):
        name, kind, columns = "changing", "changing", ("a",)

        def digest(self) -> str:
            return ""

        def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
            yield pa.table({"a": ["x", "x", "y"]})
            yield pa.table({"a": [1, 2]})

    kept = ParsedOnce(Changing(), ("a",), tmp_path / "rows")
    for _ in range(2):
        assert [cells["a"] for cells in _cells(kept, ["a"])] == [["x", "x", "y"], [1, 2]]


def test_an_error_names_the_line_of_the_text(write: Write, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", 1 << 7)
    lines = [f"{k % 2},{k}" for k in range(300)]
    lines[210] = "0,much"
    path = write("log.csv", "\n".join(["click,price", *lines]) + "\n")
    with pytest.raises(DataError, match=r"line 212.*'price'|'price'.*212|row 212") as caught:
        prepare(path, DataOptions(numeric=(("price", "bucket"),)), cache=cache)
    assert "much" in str(caught.value)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("texts", [["1", "2", "1", None, "inf", "2"], ["1", "x", "1", "\\N", "x", " 2"]])
def test_numbers_of_a_dictionary_are_those_of_the_texts(texts: list[str | None]) -> None:
    plain = pa.table({"a": pa.array(texts, pa.string())})
    coded = pa.table({"a": plain.column("a").dictionary_encode()})
    expected = Chunk(plain).numbers("a", odd_is_missing=True)
    found = Chunk(coded).repeated_numbers("a", odd_is_missing=True)
    np.testing.assert_array_equal(found.rows(), expected)
    rows = np.array([True, True, False, True, True, True])
    values, counts = found.counted(rows)
    assert counts.sum() == 5
    np.testing.assert_array_equal(np.sort(np.repeat(values, counts)), np.sort(expected[rows]))


def test_an_odd_cell_that_no_row_has_is_no_error() -> None:
    cells = pa.DictionaryArray.from_arrays(pa.array([0, 0, None]), pa.array(["3", "three"]))
    assert Chunk(pa.table({"a": cells})).numbers("a").tolist()[:2] == [3.0, 3.0]
    odd = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["3", "three"]))
    with pytest.raises(DataError, match="three"):
        Chunk(pa.table({"a": odd})).numbers("a")
