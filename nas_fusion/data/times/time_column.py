"""`TimeForm`: how a column's times are written; found by looking at all cells, since one may be read two ways."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas_fusion.data.sources.cells import (
    COMMON_RULES,
    ArrowColumn,
    Categories,
    CellError,
    CellRules,
    categories,
    plain,
)
from nas_fusion.data.times.time_numbers import EPOCHS, LAYOUTS, Numbers, from_digits, from_epoch, in_epoch, read_numbers
from nas_fusion.data.times.time_texts import NO_TIME, ORDERS, BoolArray, IntArray, read_clocks, read_dates
from nas_fusion.errors import shown


class TimeForm(StrEnum):
    """How a column's times are written."""

    TIMESTAMP = "timestamp"
    """An Arrow type of its own: a time stamp or a date."""

    YMD = "ymd"
    """A date with signs between its parts, perhaps a clock and a zone: 2024-03-01T08:00:00+02:00, 24/3/1."""

    MDY = "mdy"
    """The same, month first: 3/1/2024 8:00 PM."""

    DMY = "dmy"
    """The same, day first: 1.3.2024 20:00."""

    CLOCK = "clock"
    """A time of day: 20:00."""

    SECONDS = "seconds"
    """Since 1970."""

    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    NANOSECONDS = "nanoseconds"
    YYYYMMDDHHMMSS = "yyyymmddHHMMSS"
    """Digits in a row."""

    YYYYMMDDHHMM = "yyyymmddHHMM"
    YYYYMMDDHH = "yyyymmddHH"
    YYYYMMDD = "yyyymmdd"
    YYMMDDHHMMSS = "yymmddHHMMSS"
    YYMMDDHHMM = "yymmddHHMM"
    YYMMDDHH = "yymmddHH"
    YYMMDD = "yymmdd"
    MMDDYYYY = "mmddyyyy"
    DDMMYYYY = "ddmmyyyy"
    MMDDYY = "mmddyy"
    DDMMYY = "ddmmyy"
    NUMBER = "number"
    """Numbers in the order of time, of no known unit."""

    @property
    def is_calendar(self) -> bool:
        """Whether its times have a date, and with that a weekday."""
        return self not in (TimeForm.NUMBER, TimeForm.CLOCK)

    @property
    def has_clock(self) -> bool:
        """Whether its times may have an hour."""
        return self is not TimeForm.NUMBER and (self.value not in LAYOUTS or "HH" in self.value)


_NUMERIC = (*(TimeForm(layout) for layout in LAYOUTS), *(TimeForm(unit) for unit in EPOCHS), TimeForm.NUMBER)
_DATES = tuple(TimeForm(order) for order in ORDERS)
_TWINS = ((TimeForm.MMDDYYYY, TimeForm.DDMMYYYY), (TimeForm.MMDDYY, TimeForm.DDMMYY))
"""Digits in a row in which month and day may be taken for each other."""


class _Misfit(NamedTuple):
    """A cell that a form cannot mean: its row and its text."""

    row: int
    text: str


