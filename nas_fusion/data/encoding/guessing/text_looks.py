"""What texts look like: numbers, codes, lists."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.cells import COMMA_NUMBER, DECORATED, NUMBER, IntArray

LEADING_ZERO = r"^[+-]?0\d"
FRACTION_OF_NOTHING = r"^[+-]?\d+\.0*$"
WHOLE = r"^[+-]?\d+$"

DELIMITERS = ("|", ";", ",", "\x02", "^", "~", " ")
"""What may stand between the items of a list, those first that are believed first."""

CELLS_WITH_DELIMITER = 0.5
"""Lists may have one item; most have more."""

DECORATED_SHARE = 0.95
UNIT_LESS = r"[^%$€£¥]"
"""What is not a sign of a unit."""

DIFFERENT_CELLS = 20
"""Fewer different texts are values as they stand."""

ITEM_SHARE = 0.5
"""Items repeat: there are at most so many different ones for each different cell."""

BRACKETS = re.compile(r"^\s*\[.*\]\s*$", re.DOTALL)
LOOKED_AT = 2000
"""Different texts are enough to see a delimiter."""

ID_NAMES = frozenset(
    (
        "id", "ids", "uid", "uuid", "guid", "key", "code", "hash", "zip", "postcode", "sku", "ip", "user", "item", "ad",
        "advertiser", "app", "creative", "customer", "device", "domain", "keyword", "product", "publisher", "query",
        "session", "site", "title", "url",
    )
)  # fmt: skip
ID_ENDS = re.compile(
    r"(user|item|ad|device|session|product|customer|campaign|creative|site|app|page|query|request|order|account|member"
    r"|client|store|shop|city|country|region|category|cat|brand|advertiser|keyword|title|publisher)s?_?ids?$"
)
TIME_NAMES = frozenset(
    ("time", "timestamp", "ts", "date", "datetime", "day", "dt", "at", "when", "hour", "month", "created", "updated")
)


def has_leading_zeros(values: pa.Array) -> bool:
    """Whether a text (large_string ``[values]``) begins with a zero that a number would not have: a code."""
    return _any_matches(values, LEADING_ZERO)


class WholeForms(NamedTuple):
    """Whether whole numbers are written as 7.0, and whether they are written as 7."""

    with_point: bool
    without: bool


def whole_forms(values: pa.Array) -> WholeForms:
    """How whole numbers are written, in texts (large_string ``[values]``)."""
    return WholeForms(_any_matches(values, FRACTION_OF_NOTHING), _any_matches(values, WHOLE))


def _any_matches(values: pa.Array, form: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, form), min_count=0).as_py())


def is_id_name(name: str) -> bool:
    """Whether a column is called as ids are."""
    return bool(ID_NAMES & _words(name)) or ID_ENDS.search(name.lower()) is not None


def is_time_name(name: str) -> bool:
    """Whether a column is called as times are."""
    return bool(TIME_NAMES & _words(name)) or name.lower().endswith(("time", "date", "_ts", "timestamp"))


def _words(name: str) -> set[str]:
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return {word.lower() for word in re.split(r"[\W_\d]+", apart) if word}


def list_delimiter(values: pa.Array, counts: IntArray) -> str:
    """The delimiter of texts that are lists; empty if they are none.

    Most cells hold it, and what stands between repeats far more than the cells do.

    Args:
        values: the different texts, large_string ``[values]``.
        counts: how often each occurs, int64 ``[values]``.
    """
    order = np.argsort(-counts, kind="stable")[:LOOKED_AT]
    texts = [str(text) for text in values.take(pa.array(order)).to_pylist()]
    weights = counts[order]
    if len(texts) < DIFFERENT_CELLS:
        return ""
    for delimiter in DELIMITERS:
        having = np.array([delimiter in text for text in texts])
        if weights[having].sum() < CELLS_WITH_DELIMITER * weights.sum():
            continue
        if _items_repeat(texts, delimiter):
            return delimiter
    return ""


def _items_repeat(texts: list[str], delimiter: str) -> bool:
    cells = [[item.strip() for item in bare(text).split(delimiter) if item.strip()] for text in texts]
    items = [item for cell in cells for item in cell]
    if len({len(cell) for cell in cells}) == 1 and all(map(NUMBER.match, items)):
        return False  # coordinates, sizes: places in a cell mean different things
    different = len(set(items))
    return different <= ITEM_SHARE * len(texts) and different < len(items) / 2


def are_decorated(values: pa.Array) -> bool:
    """Whether texts are numbers with a currency, a percent sign, or signs between their thousands; all of one unit.

    A text like 100,200 may be a list of two: of thousands, some have fewer than three digits before the first sign.

    Args:
        values: the different texts, large_string ``[values]``.
    """
    good = pc.match_substring_regex(values, DECORATED)
    numbers = values.filter(good)
    if len(numbers) < DECORATED_SHARE * len(values) or not len(numbers):
        return False
    units = pc.replace_substring_regex(numbers, UNIT_LESS, "").unique().to_pylist()
    grouped = numbers.filter(pc.match_substring_regex(numbers, r"\d[^0-9.%$€£¥]\d"))
    groups_vary = not len(grouped) or _any_matches(grouped, r"^[^0-9]*\d{1,2}[^0-9.]")
    return len(units) == 1 and groups_vary and (bool(units[0]) or len(grouped) > 0)


def has_decimal_commas(values: pa.Array) -> bool:
    """Whether texts (large_string ``[values]``) look like numbers with a decimal comma."""
    found = pc.match_substring_regex(values, COMMA_NUMBER)
    return len(values) >= DIFFERENT_CELLS and pc.sum(found).as_py() >= DECORATED_SHARE * len(values)


def with_zeros_and_without(values: pa.Array) -> tuple[str, str] | None:
    """Two texts (of large_string ``[values]``) that are one number, with and without zeros in front; None without."""
    padded = values.filter(pc.match_substring_regex(values, r"^0+[1-9]\d*$"))
    known = pc.is_in(pc.utf8_ltrim(padded, characters="0"), value_set=values)
    both = padded.filter(known)
    return (both[0].as_py().lstrip("0"), both[0].as_py()) if len(both) else None


def case_share(values: pa.Array) -> float:
    """Which share of texts (large_string ``[values]``) another one differs from in nothing but case, 0 to 1."""
    return 1 - len(pc.utf8_lower(values).unique()) / len(values) if len(values) else 0.0


def holds_objects(values: pa.Array) -> bool:
    """Whether all of some texts (large_string ``[values]``) look like JSON objects."""
    return bool(pc.all(pc.match_substring_regex(values, r'^\s*\{\s*".*\}\s*$'), min_count=1).as_py())


def bare(text: str) -> str:
    """A list without its brackets: [1, 2] is 1, 2."""
    return text.strip()[1:-1] if BRACKETS.match(text) else text
