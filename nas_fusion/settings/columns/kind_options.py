"""What a column may be, and how options say it: ``--kind price=log``, ``--hash query=2^20``, ``--drop id``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from nas_fusion import bounds
from nas_fusion.errors import OptionError, shown

Pairs = tuple[tuple[str, str], ...]


class ColumnKind(StrEnum):
    """How a column is read; `nas_fusion.data.schema.FieldKind` is what becomes of it."""

    CATEGORY = "category"
    """One id per value."""

    NUMBER = "number"
    """A number in the way that is best on the whole: `INTERPOLATE`."""

    INTERPOLATE = "interpolate"
    """A number, its vector between those of two neighbouring knots."""

    BUCKET = "bucket"
    """A number, one id per bin."""

    SCALE = "scale"
    """A number, one vector times the standardised value."""

    BOTH = "both"
    """Two fields, interpolated and scaled."""

    LOG = "log"
    """A number, one id per logarithmic bucket, by Criteo's rule."""

    TIME = "time"
    """A time: hour, weekday and day, as far as they tell rows apart."""

    LIST = "list"
    """Several values at once: the mean of their vectors; and their number."""

    HASH = "hash"
    """One id per hash of the value."""

    IGNORE = "ignore"
    """No field."""


NUMERIC_RULES = ("bucket", "scale", "category")
"""What a column may be declared as by `DataOptions.numeric`."""

NUMBER_KINDS = ("interpolate", "bucket", "scale", "both", "log", "category")
"""What all columns of numbers may be read as."""

KIND_FORM = f"COLUMN=KIND, KIND being one of {', '.join(ColumnKind)}"
NUMERIC_FORM = "COLUMN=bucket, COLUMN=scale or COLUMN=category"
HASH_FORM = "COLUMN=SIZE, SIZE being a number of ids such as 100000 or 2^20"


def pair(given: str) -> tuple[str, str]:
    """COLUMN=WORD as a pair; a column's name may hold the sign."""
    column, _, word = given.rpartition("=")
    return column, word


def has_column(given: str) -> bool:
    """Whether a text has the form COLUMN=WORD."""
    return pair(given)[0] != ""


def read_pairs(option: str, given: object, words: Sequence[str], expected: str) -> Pairs:
    """What columns are declared as.

    Args:
        option: its name.
        given: a mapping, or pairs.
        words: what a column may be; any if there are none.
        expected: the same for messages.

    Raises:
        OptionError: another form, another word, or two words for one column.
    """
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise OptionError(option, f"columns with their rules ({expected})", given)
    rules: dict[str, str] = {}
    for column, word in pairs:
        bounds.check_text(option, column)
        if words and word not in words:
            raise OptionError(f"{option}[{shown(column)}]", expected, word)
        if rules.setdefault(column, str(word)) != str(word):
            raise OptionError(f"{option}[{shown(column)}]", f"one rule, {rules[column]} or {word}", list(pairs))
    return tuple(rules.items())


def read_sizes(option: str, given: object) -> Pairs:
    """Columns with the number of their hashes, which may be written as a power of two.

    Raises:
        OptionError: another form, or a number that is not allowed.
    """
    found = read_pairs(option, given, (), HASH_FORM)
    return tuple((column, str(_size(f"{option}[{shown(column)}]", size))) for column, size in found)


def _size(option: str, text: str) -> int:
    base, power, exponent = text.partition("^")
    bound = bounds.HASH_SIZE
    if power and base.strip() == "2" and exponent.strip().isdigit() and len(exponent) < 4:
        text = str(2 ** int(exponent))
    size = bound.read(text)
    if size is None:
        raise OptionError(option, f"{bound}, 2^20 for instance", text)
    return int(size)


def declared_kinds(
    numeric: Mapping[str, str], hashed: Mapping[str, str], kinds: Mapping[str, str], dropped: Sequence[str]
) -> dict[str, ColumnKind]:
    """Column → kind, by all options together.

    Raises:
        OptionError: two options make different things of one column.
    """
    found: dict[str, ColumnKind] = {}
    given = [
        *((column, ColumnKind(rule)) for column, rule in numeric.items()),
        *((column, ColumnKind.HASH) for column in hashed),
        *((column, ColumnKind(kind)) for column, kind in kinds.items()),
        *((column, ColumnKind.IGNORE) for column in dropped),
    ]
    for column, kind in given:
        if found.setdefault(column, kind) is not kind:
            raise OptionError(f"kinds[{shown(column)}]", f"one kind, {found[column]} or {kind}", dict(given))
    return found