class TimeEvidence:
    """Finds a column's form. Life: `observe` for every chunk, or for a sample, then `form`.

    Args:
        dates: "ymd", "mdy" or "dmy", the order of year, month and day, where the user said it.
        rules: how cells that are text are read.

    Attributes:
        first_missing: the 0-based row of the first missing cell; None if there is none.
    """

    def __init__(self, dates: str | None = None, rules: CellRules = COMMON_RULES) -> None:
        self._dates, self._rules = dates, rules
        self.first_missing: int | None = None
        self._rows = 0
        self._is_typed = False
        self._misfits: Counter[TimeForm] = Counter()
        self._first: dict[TimeForm, _Misfit] = {}
        self._differing: dict[frozenset[TimeForm], str] = {}
        self._zones: dict[bool, tuple[int, _Misfit]] = {}
        self._units: Counter[TimeForm] = Counter()

    def observe(self, column: ArrowColumn, first_row: int = 0) -> None:
        """Take in the cells of a chunk, ``[rows]``, whose first row has this 0-based number; missing ones tell nothing.

        Raises:
            CellError: the column's type can hold no time.
        """
        if _is_typed(column.type):
            self._is_typed = True
            self._note_missing(~np.asarray(plain(column).is_valid()), first_row)
            return
        found = categories(column, self._rules)
        self._note_missing(found.codes < 0, first_row)
        counts = found.counts()
        self._rows += int(counts.sum())
        numbers = read_numbers(found.values)
        self._observe_numbers(found, counts, numbers, first_row)
        if not numbers.is_number.all():
            self._observe_texts(found, counts, numbers.is_number, first_row)
        else:
            for form in (*_DATES, TimeForm.CLOCK):
                self._judge(form, ~numbers.is_number, found, counts, first_row)

    def form(self) -> TimeForm:
        """The form that every cell fits.

        Raises:
            CellError: there is none, or more than one and they mean different times. `index` is the 0-based row of the
                first cell that does not fit, if that is the trouble.
        """
        if self._is_typed:
            return TimeForm.TIMESTAMP
        forms = (*_DATES, TimeForm.CLOCK, *_NUMERIC)
        if self._rows == 0:
            raise CellError("there is no time in any row")
        fitting = [form for form in forms if not self._misfits[form] and self._is_asked(form)]
        if not fitting:
            asked = [form for form in (*_DATES, TimeForm.CLOCK, TimeForm.NUMBER) if self._is_asked(form)]
            self._refuse(min(asked, key=lambda form: self._misfits[form]))
        for twins in (frozenset(pair) for pair in self._differing):
            if twins <= set(fitting) and (fitting[0] in twins):
                raise CellError(_two_ways(self._differing[twins]))
        if fitting[0] in _DATES and len(self._zones) > 1:
            _, odd = min(self._zones.values(), key=lambda found: found[0])
            raise CellError(f"some times name a zone and others do not, as {shown(odd.text)}", odd.row)
        return self._of_one_unit(fitting[0])

    def _note_missing(self, rows: BoolArray, first_row: int) -> None:
        if self.first_missing is None and rows.any():
            self.first_missing = first_row + int(rows.argmax())

    def _is_asked(self, form: TimeForm) -> bool:
        """Whether the user did not say that dates are written in another order."""
        if self._dates is None:
            return True
        if form in _DATES:
            return form == self._dates
        return form.value not in LAYOUTS or form.value[0] in ("y", self._dates[0])

    def _observe_numbers(self, found: Categories, counts: IntArray, numbers: Numbers, first_row: int) -> None:
        some = bool(numbers.is_number.any())
        for form in _NUMERIC:
            if form.value in LAYOUTS and self._misfits[form]:
                continue  # it is out, and looking again takes time
            good = _numeric_fits(numbers, form) if some else numbers.is_number
            self._judge(form, good, found, counts, first_row)
            if form.value in EPOCHS:
                self._units[form] += int(counts[good].sum())
        for one, other in _TWINS:
            if not self._misfits[one] and not self._misfits[other]:
                self._compare(one, other, from_digits(numbers, one), from_digits(numbers, other), found.values)

    def _observe_texts(self, found: Categories, counts: IntArray, is_number: BoolArray, first_row: int) -> None:
        texts = found.values.filter(pa.array(~is_number))
        place = np.flatnonzero(~is_number)
        dates, clocks = read_dates(texts), read_clocks(texts)
        for form in _DATES:
            self._judge(form, _spread(dates.orders[form] != NO_TIME, place, len(counts)), found, counts, first_row)
        self._judge(TimeForm.CLOCK, _spread(clocks != NO_TIME, place, len(counts)), found, counts, first_row)
        for one, other in ((_DATES[0], _DATES[1]), (_DATES[0], _DATES[2]), (_DATES[1], _DATES[2])):
            self._compare(one, other, dates.orders[one], dates.orders[other], texts)
        known = dates.orders["ymd"] != NO_TIME
        for order in ORDERS:
            known |= dates.orders[order] != NO_TIME
        for zoned in (True, False):
            chosen = _spread((dates.zoned == zoned) & known, place, len(counts))
            if rows := int(counts[chosen].sum()):
                before = self._zones.get(zoned)
                first = before[1] if before else _first(chosen, found, first_row)
                self._zones[zoned] = (rows + (before[0] if before else 0), first)

    def _judge(self, form: TimeForm, good: BoolArray, found: Categories, counts: IntArray, first_row: int) -> None:
        """Count the rows whose cell is no time of this form, and remember the first."""
        bad = int(counts[~good].sum())
        if bad and form not in self._first:
            self._first[form] = _first(~good, found, first_row)
        self._misfits[form] += bad

    def _compare(self, one: TimeForm, other: TimeForm, first: IntArray, second: IntArray, texts: pa.Array) -> None:
        differing = (first != NO_TIME) & (second != NO_TIME) & (first != second)
        if differing.any():
            self._differing.setdefault(frozenset((one, other)), texts[int(differing.argmax())].as_py())

    def _refuse(self, form: TimeForm) -> None:
        odd = self._first[form]
        if self._misfits[form] == self._rows:
            raise CellError(f"expected a time, found {shown(odd.text)}", odd.row)
        written = "a number" if form in _NUMERIC else f"a time like the others ({form})"
        raise CellError(f"expected {written}, found {shown(odd.text)}", odd.row)

    def _of_one_unit(self, form: TimeForm) -> TimeForm:
        """Numbers of which some count seconds and others milliseconds have no order."""
        units = {unit: rows for unit, rows in self._units.items() if rows}
        if form is not TimeForm.NUMBER or len(units) < 2 or sum(units.values()) < self._rows:
            return form
        usual = max(units, key=lambda unit: units[unit])
        odd = self._first[usual]
        raise CellError(f"expected {usual} since 1970 as in the other rows, found {shown(odd.text)}", odd.row)


