"""Times that are written as plain numbers: seconds since 1970 and their fractions, and digits in a row."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.times.time_texts import (
    DAY,
    FIRST_YEAR_OF_TWO_DIGITS,
    HOUR,
    MINUTE,
    NO_TIME,
    SECOND,
    BoolArray,
    IntArray,
    days_since_1970,
)

EPOCHS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
"""Units since 1970, in seconds."""

EPOCH_YEARS = (5e8, 2e9)
"""From 1985 to 2033, in seconds: a number in between may count from 1970, and no two units overlap."""

LAYOUTS = (
    "yyyymmddHHMMSS", "yyyymmddHHMM", "yyyymmddHH", "yyyymmdd", "yymmddHH", "yymmddHHMM", "yymmddHHMMSS", "mmddyyyy",
    "ddmmyyyy", "yymmdd", "mmddyy", "ddmmyy",
)  # fmt: skip
"""Digits in a row, those first that are believed first."""

YEARS = (1900, 2099)
"""Within which a year of four digits is believed to be one."""

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_WHOLE = r"^\s*[+-]?(\d{1,18}|[1-8]\d{18})(\.0*)?\s*$"


class Numbers(NamedTuple):
    """Texts as numbers: float64 ``[texts]``, NaN for no number; and exact, int64 ``[texts]``, where `whole` is true."""

    floats: npt.NDArray[np.float64]
    whole: IntArray
    is_whole: BoolArray

    @property
    def is_number(self) -> BoolArray:
        """Which texts are finite numbers, bool ``[texts]``."""
        return np.isfinite(self.floats)

    @property
    def keys(self) -> npt.NDArray[np.number]:
        """What orders them: exact where all are whole."""
        return self.whole if self.is_whole.all() else self.floats


def read_numbers(texts: pa.Array) -> Numbers:
    """Texts ``[texts]`` as numbers."""
    floats = _matching(texts, _NUMBER).cast(pa.float64())
    whole = pc.replace_substring_regex(_matching(texts, _WHOLE), r"\..*$", "").cast(pa.int64())
    return Numbers(
        np.asarray(pc.fill_null(floats, np.nan)).astype(np.float64),
        np.asarray(pc.fill_null(whole, 0)).astype(np.int64),
        np.asarray(pc.is_valid(whole)),
    )


def _matching(texts: pa.Array, pattern: str) -> pa.Array:
    """The texts without blanks around them and without a plus; null for one that does not fit the pattern."""
    bare = pc.utf8_ltrim(pc.utf8_trim_whitespace(texts), "+")
    return pc.if_else(pc.match_substring_regex(texts, pattern), bare, pa.scalar(None, texts.type))


def in_epoch(numbers: Numbers, unit: str) -> BoolArray:
    """Which numbers may count this unit since 1970, bool ``[texts]``."""
    seconds = numbers.floats * EPOCHS[unit]
    return (seconds >= EPOCH_YEARS[0]) & (seconds < EPOCH_YEARS[1])


def from_epoch(numbers: Numbers, unit: str) -> IntArray:
    """Numbers that count this unit since 1970 as microseconds, int64 ``[texts]``; `NO_TIME` for no number."""
    per_second = round(1 / EPOCHS[unit])
    exact = numbers.whole // (per_second // SECOND) if per_second > SECOND else numbers.whole * (SECOND // per_second)
    rounded = np.where(numbers.is_number, np.round(numbers.floats * (SECOND / per_second)), 0)
    fits = np.abs(rounded) < 2.0**62
    found = np.where(numbers.is_whole, exact, np.where(fits, rounded, 0).astype(np.int64))
    return np.where(numbers.is_number & fits, found, NO_TIME)


def from_digits(numbers: Numbers, layout: str) -> IntArray:
    """Digits in a row as microseconds since 1970, int64 ``[texts]``; `NO_TIME` for what does not fit the layout.

    One zero in front may be gone, as it is where a log was stored with whole numbers.
    """
    parts = {name: np.zeros(len(numbers.whole), np.int64) for name in "HMS"}
    rest = numbers.whole
    runs = [(name, len(list(run))) for name, run in groupby(layout)]
    for name, width in reversed(runs):
        rest, parts[name] = np.divmod(rest, 10**width)
    year = parts["y"]
    if "yyyy" in layout:
        good = (year >= YEARS[0]) & (year <= YEARS[1])
    else:
        year = year + np.where(year >= FIRST_YEAR_OF_TWO_DIGITS, 1900, 2000)
        good = np.ones(len(year), np.bool_)
    good &= numbers.is_whole & (numbers.whole >= 10 ** (len(layout) - 2)) & (rest == 0)
    good &= (parts["H"] < 24) & (parts["M"] < 60) & (parts["S"] < 60)
    days = days_since_1970(year, parts["m"], parts["d"])
    clock = parts["H"] * HOUR + parts["M"] * MINUTE + parts["S"] * SECOND
    good &= days != NO_TIME
    return np.where(good, np.where(good, days, 0) * DAY + clock, NO_TIME)
