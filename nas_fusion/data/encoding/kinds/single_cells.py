"""Cells one by one, as Python has them: the same values, numbers, times and items as those of a column.

A column costs Arrow a third of a millisecond however short it is, which is much for the one row of a request. Here a
cell costs microseconds. What is not read here in just the way of a column is refused (`NotPlain`), and then the row is
read as columns are: there a cell that is wrong gets its message, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from nas_fusion.data.encoding.kinds.column_cells import BRACKETS, DAY, EPOCH_WEEKDAY, HOUR, QUOTES, WHOLE_NUMBER
from nas_fusion.data.schema import CellForm, CellPart
from nas_fusion.data.sources.cells import BLANKS, COMMA_NUMBER, NUMBER, CellRules
from nas_fusion.data.times import TimeForm

MOST_WHOLE = 1e7
"""Whole numbers below this have the same digits whichever float type they come from."""

MOST_INTEGER = 1 << 63
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?", re.ASCII)
YEARS = range(1970, 2100)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
UNITS = {TimeForm.SECONDS: 1_000_000, TimeForm.MILLISECONDS: 1000, TimeForm.MICROSECONDS: 1}
"""Microseconds of a unit."""

WHOLE_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_WHOLE, _BRACKETS, _QUOTES = (re.compile(pattern) for pattern in (WHOLE_NUMBER, BRACKETS, QUOTES))
_COMMA = re.compile(COMMA_NUMBER)


class NotPlain(Exception):
    """A cell that has to be read as a column."""


def native(cell: object) -> object:
    """A number, truth value or text of numpy's as Python's; anything else as it is."""
    return cell.item() if isinstance(cell, np.number | np.bool_ | np.str_) else cell


def cell_text(cell: object, rules: CellRules, *, whole: bool = False) -> str | None:
    """A cell as text; None where it is missing.

    Args:
        cell: a text, a number, a truth value, or None.
        rules: how texts are read.
        whole: whether 7.0 is 7.

    Raises:
        NotPlain: it is something else.
    """
    if cell is None or (type(cell) is float and math.isnan(cell)):
        return None
    text = (cell if type(cell) is str else _written(cell)).strip(BLANKS)
    if not text or text in rules.marks:
        return None
    if rules.decimal == "," and _COMMA.match(text):
        text = text.replace(".", "").replace(",", ".")
    return _WHOLE.sub(r"\1", text) if whole else text


def _written(cell: object) -> str:
    """A number or a truth value as Arrow writes it."""
    if type(cell) is bool:
        return "true" if cell else "false"
    if type(cell) is int:
        return str(cell)
    if type(cell) is float and abs(cell) < MOST_WHOLE and cell.is_integer():
        return f"{cell:.0f}"  # of -0.0, too
    raise NotPlain


def cell_number(cell: object, rules: CellRules) -> float:
    """A cell as a number, NaN where it is missing.

    Raises:
        NotPlain: it is none, or infinite.
    """
    if type(cell) is str:
        text = cell_text(cell, rules)
        if text is None:
            return math.nan
        if not (text.isascii() and NUMBER.match(text)) or text.startswith("+"):
            raise NotPlain
        number = float(text)
    elif cell is None:
        return math.nan
    elif type(cell) is float or (type(cell) is int and abs(cell) < MOST_INTEGER) or type(cell) is bool:
        number = float(cell)
    else:
        raise NotPlain
    if math.isinf(number):
        raise NotPlain
    return math.nan if len(rules.marked_numbers) and number in rules.marked_numbers else number


def cell_items(cell: object, rules: CellRules, form: CellForm) -> list[str] | None:
    """A cell as the items of a list that have a value; None where there is no list.

    Raises:
        NotPlain: it is no list, or an item is neither text nor number.
    """
    if form.delimiter and type(cell) is str:
        text = cell_text(cell, rules)
        if text is None:
            return None
        cell = _BRACKETS.sub(r"\1", text).split(form.delimiter)
    if cell is None:
        return None
    if not isinstance(cell, list | tuple):
        raise NotPlain
    _one_kind(cell)
    return [_QUOTES.sub(r"\1", text) for item in cell if (text := cell_text(item, rules)) is not None]


def _one_kind(items: Sequence[object]) -> None:
    if len({type(item) for item in items if item is not None}) > 1:
        raise NotPlain


def cell_part(cell: object, part: CellPart, rules: CellRules, form: CellForm) -> float:
    """A cell, or a part of it, as a number, NaN where it is missing.

    Raises:
        NotPlain: it is none.
    """
    if part is CellPart.WHOLE:
        return cell_number(cell, rules)
    if part is CellPart.LENGTH:
        items = cell_items(cell, rules, form)
        return math.nan if items is None else float(len(items))
    moment = _moment(cell, TimeForm(form.time), rules)
    if moment is None:
        return math.nan
    if part is CellPart.HOUR:
        return float(moment // HOUR % 24)
    if part is CellPart.WEEKDAY:
        return float((moment // DAY + EPOCH_WEEKDAY) % 7)
    return (float(moment) - form.start) / DAY


def _moment(cell: object, form: TimeForm, rules: CellRules) -> int | None:
    """Microseconds since 1970; None where there is no time."""
    if isinstance(cell, datetime) and not getattr(cell, "nanosecond", 0):
        known = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        if known.year not in YEARS:
            raise NotPlain
        return (known - EPOCH) // MICROSECOND
    text = cell_text(cell, rules)
    if text is None:
        return None
    if form in UNITS and WHOLE_DIGITS.fullmatch(text):
        return int(text) * UNITS[form]
    date = DATE.fullmatch(text) if form in (TimeForm.TIMESTAMP, TimeForm.YMD) else None
    if date is None or int(date[1]) not in YEARS:
        raise NotPlain
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // MICROSECOND
    except ValueError as error:
        raise NotPlain from error
