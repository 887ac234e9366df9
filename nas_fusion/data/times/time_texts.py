"""Dates and clocks with signs or words between their parts: ISO 8601, American, European, with months' names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for no time among microseconds; numpy's NaT, too."""

FIRST_YEAR_OF_TWO_DIGITS = 69
"""As POSIX has it: 69 to 99 are of the last century, 00 to 68 of this one."""

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
"""In microseconds."""

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip

_MONTH_NUMBERS = {name[:length]: i + 1 for i, name in enumerate(MONTHS) for length in (3, 4, len(name))}
"""Of full names and of their beginnings: Mar, Sept."""

ORDERS = ("ymd", "mdy", "dmy")
"""The orders in which people write year, month and day."""

_CLOCK = (
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d+))?)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
)
_ZONE = r"\s*(?P<zone>[Zz]|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|UTC|GMT)?(?:\s*[\[(][^\])]*[\])])?"
_WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,?\s+)?"
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_THEN_CLOCK = rf"(?:(?:[T_:]|,?\s+){_CLOCK}{_ZONE})?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"

DATE_PATTERNS = tuple(
    rf"^\s*{body}\s*$"
    for body in (
        rf"(?P<a>\d{{1,4}})[-/.](?P<b>\d{{1,2}})[-/.](?P<c>\d{{1,4}}){_THEN_CLOCK}",  # 2024-03-01, 3/1/2024, 1.3.24
        rf"{_WEEKDAY}{_DAY}(?:[-/.]|\s+){_NAME}(?:[-/.]|,?\s+)(?P<year>\d{{2}}|\d{{4}}){_THEN_CLOCK}",  # 01/Mar/2024:08
        rf"{_WEEKDAY}{_NAME}\s+{_DAY},?\s+(?P<year>\d{{4}}){_THEN_CLOCK}",  # Mar 1, 2024 8:00 PM
        rf"{_WEEKDAY}{_NAME}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+(?P<year>\d{{4}})",  # Fri Mar  1 08:00:00 +0000 2024
        rf"(?P<year>\d{{4}})[-/.\s]{_NAME}[-/.\s]{_DAY}{_THEN_CLOCK}",  # 2024-Mar-01
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[T_\s](?P<hour>\d{2}):?(?P<minute>\d{2})?"
        rf":?(?P<second>\d{{2}})?(?:\.(?P<fraction>\d+))?{_ZONE}",  # 20240301T080000Z
        r"(?P<year>\d{4})[-/](?P<month>\d{1,2})",  # 2024-03
    )
)
"""Of dates, those first that are asked first; each part has a name."""

CLOCK_PATTERN = rf"^\s*{_CLOCK}\s*$"
"""Of a time of day without a date."""


class Moments(NamedTuple):
    """What texts mean.

    `orders` has, per order of `ORDERS`, microseconds since 1970, UTC, int64 ``[texts]``, `NO_TIME` for a text that is
    no time in this order. `zoned` says which of them name a zone, bool ``[texts]``.
    """

    orders: dict[str, IntArray]
    zoned: BoolArray


def read_dates(texts: pa.Array) -> Moments:
    """Texts ``[texts]`` as moments, under every order of year, month and day.

    A year of four digits in front, or a month's name, leaves no doubt: the orders then agree. A text without a zone is
    taken as UTC.
    """
    for zone in (None, "UTC"):  # Arrow reads ISO 8601 ten times as fast, if all or none of the texts name a zone
        if (iso := _read_iso(texts, zone)) is not None:
            return Moments(dict.fromkeys(ORDERS, iso), np.full(len(texts), zone is not None))
    count = len(texts)
    orders = {order: np.full(count, NO_TIME, np.int64) for order in ORDERS}
    zoned, left = np.zeros(count, np.bool_), np.arange(count)
    for pattern in DATE_PATTERNS:
        if not len(left):
            break
        found = pc.extract_regex(texts.take(pa.array(left)), pattern=pattern)
        hit = np.asarray(pc.is_valid(found))
        if hit.any():
            parts = _Parts(found.filter(pa.array(hit)))
            clock, valid = parts.clock()
            zoned[left[hit]] = parts.given("zone")
            for order, days in parts.days().items():
                orders[order][left[hit]] = np.where(valid & (days != NO_TIME), days * DAY + clock, NO_TIME)
        left = left[~hit]
    return Moments(orders, zoned)


def _read_iso(texts: pa.Array, zone: str | None) -> IntArray | None:
    """Microseconds since 1970, int64 ``[texts]``; None unless Arrow takes every text for a time stamp."""
    try:
        return np.asarray(texts.cast(pa.timestamp("us", zone)).cast(pa.int64())).astype(np.int64)
    except pa.ArrowInvalid:
        return None


def read_clocks(texts: pa.Array) -> IntArray:
    """Times of day without a date as microseconds since midnight, int64 ``[texts]``; `NO_TIME` for any other text."""
    found = pc.extract_regex(texts, pattern=CLOCK_PATTERN)
    hit = np.asarray(pc.is_valid(found))
    result = np.full(len(texts), NO_TIME, np.int64)
    if hit.any():
        parts = _Parts(found.filter(pa.array(hit)))
        clock, valid = parts.clock()
        # A number alone is an hour to nobody.
        result[hit] = np.where(valid & (parts.given("minute") | parts.given("half")), clock, NO_TIME)
    return result


