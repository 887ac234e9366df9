"""A cell that is encoded by itself gets the ids, values and numbers that it gets in a column, or is left to columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas_fusion.data import DataOptions, FieldKind, LogForm, open_rows, prepare
from nas_fusion.data.encoding import EncodedRows, FittedEncoding, NotPlain
from nas_fusion.data.sources import chunks_of
from nas_fusion.data.sources.frame import FEW, few_rows

ROWS = 400
KINDS = {
    "site": "category", "code": "category", "bucket": "bucket", "price": "both", "count": "log", "few": "interpolate",
    "skewed": "interpolate", "when": "time", "seconds": "time", "tags": "list", "user": "hash",
}  # fmt: skip
MARKS = ("unbekannt", "-999")


def log() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "site": rng.choice(["news", "mail", "a-rather-long-site-name", "ein anderer langer Name", "häuser"], ROWS),
            "code": rng.integers(0, 9, ROWS).astype(float),
            "bucket": rng.normal(size=ROWS).round(3),
            "price": rng.lognormal(size=ROWS).round(4),
            "count": rng.zipf(1.6, ROWS).clip(max=10_000),
            "few": rng.integers(-2, 3, ROWS),
            "skewed": np.where(rng.random(ROWS) < 0.7, 0, rng.normal(size=ROWS).round(5)),
            "when": pd.to_datetime(1_709_280_000 + rng.integers(0, 10**6, ROWS), unit="s").astype(str),
            "seconds": 1_709_280_000 + rng.integers(0, 10**6, ROWS),
            "tags": ["|".join(rng.choice(["red", "green", "blue", "12"], rng.integers(1, 4))) for _ in range(ROWS)],
            "user": [f"u{user}" for user in rng.integers(0, 50, ROWS)],
            "click": rng.integers(0, 2, ROWS),
        }
    )


class Learnt(NamedTuple):
    """An encoding, and how the cells of its log were read."""

    encoding: FittedEncoding
    form: LogForm

    def columns(self, rows: object) -> EncodedRows:
        """What columns make of rows."""
        source = open_rows(rows, self.encoding.columns, self.form)  # type: ignore[arg-type]
        return EncodedRows.joined([self.encoding.encode(chunk) for chunk in chunks_of(source, self.encoding.columns)])

    def agrees(self, row: Mapping[str, object]) -> bool:
        """Whether a row was encoded cell by cell; if so, to what columns make of it."""
        try:
            found = self.encoding.encode_cells([row], self.form.rules)
        except NotPlain:
            return False
        the_same(found, self.columns([row]))
        return True


def the_same(found: EncodedRows, expected: EncodedRows) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        assert other is not None
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module", params=[".", ","])
def learnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    folder = tmp_path_factory.mktemp("cells")
    log().to_csv(folder / "log.csv", index=False, sep=";", decimal=request.param)
    options = DataOptions(
        kinds=KINDS, hash={"user": "64"}, missing=MARKS, list_delimiter="|", min_count=1, decimal=request.param
    )
    data = prepare(folder / "log.csv", options, cache=folder)
    assert {field.kind for field in data.schema.fields} == set(FieldKind)
    assert data.log_form.decimal == request.param
    return Learnt(data.encoding(), data.log_form)


def rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")]


USUAL = rows(log()[:1])[0]


def test_usual_rows_are_encoded_cell_by_cell(learnt: Learnt) -> None:
    for row in rows(log()[:20]):
        assert learnt.agrees(row)
    assert learnt.agrees(dict.fromkeys(USUAL))
    assert learnt.agrees({name: f"{cell}" for name, cell in USUAL.items()})


CELLS: Mapping[str, tuple[object, ...]] = {
    "site": (" news ", "new", "", "NA", "unbekannt", "a-rather-long-site-name", "a-rather-long-site-namf",
             "h\u00e4user", "x\0y", "\u00a0mail", True, 7, 7.0, float("nan")),
    "code": (3, "3", "3.0", 3.0, "+3.", "03", -0.0, "-999", -999, np.int64(4), np.float64(4), np.float32(4)),
    "bucket": ("0.5", 0.5, ".5", "5e-1", 10**9, -(10**9), "-999", -999.0, True, np.float32(0.1), "1.234,5", "1234.5"),
    "price": (0, 0.0, "-1", 1e300, "1e-300", 2**62, np.float64("nan")),
    "count": (0, 1, 2, 3, 4, 5, -7, 2.5, 10**12, "17"),
    "few": (-2, -1.5, 0, 2, 9, "0.0"),
    "skewed": (0, -0.0, 1e-9, 0.5, -3),
    "when": ("2024-03-05", "2024-03-05T23:59", "2024-02-29 00:00:00", "1970-01-01", datetime(2024, 3, 5, 7),
             datetime(2024, 3, 5, 7, tzinfo=UTC), pd.Timestamp("2024-03-05 07:08:09.123456"), "NaT"),
    "seconds": (1_709_280_000, "1709280001", 0, None),
    "tags": ("red", "red|blue|blue|green", "[red|'blue']", "", "|", "purple", ["red", "blue"], ("red", None), [], [12]),
    "user": ("u1", " u1", "somebody else altogether", 12, "-"),
}  # fmt: skip


@pytest.mark.parametrize("column", CELLS)
def test_odd_cells_are_as_in_columns(column: str, learnt: Learnt) -> None:
    for cell in CELLS[column]:
        assert learnt.agrees({**USUAL, column: cell}) or cell in LEFT, cell


LEFT = ("+3.", "1.234,5")
"""Not all of these are plain with each decimal mark."""

NOT_PLAIN: Mapping[str, tuple[object, ...]] = {
    "bucket": ("free", "inf", "+1", float("inf"), "1_0", "\u0661"),
    "when": ("2024-02-30", "5.3.2024", "0001-01-01", pd.NaT, pd.Timestamp("2024-03-05 07:08:09.123456789")),
    "site": (0.1, b"news", datetime(2024, 3, 5), ["news"]),
    "tags": (3, [1, "red"], np.array(["red"]), [["red"]]),
}


@pytest.mark.parametrize("column", NOT_PLAIN)
def test_what_is_left_to_columns(column: str, learnt: Learnt) -> None:
    for cell in NOT_PLAIN[column]:
        with pytest.raises(NotPlain):
            learnt.encoding.encode_cells([{**USUAL, column: cell}], learnt.form.rules)


def test_a_missing_column_is_left_to_columns(learnt: Learnt) -> None:
    assert not learnt.agrees({name: cell for name, cell in USUAL.items() if name != "site"})


DIGITS = st.from_regex(r"\A-?\d{0,5}[.,]?\d{0,3}\Z")
ITEMS = st.lists(st.sampled_from(["red", "", "NA", " blue", "'12'"]))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {
            "site": st.one_of(st.text(max_size=12), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none()),
            "code": st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(width=32), DIGITS),
            "bucket": st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1)),
            "count": st.floats(0, 100),
            "skewed": st.floats(),
            "tags": st.one_of(st.text("red|blue, '[]", max_size=9), ITEMS),
            "when": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
        }
    )
)
def test_any_cells_are_as_in_columns(learnt: Learnt, cells: dict[str, object]) -> None:
    learnt.agrees({**USUAL, **cells})


def test_a_few_rows_of_every_frame(learnt: Learnt) -> None:
    some, names = log()[:FEW], learnt.encoding.columns
    expected = learnt.columns(some)
    for frame in (some, some.to_dict("records"), pa.Table.from_pandas(some), pl.from_pandas(some)):
        few = few_rows(frame, names)
        assert few is not None
        the_same(learnt.encoding.encode_cells(few, learnt.form.rules), expected)
    assert few_rows(USUAL, names) == [USUAL]
    for other in (log(), some.drop(columns="site"), "log.csv", Path("log.csv"), {"site": ["news"]}, [], [1], None, 3.5):
        assert few_rows(other, names) is None
