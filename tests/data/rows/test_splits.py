"""Splits: no group in two of them, the order of time however it is written, and both classes where they are few."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_fusion.data import DataOptions, prepare
from nas_fusion.data.encoding.reading_plan import plan_reading
from nas_fusion.data.encoding.scan import Scan, scan_rows
from nas_fusion.data.rows import by_group, by_time, stratified
from nas_fusion.data.sources import open_source
from nas_fusion.errors import DataError, OptionError
from nas_fusion.settings import SplitKind, SplitRule

FEW = settings(max_examples=40, deadline=None)
SHARES = st.tuples(*[st.integers(1, 9).map(float)] * 3)


def scanned(log: pd.DataFrame | Path, **options: Any) -> Scan:
    asked = DataOptions(**options)
    source = open_source(log, asked)
    return scan_rows(source, plan_reading(source, asked), lambda *_: None)


def alternating(rows: int) -> Any:
    return np.arange(rows) % 2


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("random", SplitRule(SplitKind.RANDOM, None, (8, 1, 1))),
        ("random:6:2:2", SplitRule(SplitKind.RANDOM, None, (6, 2, 2))),
        ("time:at", SplitRule(SplitKind.TIME, "at", (8, 1, 1))),
        ("time:a:b:6:2:2", SplitRule(SplitKind.TIME, "a:b", (6, 2, 2))),
        ("group:user", SplitRule(SplitKind.GROUP, "user", (8, 1, 1))),
        ("group:user:2:1:1", SplitRule(SplitKind.GROUP, "user", (2, 1, 1))),
    ],
)
def test_rules(text: str, rule: SplitRule) -> None:
    assert SplitRule.parse(text) == rule


@pytest.mark.parametrize("text", ["", "group", "group:", "group:6:2:2", "random:user", "users:user", "random:1:0:1"])
def test_no_rules(text: str) -> None:
    with pytest.raises(OptionError, match="group:COLUMN"):
        SplitRule.parse(text)


# Groups -----------------------------------------------------------------------------------------------------------


@FEW
@given(groups=st.lists(st.integers(0, 30), min_size=1, max_size=200), shares=SHARES, seed=st.integers(0, 99))
def test_no_group_is_in_two_splits(groups: list[int], shares: tuple[float, float, float], seed: int) -> None:
    found = np.unique(groups, return_inverse=True)[1].astype(np.int32)
    codes = by_group(found, shares, seed)
    assert len(codes) == len(found)
    for group in set(found.tolist()):
        assert len(set(codes[found == group])) == 1
    assert len(set(codes.tolist())) == min(3, len(set(groups)))  # no split is passed over


def test_many_groups_make_sizes_as_asked() -> None:
    groups = np.repeat(np.arange(2000), np.random.default_rng(1).integers(1, 9, 2000)).astype(np.int32)
    counts = np.bincount(by_group(groups, (8, 1, 1), 3))
    np.testing.assert_allclose(counts / len(groups), [0.8, 0.1, 0.1], atol=0.002)
    assert not np.array_equal(by_group(groups, (8, 1, 1), 3), by_group(groups, (8, 1, 1), 4))


@FEW
@given(users=st.lists(st.sampled_from(["a", "b", "7", "7.5", "", "ä", " "]), min_size=30, max_size=60))
def test_users_of_a_log(users: list[str]) -> None:
    users = [*users, *(f"u{i // 4}" for i in range(120))]
    frame = pd.DataFrame({"user": users, "x": 1, "click": alternating(len(users))})
    codes = scanned(frame, split="group:user:2:1:1").codes
    for user in {user.strip() for user in users} - {""}:
        assert len({int(code) for code, one in zip(codes, users, strict=True) if one.strip() == user}) == 1


def test_rows_of_nobody_are_drawn_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"user": [None] * 200 + ["a", "b"] * 50, "x": 1, "click": alternating(300)})
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        codes = scanned(frame, split="group:user").codes
    assert "200 rows have no 'user'" in caplog.text
    assert set(codes[:200].tolist()) == {0, 1, 2}
    assert len(set(codes[200::2].tolist())) == len(set(codes[201::2].tolist())) == 1


def test_the_group_is_no_field_unless_it_is_asked_for(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": np.arange(90) // 3, "x": np.arange(90) % 5, "click": np.arange(90) // 2 % 2})
    names = [f.name for f in prepare(frame, DataOptions(split="group:user"), cache=tmp_path).schema.fields]
    assert names == ["x"]
    for options in (DataOptions(split="group:user", fields=("x", "user")), DataOptions(group="user")):
        fields = prepare(frame, options, cache=tmp_path).schema.fields
        assert sorted(f.name for f in fields) == ["user", "x"]


# Time -------------------------------------------------------------------------------------------------------------


@FEW
@given(times=st.lists(st.integers(-20, 20), min_size=1, max_size=120), shares=SHARES)
def test_nothing_in_training_is_younger_than_what_comes_after(
    times: list[int], shares: tuple[float, float, float]
) -> None:
    found = np.array(times)
    codes = by_time(found, shares)
    order = np.argsort(found, kind="stable")  # equal times in the order of the log
    assert (np.diff(codes[order]) >= 0).all()
    train, valid = (round(len(times) * share / sum(shares)) for share in shares[:2])
    assert np.bincount(codes, minlength=3)[:2].tolist() == [train, min(valid, len(times) - train)]


def american(moment: datetime) -> str:
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment.minute:02} {half}"


def zoned(moment: datetime) -> str:
    hours = moment.minute % 25 - 12  # another zone in nearly every row
    return moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours))).isoformat()


WAYS: dict[str, Callable[[datetime], Any]] = {
    "american": american,
    "zoned": zoned,
    "unpadded": lambda m: f"{m.year}-{m.month}-{m.day} {m.hour}:{m.minute}",
    "european": lambda m: f"{m.day}.{m.month}.{m.year} {m.hour}:{m.minute:02}",
    "seconds": lambda m: int(m.replace(tzinfo=UTC).timestamp()),
    "milliseconds": lambda m: str(int(m.replace(tzinfo=UTC).timestamp()) * 1000),
    "named": lambda m: m.strftime("%d/%b/%Y:%H:%M:00 +0000"),
    "month first, no signs": lambda m: m.strftime("%m%d%Y"),
    "typed": lambda m: m,
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_time_however_it_is_written(way: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    minutes = rng.integers(0, 400 * 1440, 80)  # shuffled, over the end of a year
    if way == "month first, no signs":
        minutes -= minutes % 1440
    moments = [datetime(2023, 6, 1) + timedelta(minutes=int(m)) for m in minutes]
    frame = pd.DataFrame({"at": [WAYS[way](m) for m in moments], "x": 1, "click": alternating(80)})
    # Sorted, the classes alternate: no split is without one.
    order = np.argsort(minutes, kind="stable")
    frame.loc[order, "click"] = alternating(80)
    found = scanned(frame, split="time:at:6:2:2")
    assert (np.diff(found.codes[order]) >= 0).all()
    assert np.bincount(found.codes).tolist() == [48, 16, 16]
    assert found.reserved == {"click", "at"}


CASES = {
    "one word": (["t", "click", *(f"{i},{i % 2}" for i in range(40)), "unknown,1"], "line 42, column 't': .*'unknown'"),
    "no date": (["t", "click", *(f"2024-02-{1 + i % 29},{i % 2}" for i in range(40)), "2024-02-30,1"], "2024-02-30"),
    "two ways": (["t", "click", *(f"{1 + i % 12}/{1 + i % 11}/2024,{i % 2}" for i in range(40))], "--dates mdy"),
    "missing": (["t", "click", *(f"{i},{i % 2}" for i in range(40)), ",1"], "line 42, column 't': the time is missing"),
    "words": (["t", "click", *(f"day {i},{i % 2}" for i in range(40))], "expected a time, found 'day 0'"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_time_is_refused_with_line_and_cell(case: str, tmp_path: Path) -> None:
    lines, words = CASES[case]
    log = tmp_path / "log.csv"
    log.write_text("\n".join([f"{lines[0]},{lines[1]}", *lines[2:]]) + "\n")
    with pytest.raises(DataError, match=words):
        scanned(log, split="time:t", fields=("t",))


@pytest.mark.parametrize(("dates", "oldest"), [("mdy", "1/12/2024"), ("dmy", "12/1/2024")])
def test_the_user_says_which_is_the_month(dates: str, oldest: str) -> None:
    cells = [f"{1 + i % 12}/{12 - i % 12}/2024" for i in range(48)]
    found = scanned(pd.DataFrame({"t": cells, "x": 1, "click": np.arange(48) // 12 % 2}), split="time:t", dates=dates)
    train = [cell for cell, code in zip(cells, found.codes, strict=True) if code == 0]
    assert train.count(oldest) == 4
    assert found.time_form == dates


# Few positives ----------------------------------------------------------------------------------------------------


@FEW
@given(positives=st.integers(3, 20), rows=st.integers(60, 400), shares=SHARES, seed=st.integers(0, 99))
def test_few_positives_are_in_every_split(
    positives: int, rows: int, shares: tuple[float, float, float], seed: int
) -> None:
    labels = np.zeros(rows, np.int8)
    labels[np.random.default_rng(seed).permutation(rows)[:positives]] = 1
    codes = stratified(labels, shares, seed)
    found = np.bincount(codes[labels == 1], minlength=3)
    assert found.min() >= 1
    assert np.abs(found - positives * np.array(shares) / sum(shares)).max() <= 2
    np.testing.assert_allclose(np.bincount(codes), rows * np.array(shares) / sum(shares), atol=3)


@pytest.mark.parametrize("rare", [0, 1])
def test_a_random_split_is_stratified_where_one_class_is_rare(rare: int, caplog: pytest.LogCaptureFixture) -> None:
    labels = np.where(np.arange(5000) % 1000 == 3, rare, 1 - rare)
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        codes = scanned(pd.DataFrame({"x": 1, "click": labels})).codes
    assert np.bincount(codes[labels == rare]).tolist() == [3, 1, 1]
    assert (
        "only 5 " + ("positives" if rare else "negatives") + ": the random split is stratified, 3 / 1 / 1"
        in caplog.text
    )


def test_a_random_split_of_many_positives_is_as_it_was() -> None:
    labels = alternating(1000)
    codes = scanned(pd.DataFrame({"x": 1, "click": labels})).codes
    expected = np.repeat(np.arange(3, dtype=np.int8), [800, 100, 100])
    np.random.default_rng(2025).shuffle(expected)
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize(
    ("options", "positives"), [({}, [5, 9]), ({"split": "time:x"}, [5, 9]), ({"split": "group:x"}, [5])]
)
def test_too_few_positives_are_told_of(options: dict[str, str], positives: list[int]) -> None:
    labels = np.isin(np.arange(100), positives).astype(int)
    with pytest.raises(DataError, match=rf"split \(\d+ rows\) has no positives, the log {len(positives)};"):
        scanned(pd.DataFrame({"x": np.arange(100), "click": labels}), **options)


def test_what_was_read_about_rows_is_said(tmp_path: Path) -> None:
    days = [f"{1 + i % 12}/{1 + i % 28}/2024" for i in range(90)]
    labels = np.where(np.arange(90) // 12 % 2, "yes", "no")
    frame = pd.DataFrame({"day": days, "w": 1.5, "x": np.arange(90) % 5, "click": labels})
    told: list[str] = []
    for _ in range(2):  # also where the encoded data set is found again
        data = prepare(frame, DataOptions(split="time:day", weight="w"), cache=tmp_path, planned=told.extend)
    assert data.row_words == (
        "label click: yes is the positive",
        "no field: w, the rows' weights",
        "no field: day, whose times decide the split, read as mdy",
    )
    assert [told.count(line) for line in data.row_words] == [2, 2, 2]