def days_since_1970(year: IntArray, month: IntArray, day: IntArray) -> IntArray:
    """Days, int64, of the calendar's dates; `NO_TIME` for one that is not in the calendar."""
    good = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1) & (year <= 9999)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    good &= days < (first + 1).astype("datetime64[D]").astype(np.int64)
    return np.where(good, days, NO_TIME)


class _Parts:
    """The named parts of texts that fit a pattern; a part that the pattern or the text has not is empty.

    Args:
        found: what Arrow extracted, ``[texts]``.
    """

    def __init__(self, found: pa.StructArray) -> None:
        self._found = found
        self._names = {found.type.field(i).name for i in range(found.type.num_fields)}

    def days(self) -> dict[str, IntArray]:
        """Days since 1970 by order, int64 ``[texts]``."""
        if "a" not in self._names:
            month = _month_numbers(self._text("name")) if "name" in self._names else self._number("month", 1)
            year = _full_year(self._number("year"), self._lengths("year"))
            return dict.fromkeys(ORDERS, days_since_1970(year, month, self._number("day", 1)))
        parts, widths = [self._number(p) for p in "abc"], [self._lengths(p) for p in "abc"]
        year_first = widths[0] == 4
        iso = days_since_1970(*parts)
        result = {}
        for order in ORDERS:
            y, m, d = (order.index(part) for part in "ymd")
            days = days_since_1970(_full_year(parts[y], widths[y]), parts[m], parts[d])
            fits = ((widths[y] == 2) | (widths[y] == 4)) & (widths[m] <= 2) & (widths[d] <= 2)
            result[order] = np.where(year_first, np.where(widths[2] <= 2, iso, NO_TIME), np.where(fits, days, NO_TIME))
        return result

    def clock(self) -> tuple[IntArray, BoolArray]:
        """Microseconds since midnight UTC, int64 ``[texts]``, and which of them are a clock's."""
        hour, minute, second = (self._number(name) for name in ("hour", "minute", "second"))
        half = pc.utf8_lower(self._text("half"))
        has_half, is_after = self.given("half"), np.asarray(pc.starts_with(half, "p"))
        valid = (minute < 60) & (second <= 60) & ((hour < 24) | ((hour == 24) & (minute == 0) & (second == 0)))
        valid &= ~has_half | ((hour >= 1) & (hour <= 12))
        hour = np.where(has_half, hour % 12 + 12 * is_after, hour)
        digits = pc.utf8_rpad(pc.utf8_slice_codeunits(self._text("fraction"), 0, 6), 6, "0")
        fraction = np.asarray(digits.cast(pa.int64()))
        offset, known = self._offset()
        return hour * HOUR + minute * MINUTE + second * SECOND + fraction - offset, valid & known

    def given(self, name: str) -> BoolArray:
        """Which texts have this part, bool ``[texts]``."""
        return self._lengths(name) > 0

    def _offset(self) -> tuple[IntArray, BoolArray]:
        """What the zone is ahead of UTC, microseconds ``[texts]``, and which zones there are."""
        zone = pc.replace_substring_regex(self._text("zone"), r"^(?:UTC|GMT|Z|z)", "")
        digits = pc.replace_substring_regex(zone, "[+:-]", "")
        # One or two digits are hours; three or four end in minutes.
        hours_alone = np.asarray(pc.utf8_length(digits)) <= 2
        number = _numbers(digits)
        minutes = np.where(hours_alone, number * 60, number // 100 * 60 + number % 100)
        sign = np.where(np.asarray(pc.starts_with(zone, "-")), -1, 1)
        return sign * minutes * MINUTE, (minutes <= 18 * 60) & (hours_alone | (number % 100 < 60))

    def _text(self, name: str) -> pa.Array:
        if name not in self._names:
            return pa.array([""] * len(self._found), pa.string())
        return pc.fill_null(self._found.field(name), "").cast(pa.string())

    def _number(self, name: str, otherwise: int = 0) -> IntArray:
        return _numbers(self._text(name), otherwise)

    def _lengths(self, name: str) -> IntArray:
        return np.asarray(pc.utf8_length(self._text(name))).astype(np.int64)


def _numbers(texts: pa.Array, otherwise: int = 0) -> IntArray:
    """Texts of digits as numbers, an empty one as the other number."""
    filled = pc.if_else(pc.equal(texts, ""), str(otherwise), texts)
    return np.asarray(filled.cast(pa.int64())).astype(np.int64)


def _full_year(year: IntArray, width: IntArray) -> IntArray:
    century = np.where(year >= FIRST_YEAR_OF_TWO_DIGITS, 1900, 2000)
    return np.where(width <= 2, year + century, year)


def _month_numbers(names: pa.Array) -> IntArray:
    """Months' names, or their beginnings, as 1 to 12; 0 for any other word, int64 ``[names]``."""
    known = pc.index_in(pc.utf8_lower(names), value_set=pa.array(list(_MONTH_NUMBERS)))
    numbers = np.array([*_MONTH_NUMBERS.values(), 0], np.int64)
    return numbers[np.asarray(pc.fill_null(known, -1))]
