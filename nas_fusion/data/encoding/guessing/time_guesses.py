"""Columns of times: how they are written, and which of their parts tell rows apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nas_fusion.data.encoding.guessing.text_looks import is_time_name
from nas_fusion.data.schema import CellPart
from nas_fusion.data.sources.cells import ArrowColumn, CellError, CellRules, IntArray
from nas_fusion.data.times import NO_TIME, TimeEvidence, TimeForm, read_times

DAY = 86_400_000_000
HOUR = 3_600_000_000
"""In microseconds."""

DAYS_FOR_WEEKDAYS = 7
DAYS_FOR_DAYS = 1

YEARS_OF_LOGS = (946_684_800_000_000, 2_051_222_400_000_000)
"""2000 to 2035, in microseconds since 1970: whole numbers that mean another time are no times."""

WRITTEN_DIGITS = 8
"""Fewer digits than a date has (20240301) are a time only in a column that is called so."""

EPOCHS = (TimeForm.SECONDS, TimeForm.MILLISECONDS, TimeForm.MICROSECONDS, TimeForm.NANOSECONDS)


class Times(NamedTuple):
    """How a column's times are written, the first of them (microseconds since 1970), and which parts become fields."""

    form: TimeForm
    start: int
    parts: tuple[CellPart, ...]


def declared_times(column: ArrowColumn, rules: CellRules, dates: str | None) -> Times:
    """What a column that is said to hold times holds.

    Raises:
        CellError: a cell is no time, or may be two.
    """
    evidence = TimeEvidence(dates, rules)
    evidence.observe(column)
    form = evidence.form()
    if not (form.is_calendar or form.has_clock):
        raise CellError("expected times, found numbers of no known unit; number may be its kind")
    moments = read_times(column, form, rules)
    moments = moments[moments != NO_TIME]
    return Times(form, int(moments.min()), _parts(moments, form))


def guessed_times(name: str, column: ArrowColumn, rules: CellRules, dates: str | None) -> Times | None:
    """The same of a column of which nothing is said; None if it holds no times.

    Digits are taken for a time only where nothing else is likely: in the years that logs come from, and of many
    different times or in a column that is called like one.
    """
    try:
        found = declared_times(column, rules, dates)
    except CellError:
        return None
    if found.form in (TimeForm.TIMESTAMP, TimeForm.YMD, TimeForm.MDY, TimeForm.DMY):
        return found
    if found.form is TimeForm.CLOCK:
        return found
    moments = read_times(column, found.form, rules)
    moments = moments[moments != NO_TIME]
    if not (YEARS_OF_LOGS[0] <= moments.min() and moments.max() < YEARS_OF_LOGS[1]):
        return None
    counted = found.form in EPOCHS
    likely = len(np.unique(moments)) * 2 > len(moments) if counted else len(found.form.value) >= WRITTEN_DIGITS
    return found if likely or is_time_name(name) else None


def is_ambiguous(column: ArrowColumn, rules: CellRules) -> str:
    """Why texts that look like times are none; empty if they do not look so."""
    try:
        evidence = TimeEvidence(None, rules)
        evidence.observe(column)
        evidence.form()
    except CellError as error:
        return str(error) if "--dates" in str(error) else ""
    return ""


def _parts(moments: IntArray, form: TimeForm) -> tuple[CellPart, ...]:
    days = (moments.max() - moments.min()) / DAY
    parts = []
    if form.has_clock and len(np.unique(moments // HOUR % 24)) > 1:
        parts.append(CellPart.HOUR)
    if form.is_calendar and days >= DAYS_FOR_WEEKDAYS:
        parts.append(CellPart.WEEKDAY)
    if form.is_calendar and days >= DAYS_FOR_DAYS:
        parts.append(CellPart.DAY)
    return tuple(parts)