def _two_ways(text: str) -> str:
    return (
        f"days, months and years cannot be told apart: {shown(text)} may mean two dates, and no row tells which; say "
        "--dates mdy, --dates dmy or --dates ymd"
    )


def read_times(column: ArrowColumn, form: TimeForm, rules: CellRules = COMMON_RULES) -> IntArray:
    """A column's times in microseconds since 1970, UTC, int64 ``[rows]``; `NO_TIME` where the cell is missing.

    A clock counts from midnight. Times without a zone are taken as UTC.

    Args:
        column: the cells.
        form: how they are written; not `TimeForm.NUMBER`, whose unit nobody knows.
        rules: how cells that are text are read.

    Raises:
        CellError: a cell is no time of this form.
    """
    return order_keys(column, form, rules).astype(np.int64)


def order_keys(column: ArrowColumn, form: TimeForm, rules: CellRules = COMMON_RULES) -> npt.NDArray[np.number]:
    """What puts a column's cells in order, ``[rows]``: `read_times`, or the numbers themselves of `TimeForm.NUMBER`.

    Raises:
        CellError: a cell is no time of this form.
    """
    if _is_typed(column.type) and form is not TimeForm.NUMBER:
        return _from_type(column)
    if form is TimeForm.TIMESTAMP:  # the same as text, in a log that has no types
        form = TimeForm.YMD
    found = categories(column, rules)
    keys, good = _keys(found.values, form)
    bad = (found.codes >= 0) & ~np.append(good, True)[found.codes]
    if bad.any():
        index = int(bad.argmax())
        text = found.values[int(found.codes[index])].as_py()
        raise CellError(f"expected a time ({form}), found {shown(text)}", index)
    return np.append(keys, NO_TIME)[found.codes]


def _keys(texts: pa.Array, form: TimeForm) -> tuple[npt.NDArray[np.number], BoolArray]:
    """Keys of different texts, ``[texts]``, and which of them are times of this form."""
    if form in _NUMERIC:
        numbers = read_numbers(texts)
        if form is TimeForm.NUMBER:
            return numbers.keys, numbers.is_number
        keys = from_epoch(numbers, form) if form.value in EPOCHS else from_digits(numbers, form)
    else:
        keys = read_clocks(texts) if form is TimeForm.CLOCK else read_dates(texts).orders[form]
    return keys, keys != NO_TIME


def _numeric_fits(numbers: Numbers, form: TimeForm) -> BoolArray:
    if form is TimeForm.NUMBER:
        return numbers.is_number
    if form.value in EPOCHS:
        return in_epoch(numbers, form)
    return from_digits(numbers, form) != NO_TIME


def _is_typed(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_temporal(value))


def _from_type(column: ArrowColumn) -> IntArray:
    array = plain(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        if pa.types.is_time(array.type):
            micros = array.cast(pa.time64("us"), safe=False).cast(pa.int64())
        else:
            zone = array.type.tz if pa.types.is_timestamp(array.type) else None
            micros = array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CellError(f"a column of type {array.type} holds no times") from error
    return np.asarray(micros.fill_null(NO_TIME)).astype(np.int64)


def _spread(chosen: BoolArray, place: npt.NDArray[np.intp], size: int) -> BoolArray:
    """A mask over some of `size` values as a mask over all of them."""
    result = np.zeros(size, np.bool_)
    result[place] = chosen
    return result


def _first(chosen: BoolArray, found: Categories, first_row: int) -> _Misfit:
    """The first row that holds one of the chosen values."""
    row = int(np.append(chosen, False)[found.codes].argmax())
    return _Misfit(first_row + row, found.values[int(found.codes[row])].as_py())
