"""What messages quote: short, in one line, and nothing that a terminal would obey."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion.bounds import LEARNING_RATE, LEVELS, Bound, check_flag, check_text, is_device, one_of
from nas_fusion.errors import (
    LONGEST_QUOTE,
    DataError,
    OptionError,
    UnknownNameError,
    listed,
    one_line,
    shortened,
    shown,
)

LONG = "x" * 10_000


@pytest.mark.parametrize(
    "value",
    [LONG, LONG.encode(), [LONG] * 3, {LONG: 1}, 10**5_000, -(10**5_000), Path(LONG)],
    ids=lambda v: type(v).__name__,
)
def test_a_quoted_value_is_short(value: object) -> None:
    assert len(shown(value)) <= LONGEST_QUOTE


@pytest.mark.parametrize("value", ["", "click", 3, -1.5, None, (1, 2), "it's", "a\nb"])
def test_a_short_value_is_quoted_as_it_is(value: object) -> None:
    assert shown(value) == repr(value)


def test_both_ends_of_a_long_text_are_shown() -> None:
    assert shortened("a" * 300 + "b" * 300, 10) == "aaaaaa…bbb"
    assert shown("a" * 300 + "b" * 300).startswith("'aaa")
    assert shown("a" * 300 + "b" * 300).endswith("bbb'")


@pytest.mark.parametrize(
    "error",
    [
        OptionError("split", "random", LONG),
        DataError(LONG, path=LONG, column=LONG),
        UnknownNameError("strategy", LONG, [LONG, "random"]),
    ],
)
def test_no_error_quotes_more(error: Exception) -> None:
    line = one_line(str(error))
    assert "x" * (LONGEST_QUOTE + 1) not in line
    assert len(line) < 1_000


def test_a_line_is_one_line_and_harmless() -> None:
    line = one_line("no such file: \x1b[31mred\x1b[0m\r\n\x07 \u202egnp.exe caf\udce9\ttab")
    assert line == r"no such file: \x1b[31mred\x1b[0m \x07 \u202egnp.exe caf\udce9 tab"


def test_long_lists_say_how_many_more() -> None:
    names = listed(f"column{i}" for i in range(2_000))
    assert names.startswith("column0, column1, ")
    assert names.endswith("column39, and 1,960 more")
    assert listed([]) == "none"


@pytest.mark.parametrize("value", [0, 33, -1, 10**30, 2.0, True, "3", None, float("nan")])
def test_integers_outside_a_bound(value: object) -> None:
    assert LEVELS.allows(1)
    assert LEVELS.allows(32)
    assert not LEVELS.allows(value)
    with pytest.raises(OptionError, match=r"levels must be an integer from 1 to 32 \(L levels have .*\), got "):
        LEVELS.check("levels", value)


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), 1e300, "1", None, False])
def test_numbers_outside_a_bound(value: object) -> None:
    assert LEARNING_RATE.allows(1e-8)
    assert LEARNING_RATE.allows(10_000)
    assert not LEARNING_RATE.allows(value)
    with pytest.raises(OptionError, match="lr must be a number above 0, at most 10,000, got "):
        LEARNING_RATE.check("lr", value)


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), (" 3 ", 3), ("3.0", None), ("1e2", None), ("", None), ("9" * 5_000, None)],
    ids=lambda v: str(v)[:9],
)
def test_integers_are_read(text: str, number: int | None) -> None:
    assert Bound(0, 10).read(text) == number


def test_words_flags_texts_and_devices() -> None:
    one_of("product", "zero", ("zero", "open"))
    for value in ("zeros", 0, None, ["zero"]):
        with pytest.raises(OptionError, match="product must be one of zero, open, got "):
            one_of("product", value, ("zero", "open"))
    with pytest.raises(OptionError, match="got 1"):
        check_flag("batch_norm", 1)
    for text in ("", "a\0b", 3, None):
        with pytest.raises(OptionError, match="label must be a text that is not empty"):
            check_text("label", text)
    assert all(map(is_device, ("auto", "cpu", "cuda", "cuda:0", "cuda:12")))
    assert not any(map(is_device, ("gpu", "cuda:", "cuda:-1", "cuda:9999", "cuda:1 ", "cpu\n", "cuda:²", None, 0)))
