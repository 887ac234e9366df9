"""Times in any of the ways that they are written, as the numbers that a field of a time is made of."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000  # in microseconds
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}  # of a second
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"([+-]?(?:\d{1,18}|[1-8]\d{18}))(\.0*)?", re.ASCII)


def part_of_time(cell: Any, field: Mapping[str, Any]) -> float:
    """Hour, weekday or days since the first row, of a text (or a `datetime`) in the field's form; NaN for None."""
    if cell is None:
        return np.nan
    moment = of_datetime(cell) if hasattr(cell, "year") else of_text(cell.strip(), field)
    if moment is None:
        raise ValueError(f"{field['column']}: expected a time ({field['time']}), found {cell!r}")
    if field["part"] == "hour":
        return float(moment // HOUR % 24)
    if field["part"] == "weekday":
        return float((moment // DAY + 3) % 7)  # 1970-01-01 was a Thursday; Monday is 0
    return (float(moment) - field["start"]) / DAY


def of_datetime(cell: datetime.date) -> int:
    """Microseconds since 1970, UTC; a `datetime` without a zone is taken as UTC."""
    if not isinstance(cell, datetime.datetime):
        cell = datetime.datetime(cell.year, cell.month, cell.day)
    zone = cell.utcoffset() or datetime.timedelta()
    return (cell.replace(tzinfo=None) - zone - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


def of_text(text: str, field: Mapping[str, Any]) -> int | None:
    """The same of a text; None if it is no time of the field's form."""
    form = field["time"]
    if form in UNITS:
        return _since_1970(text, UNITS[form])
    if "yy" in form:
        return _digits(text, form)
    for pattern in field["patterns"]:
        if found := re.match(pattern, text, re.ASCII):
            parts = {name: part or "" for name, part in found.groupdict().items()}
            clock = _clock(parts)
            if form == "clock":
                return clock if parts["minute"] or parts["half"] else None
            day = _date(parts, "ymd" if form == "timestamp" else form)
            return None if day is None or clock is None else day * DAY + clock
    return None


def _since_1970(text: str, per_second: int) -> int | None:
    if not NUMBER.fullmatch(text):
        return None
    if whole := WHOLE.fullmatch(text):
        return int(whole.group(1)) * SECOND // per_second
    return round(float(text) * (SECOND / per_second))


def _digits(text: str, layout: str) -> int | None:
    whole = WHOLE.fullmatch(text)
    rest = int(whole.group(1)) if whole else 0
    if rest < 10 ** (len(layout) - 2):
        return None
    parts = dict.fromkeys("HMS", 0)
    for name, run in reversed([(name, len(list(run))) for name, run in groupby(layout)]):
        rest, parts[name] = divmod(rest, 10**run)
    year = parts["y"] if "yyyy" in layout else _full_year(parts["y"], 2)
    day = _day(year, parts["m"], parts["d"])
    if rest or day is None or parts["H"] > 23 or parts["M"] > 59 or parts["S"] > 59 or not 1900 <= year <= 2099:
        return None
    return day * DAY + parts["H"] * HOUR + parts["M"] * MINUTE + parts["S"] * SECOND


def _date(parts: Mapping[str, str], order: str) -> int | None:
    """Days since 1970."""
    if "a" not in parts:
        named = parts.get("name", "").lower()
        month = MONTHS.index(named[:3]) + 1 if named[:3] in MONTHS else int(parts.get("month") or 0)
        return _day(_full_year(int(parts["year"]), len(parts["year"])), month, int(parts.get("day") or 1))
    texts = [parts[name] for name in "abc"]
    if len(texts[0]) == 4:
        return _day(*map(int, texts)) if len(texts[2]) <= 2 else None
    y, m, d = (texts[order.index(name)] for name in "ymd")
    fits = len(y) in (2, 4) and len(m) <= 2 and len(d) <= 2
    return _day(_full_year(int(y), len(y)), int(m), int(d)) if fits else None


def _full_year(year: int, digits: int) -> int:
    return year + (1900 if year >= 69 else 2000) if digits <= 2 else year


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return (datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days
    except ValueError:
        return None


def _clock(parts: Mapping[str, str]) -> int | None:
    """Microseconds since midnight, UTC."""
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = parts.get("half", "").lower()
    if minute > 59 or second > 60 or hour > 24 or (hour == 24 and (minute or second)) or (half and not 1 <= hour <= 12):
        return None
    hour = hour % 12 + 12 * half.startswith("p") if half else hour
    zone = re.sub("^(UTC|GMT|Z|z)", "", parts.get("zone", ""))
    digits = re.sub("[+:-]", "", zone)
    ahead = int(digits or 0) * 60 if len(digits) <= 2 else int(digits) // 100 * 60 + int(digits) % 100
    if ahead > 18 * 60 or (len(digits) > 2 and int(digits) % 100 > 59):
        return None
    fraction = int(parts.get("fraction", "")[:6].ljust(6, "0"))
    offset = -ahead if zone.startswith("-") else ahead
    return hour * HOUR + minute * MINUTE + second * SECOND + fraction - offset * MINUTE
