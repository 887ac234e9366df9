"""Labels: numbers or words, which of them is the positive, and which column they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas_fusion.data import DataOptions, prepare
from nas_fusion.data.encoding.reading_plan import plan_reading
from nas_fusion.data.encoding.scan import Scan, scan_rows
from nas_fusion.data.sources import open_source
from nas_fusion.errors import DataError, OptionError

ROWS = 60
CLICKS = np.arange(ROWS) // 3 % 2


def scanned(log: pd.DataFrame | Path, **options: Any) -> Scan:
    asked = DataOptions(**options)
    source = open_source(log, asked)
    return scan_rows(source, plan_reading(source, asked), lambda *_: None)


def labelled(cells: Any, name: str = "click") -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(ROWS) % 5, name: cells})


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        ("0", "1"), ("False", "True"), ("FALSE", "TRUE"), ("f", "t"), ("no", "yes"), ("N", "Y"), ("off", "on"),
        ("neg", "pos"), (0, 1), (0.0, 1.0), (-1, 1), (False, True), ("0.0", "1.0"), (" no", "yes "),
    ],
)  # fmt: skip
def test_pairs_of_which_one_is_the_positive(negative: object, positive: object) -> None:
    found = scanned(labelled([positive if click else negative for click in CLICKS]))
    np.testing.assert_array_equal(found.labels, CLICKS)


@pytest.mark.parametrize("chunk_rows", [7, 1000])
def test_the_first_chunk_need_not_hold_both(chunk_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas_fusion.data.sources.source import Source

    monkeypatch.setattr(Source, "chunk_rows", chunk_rows)
    clicks = np.r_[np.ones(20, int), CLICKS[20:]]
    found = scanned(labelled(np.where(clicks, "Yes", "No")))
    np.testing.assert_array_equal(found.labels, clicks)


@pytest.mark.parametrize(("word", "positives"), [("buy", CLICKS), ("view", 1 - CLICKS)])
def test_any_two_words(word: str, positives: Any) -> None:
    found = scanned(labelled(np.where(CLICKS, "buy", "view")), positive=word)
    np.testing.assert_array_equal(found.labels, positives)
    assert found.positive == word


def test_one_word_against_all_others() -> None:
    events = np.array(["view", "cart", "buy"])[np.arange(ROWS) % 3]
    np.testing.assert_array_equal(scanned(labelled(events), positive="buy").labels, events == "buy")


def test_numbers_as_words() -> None:
    np.testing.assert_array_equal(scanned(labelled(CLICKS + 1), positive="2").labels, CLICKS)
    np.testing.assert_array_equal(scanned(labelled((CLICKS + 1).astype(float)), positive="2").labels, CLICKS)
    np.testing.assert_array_equal(scanned(labelled(CLICKS), positive="0").labels, 1 - CLICKS)


def cells_with(odd: object, row: int) -> list[object]:
    cells: list[object] = [("yes" if click else "no") for click in CLICKS]
    cells[row] = odd
    return cells


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        (np.where(CLICKS, "buy", "view"), {}, "labels are 'buy' and 'view'.*--positive buy or --positive view"),
        (CLICKS + 1, {}, "labels are '1' and '2'.*--positive 1 or --positive 2"),
        (np.where(CLICKS, "buy", "view"), {"positive": "sell"}, "no label is 'sell'; labels are 'view', 'buy'"),
        (cells_with("maybe", 7), {}, "line 8, column 'click': a label must be no or yes, found 'maybe'"),
        (cells_with("1", 7), {}, "line 8, column 'click': a label must be no or yes, found '1'"),
        (cells_with(None, 9), {}, "line 10, column 'click': a label must be 0 or 1, found an empty cell"),
        (cells_with("NA", 9), {}, "line 10, column 'click': a label must be 0 or 1, found 'NA'"),
        ([str(i) for i in range(ROWS)], {}, "line 3, column 'click': a label must be 0 or 1, found '2'"),
        (["yes"] * ROWS, {}, "all 60 labels are 1"),
    ],
)
def test_refused(cells: Any, options: dict[str, str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        scanned(labelled(cells), **options)


@pytest.mark.parametrize("names", [("click", "label"), ("y", "target"), ("Label", "label")])
def test_two_columns_that_may_be_the_label_have_to_be_told_apart(names: tuple[str, str]) -> None:
    frame = labelled(CLICKS, names[0]).assign(**{names[1]: CLICKS})
    with pytest.raises(DataError, match=f"may be the label: .*{names[0]}.*--label"):
        scanned(frame)
    for name in names:
        assert scanned(frame, label=name).label == name


def test_a_word_says_nothing_about_the_model(tmp_path: Path) -> None:
    words, numbers = labelled(np.where(CLICKS, "True", "False")), labelled(CLICKS)
    one, two = (prepare(frame, cache=tmp_path) for frame in (words, numbers))
    np.testing.assert_array_equal(one.train.labels, two.train.labels)
    np.testing.assert_array_equal(one.train.ids, two.train.ids)
    assert one.train.positives == two.train.positives


def test_weights_and_groups_are_other_columns_than_the_label() -> None:
    for role in ("weight", "group"):
        with pytest.raises(OptionError, match=role):
            DataOptions(label="click", **{role: "click"})  # type: ignore[arg-type]
        with pytest.raises(DataError, match=f"the label cannot be the {role} column"):
            scanned(labelled(CLICKS), **{role: "click"})
        with pytest.raises(DataError, match=f"no {role} column 'clock'; columns are click, x"):
            scanned(labelled(CLICKS), **{role: "clock"})
