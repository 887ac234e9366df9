"""Times in every form that logs have: read right, or refused; never compared as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_fusion.data.sources.cells import CellError
from nas_fusion.data.times import NO_TIME, TimeEvidence, TimeForm, order_keys, read_times

EPOCH = datetime(1970, 1, 1)


def form_of(cells: Sequence[object] | pa.Array, dates: str | None = None) -> TimeForm:
    evidence = TimeEvidence(dates)
    evidence.observe(cells if isinstance(cells, pa.Array) else pa.array(cells))
    return evidence.form()


def micros(moment: datetime) -> int:
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return (plain - EPOCH) // timedelta(microseconds=1)


MARCH, NOON = datetime(2024, 3, 1), datetime(2024, 3, 1, 12, 5)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-03-01", MARCH),
        ("2024/3/1", MARCH),
        ("2024-03-01 12:05", NOON),
        ("2024-03-01T12:05:00.25", NOON + timedelta(seconds=0.25)),
        ("2024-03-01T12:05:00Z", NOON),
        ("2024-03-01T14:05:00+02:00", NOON),
        ("2024-03-01 06:35:00 -0530", NOON),
        ("2024-03-01T12:05:00,123456789", NOON + timedelta(microseconds=123456)),
        ("2024-03-01 24:00:00", MARCH + timedelta(days=1)),
        ("2024-03-01 12", MARCH + timedelta(hours=12)),
        ("20240301T120500Z", NOON),
        ("2024-03", MARCH),
        ("  2024-03-01 ", MARCH),
        ("01/Mar/2024:12:05:00 +0000", NOON),
        ("Fri Mar  1 12:05:00 2024", NOON),
        ("Fri Mar 01 14:05:00 +0200 2024", NOON),
        ("Fri, 01 Mar 2024 12:05:00 GMT", NOON),
        ("March 1, 2024 12:05 PM", NOON),
        ("1 Mar 2024", MARCH),
        ("01-MAR-24", MARCH),
        ("2024-Mar-01", MARCH),
    ],
)
def test_dates_that_leave_no_doubt(cell: str, moment: datetime) -> None:
    assert form_of([cell]) == TimeForm.YMD
    assert read_times(pa.array([cell, None, ""]), TimeForm.YMD).tolist() == [micros(moment), NO_TIME, NO_TIME]


@pytest.mark.parametrize(
    ("cells", "form", "moments"),
    [
        (["9/1/2023", "10/31/2023"], "mdy", [datetime(2023, 9, 1), datetime(2023, 10, 31)]),
        (["9/1/23 1:05 PM", "12/31/23 12:00 AM"], "mdy", [datetime(2023, 9, 1, 13, 5), datetime(2023, 12, 31)]),
        (["1.9.2023", "31.10.2023"], "dmy", [datetime(2023, 9, 1), datetime(2023, 10, 31)]),
        (["23/9/1", "23/10/31"], "ymd", [datetime(2023, 9, 1), datetime(2023, 10, 31)]),
        (["1/9/2023", "2023-10-31", "31-1-2024"], "dmy", [datetime(2023, 9, 1), datetime(2023, 10, 31)]),
        (["14102100", "14103123"], "yymmddHH", [datetime(2014, 10, 21), datetime(2014, 10, 31, 23)]),
        ([20240301, 20241231], "yyyymmdd", [MARCH, datetime(2024, 12, 31)]),
        (["2024030112", "2024123100"], "yyyymmddHH", [MARCH + timedelta(hours=12), datetime(2024, 12, 31)]),
        (["202403011205"], "yyyymmddHHMM", [NOON]),
        ([20240301120500], "yyyymmddHHMMSS", [NOON]),
        (["240331"], "yymmdd", [datetime(2024, 3, 31)]),
        (["03012024", "12312024"], "mmddyyyy", [MARCH, datetime(2024, 12, 31)]),
        ([1032024, 31122024], "ddmmyyyy", [MARCH, datetime(2024, 12, 31)]),
        ([1709294700, 1709294701], "seconds", [NOON, NOON + timedelta(seconds=1)]),
        ([1709294700.0, 1709294700.5], "seconds", [NOON, NOON + timedelta(seconds=0.5)]),
        (["1709294700000"], "milliseconds", [NOON]),
        (["1709294700000001"], "microseconds", [NOON + timedelta(microseconds=1)]),
        ([1709294700000001999], "nanoseconds", [NOON + timedelta(microseconds=1)]),
        (["12:05", "9:00"], "clock", [EPOCH.replace(hour=12, minute=5), EPOCH.replace(hour=9)]),
        ([NOON, MARCH], "timestamp", [NOON, MARCH]),
        ([NOON.replace(tzinfo=timezone(timedelta(hours=2)))], "timestamp", [NOON - timedelta(hours=2)]),
        ([date(2024, 3, 1)], "timestamp", [MARCH]),
        ([time(12, 5)], "timestamp", [EPOCH.replace(hour=12, minute=5)]),
    ],
)
def test_forms(cells: list[object], form: str, moments: list[datetime]) -> None:
    assert form_of(cells) == form
    found = read_times(pa.array(cells), TimeForm(form))
    assert found[: len(moments)].tolist() == [micros(m) for m in moments]


def test_dictionaries_of_typed_times() -> None:
    cells = pa.array([NOON, None, MARCH]).dictionary_encode()
    assert read_times(cells, form_of(cells)).tolist() == [micros(NOON), NO_TIME, micros(MARCH)]


@pytest.mark.parametrize(
    ("cells", "index", "words"),
    [
        (["0", "1", "unknown", "3"], 2, "expected a number, found 'unknown'"),
        (["2024-02-01", None, "2024-02-30"], 2, "found '2024-02-30'"),
        (["2024-02-01", "2024-02-01 24:01"], 1, "found '2024-02-01 24:01'"),
        (["2024-02-01", "soon", "Marble 1 2024"], 1, "found 'soon'"),
        (["1/13/2024", "1/14/2024", "13/1/2024"], 2, "found '13/1/2024'"),
        (["2024-03-01T01:00+02:00", "2024-03-01T00:00", "2024-03-01T00:00"], 0, "name a zone and others do not"),
        (["2024-03-01 08:00 EST"], 0, "expected a time, found '2024-03-01 08:00 EST'"),
        ([1709294700, 1709294701, 1709294700000], 2, "expected seconds since 1970"),
        (["a", "b"], 0, "expected a time, found 'a'"),
    ],
)
def test_a_cell_that_is_no_time(cells: list[object], index: int, words: str) -> None:
    with pytest.raises(CellError) as caught:
        form_of(cells)
    assert caught.value.index == index
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "forms"),
    [
        (["9/1/2023", "10/1/2023"], ["mdy", "dmy"]),
        (["01-02-03"], ["ymd", "mdy", "dmy"]),
        (["03012024", "10112024"], ["mmddyyyy", "ddmmyyyy"]),
    ],
)
def test_two_ways_are_refused_until_the_user_says_one(cells: list[str], forms: list[str]) -> None:
    with pytest.raises(CellError, match="--dates"):
        form_of(cells)
    for form in forms:
        assert form_of(cells, form if len(form) == 3 else {"m": "mdy", "d": "dmy"}[form[0]]) == form


def test_nothing_to_see() -> None:
    with pytest.raises(CellError, match="no time in any row"):
        form_of(pa.array([None, ""], pa.string()))


def test_later_chunks_tell_what_the_first_could_not() -> None:
    evidence = TimeEvidence()
    evidence.observe(pa.array(["1/2/2024"] * 3))
    evidence.observe(pa.array(["1/31/2024", "1/32/2024"]), first_row=3)
    with pytest.raises(CellError, match="1/32/2024") as caught:
        evidence.form()
    assert caught.value.index == 4


def test_plain_numbers_keep_their_order_exactly() -> None:
    cells = pa.array(["1790000000000000003", "1790000000000000001", "-5", "7.0"])
    assert form_of(cells) == TimeForm.NUMBER
    assert order_keys(cells, TimeForm.NUMBER).tolist() == [1790000000000000003, 1790000000000000001, -5, 7]
    assert order_keys(pa.array(["1e3", ".5"]), TimeForm.NUMBER).tolist() == [1000.0, 0.5]


moments = st.datetimes(datetime(1990, 1, 1), datetime(2029, 12, 31)).map(lambda m: m.replace(microsecond=0))
zones = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def american(m: datetime) -> str:
    half = "AM" if m.hour < 12 else "PM"
    return f"{m.month}/{m.day}/{m.year} {m.hour % 12 or 12}:{m.minute:02}:{m.second:02} {half}"


WRITTEN: dict[str, Callable[[datetime], str]] = {
    "iso": lambda m: m.isoformat(),
    "unpadded": lambda m: f"{m.year}-{m.month}-{m.day} {m.hour}:{m.minute}:{m.second}",
    "american": american,
    "european": lambda m: f"{m.day}.{m.month}.{m.year} {m.hour}:{m.minute:02}:{m.second:02}",
    "seconds": lambda m: str(micros(m) // 10**6),
    "digits": lambda m: m.strftime("%Y%m%d%H%M%S"),
    "apache": lambda m: m.strftime("%d/%b/%Y:%H:%M:%S +0000"),
}


@pytest.mark.parametrize("form", WRITTEN)
@settings(max_examples=30, deadline=None)
@given(drawn=st.lists(moments, min_size=1, max_size=20), day=st.integers(13, 28))
def test_every_way_of_writing_means_the_same(form: str, drawn: list[datetime], day: int) -> None:
    drawn = [*drawn, datetime(2001, 5, day)]  # tells month from day
    cells = pa.array([WRITTEN[form](m) for m in drawn])
    assert read_times(cells, form_of(cells)).tolist() == [micros(m) for m in drawn]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(moments, zones), min_size=1, max_size=20))
def test_zones_are_taken_off(drawn: list[tuple[datetime, timezone]]) -> None:
    zoned = [m.replace(tzinfo=zone) for m, zone in drawn]
    cells = pa.array([m.isoformat() for m in zoned])
    assert read_times(cells, form_of(cells)).tolist() == [micros(m) for m in zoned]
    order = np.argsort(order_keys(cells, form_of(cells)), kind="stable").tolist()
    assert [zoned[i] for i in order] == sorted(zoned)
