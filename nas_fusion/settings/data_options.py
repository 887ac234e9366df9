"""`DataOptions`: how a log is read, split and encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nas_fusion import bounds
from nas_fusion.errors import OptionError, UnknownNameError
from nas_fusion.log_formats import AUTO, FORMAT_NAMES, FORMATS
from nas_fusion.settings.columns import (
    HASH_FORM,
    KIND_FORM,
    NUMBER_KINDS,
    NUMERIC_FORM,
    NUMERIC_RULES,
    ColumnKind,
    declared_kinds,
    has_column,
    pair,
    read_pairs,
    read_sizes,
)
from nas_fusion.settings.columns.text_forms import DELIMITER_FORM, checked_delimiter, is_encoding, read_delimiter
from nas_fusion.settings.option import Panel, check_fields, flag, number, text, word
from nas_fusion.settings.split_rule import SplitRule

PRESETS_ONLY = "for presets and Python: it reproduces a published setting"
"""Why the command line has no such option."""


def _marks(given: object) -> tuple[str, ...]:
    marks = tuple(given) if isinstance(given, list | tuple) else ()
    if not isinstance(given, list | tuple) or not all(isinstance(m, str) and m.strip() for m in marks):
        raise OptionError("missing", "texts that are not empty", given)
    return tuple(dict.fromkeys(m.strip() for m in marks))


def _columns(option: str, given: object) -> tuple[str, ...]:
    names = tuple(given) if isinstance(given, list | tuple) else ()
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise OptionError(option, "different column names, at least one", given)
    return names


@dataclass(frozen=True)
class DataOptions:
    """How a log is read, split and encoded.

    Args:
        format: one of `nas_fusion.log_formats`; "auto" goes by the file's extension and its first lines.
        encoding: of a text file; None goes by its bytes (byte-order marks, zeros), else UTF-8.
        delimiter: one ASCII character between the cells of a text file; None goes by its first lines.
        quote: "double": cells may stand in double quotes, even where their lines look like rows; "backslash": the same,
            but a quote within is written \\" and not as two; "none": quotes are plain text; None: double quotes, or
            with backslashes where the first lines tell, but rows are never swallowed.
        decimal: "." or ","; None goes by the first lines.
        missing: texts that are missing values, beside those that are in every text
            (`nas_fusion.data.sources.cells.COMMON_MARKS`).
        label: the column with the label; None takes the format's own, or the column that is called label, click, y or
            target; two of these have to be told apart.
        positive: the label that is the positive, where it is neither 1 nor a word like true or yes; any other label is
            then a negative.
        weight: a column that says how much every row counts, in training and in metrics.
        group: a column whose equal cells belong together, a user for instance: AUC is then also measured within groups.
        split_column: a column that says the split of every row: train, valid (also validation, val) or test, or
            0, 1, 2. Without it, a column called "split" that holds such values is used, unless `split` is set.
        split: "random", "time:COLUMN" (in the order of the column's times, oldest rows train; equal times stay in the
            file's order) or "group:COLUMN" (equal cells stay together), each with sizes after it or without:
            "random:8:1:1". At random, each split gets its share of positives where they are few.
        dates: "mdy", "dmy" or "ymd", the order of day, month and year where the cells do not tell.
        seed: of the random split, independent of every training seed.
        min_count: values seen less often in the training rows share the out-of-vocabulary id (published: 2).
        kinds: column → what it is (`ColumnKind`); what is not named is guessed, by its type and its cells.
        numeric: column → "bucket", "scale" or "category"; the same for numbers alone.
        numbers: how a column of numbers is read for which nothing is said.
        hash: column → number of ids that its values are hashed to.
        drop: columns that are no fields.
        list_length: how many items of a list are kept, the last ones.
        list_delimiter: what stands between the items of a list in a text; guessed if None.
        vocabulary_rows: "train", or "all" to reproduce published feature counts (validation and test leak in).
        reproduce_criteo_buckets: let 3 and 4 share bucket 1 with 1, and 5 bucket 2 with 2, as published.
        fields: use only these columns, in this order.

    Raises:
        OptionError: a value that is not allowed.
        UnknownNameError: an unknown format.
    """

    format: str = word(AUTO, FORMAT_NAMES, f"{', '.join(FORMATS)}, or a plugin's.", panel=Panel.DATA)
    encoding: str | None = text(
        None,
        "Encoding of a text file, latin-1 for instance.",
        panel=Panel.DATA,
        metavar="NAME",
        form="an encoding that Python knows, like utf-8, utf-16, latin-1 or cp1251",
        allows=is_encoding,
        shown="utf-8, or utf-16 and utf-32 where the bytes tell",
    )
    delimiter: str | None = text(
        None,
        "What stands between the cells of a text file: one character, or tab, space, \\x01.",
        panel=Panel.DATA,
        metavar="CHARACTER",
        read=read_delimiter,
        form=DELIMITER_FORM,
        allows=lambda given: read_delimiter(given) != "",
        shown="what cuts the first lines into equally many cells",
    )
    quote: str | None = word(
        None,
        ("double", "backslash", "none"),
        "How quotes within quoted cells of a text are written: as two, or after a backslash; `none`: all are text.",
        panel=Panel.DATA,
    )
    decimal: str | None = word(None, (".", ","), "The decimal mark of numbers in a text file.", panel=Panel.DATA)
    missing: tuple[str, ...] = text(
        (),
        "A text that means that there is no value, beside the common ones (NA, NULL, \\N …); may be repeated.",
        panel=Panel.DATA,
        metavar="MARK",
        read=str,
        repeated=True,
    )
    label: str | None = text(
        None,
        "Column with the 0/1 label.",
        panel=Panel.DATA,
        metavar="COLUMN",
        first=True,
        shown="the format's own, or one called label, click, y or target",
    )
    positive: str | None = text(
        None,
        "The label that is the positive; all others are negatives.",
        panel=Panel.DATA,
        metavar="WORD",
        shown="1, true, yes and the like",
    )
    weight: str | None = text(
        None, "Column that says how much every row counts, in training and metrics.", panel=Panel.DATA, metavar="COLUMN"
    )
    group: str | None = text(
        None, "Column of users, say: AUC is also measured within them.", panel=Panel.DATA, metavar="COLUMN"
    )
    split_column: str | None = text(
        None, "Column that says train, valid or test for every row.", panel=Panel.DATA, metavar="COLUMN"
    )
    split: str = text(
        "random",
        "random[:8:1:1], time:COLUMN[:8:1:1] or group:COLUMN[:8:1:1]; without a split column.",
        panel=Panel.DATA,
        metavar="RULE",
        first=True,
    )
    dates: str | None = word(
        None, ("mdy", "dmy", "ymd"), "Order of month, day and year, where the cells do not tell.", panel=Panel.DATA
    )
    seed: int = number(2025, bounds.SEED, "Seed of the random split.", panel=Panel.DATA, hidden=PRESETS_ONLY)
    min_count: int = number(
        2, bounds.MIN_COUNT, "Values seen less often in training rows share one id.", panel=Panel.DATA
    )
    kinds: Mapping[str, str] | tuple[tuple[str, str], ...] = text(
        (),
        f"What a column is; may be repeated. KIND: {', '.join(ColumnKind)}.",
        panel=Panel.DATA,
        name="kind",
        metavar="COLUMN=KIND",
        form=KIND_FORM,
        allows=has_column,
        read=pair,
        repeated=True,
        shown="guessed from types and cells, and said",
    )
    numeric: Mapping[str, str] | tuple[tuple[str, str], ...] = text(
        (),
        "COLUMN=bucket, COLUMN=scale or COLUMN=category; may be repeated.",
        panel=Panel.DATA,
        metavar="COLUMN=RULE",
        form=NUMERIC_FORM,
        allows=has_column,
        read=pair,
        repeated=True,
    )
    numbers: str = word("interpolate", NUMBER_KINDS, "What columns of numbers are read as.", panel=Panel.DATA)
    hash: Mapping[str, str] | tuple[tuple[str, str], ...] = text(
        (),
        f"Hash a column's values to so many ids ({bounds.HASH_SIZE.ends}; 2^20 for instance); may be repeated.",
        panel=Panel.DATA,
        metavar="COLUMN=SIZE",
        form=HASH_FORM,
        allows=has_column,
        read=pair,
        repeated=True,
    )
    drop: tuple[str, ...] = text(
        (), "A column that is no field; may be repeated.", panel=Panel.DATA, metavar="COLUMN", read=str, repeated=True
    )
    list_length: int = number(50, bounds.LIST_LENGTH, "Items of a list that are kept, the last ones.", panel=Panel.DATA)
    list_delimiter: str | None = text(
        None, "What stands between a list's items.", panel=Panel.DATA, metavar="TEXT", shown="guessed"
    )
    vocabulary_rows: str = word(
        "train", ("train", "all"), "Rows whose values have ids.", panel=Panel.DATA, hidden=PRESETS_ONLY
    )
    reproduce_criteo_buckets: bool = flag(
        False, "Criteo's buckets as published.", panel=Panel.DATA, hidden=PRESETS_ONLY
    )
    fields: tuple[str, ...] | None = text(
        None,
        "Use only these columns, in this order: A,B,C.",
        panel=Panel.DATA,
        metavar="COLUMNS",
        read=lambda given: tuple(given.split(",")),
        shown="all but label and split",
    )

    def __post_init__(self) -> None:
        bounds.check_text("format", self.format)
        if self.format not in FORMAT_NAMES:
            raise UnknownNameError("format", self.format, FORMAT_NAMES)
        check_fields(self)
        self._check_split()
        self._check_kinds()
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", checked_delimiter(self.delimiter))
        object.__setattr__(self, "missing", _marks(self.missing))
        if self.fields is not None:
            object.__setattr__(self, "fields", _columns("fields", self.fields))
        object.__setattr__(self, "drop", _columns("drop", self.drop) if self.drop else ())

    def _check_split(self) -> None:
        SplitRule.parse(self.split)
        for name in ("weight", "group"):
            if getattr(self, name) is not None and getattr(self, name) in (self.label, self.split_column):
                raise OptionError(name, "another column than those of label and split", getattr(self, name))
        if self.split_column is None:
            return
        if self.split != DataOptions.split:
            raise OptionError("split", "left out where a split_column says the split of every row", self.split)
        if self.split_column == self.label:
            raise OptionError("split_column", "another column than the label's", self.split_column)

    def _check_kinds(self) -> None:
        read = {
            "kinds": read_pairs("kinds", self.kinds, tuple(ColumnKind), f"one of {', '.join(ColumnKind)}"),
            "numeric": read_pairs("numeric", self.numeric, NUMERIC_RULES, "bucket, scale or category"),
            "hash": read_sizes("hash", self.hash),
        }
        for option, pairs in read.items():
            object.__setattr__(self, option, pairs)
            for column, rule in pairs:
                if rule != ColumnKind.IGNORE and column in (self.label, self.split_column):
                    raise OptionError(option, "of a field, not of the label or the split column", column)
        _ = self.declared_kinds

    @property
    def declared_kinds(self) -> dict[str, ColumnKind]:
        """Column → kind, where an option says it."""
        return declared_kinds(dict(self.numeric), dict(self.hash), dict(self.kinds), self.drop)

    @property
    def hash_sizes(self) -> dict[str, int]:
        """Column → number of hashes."""
        return {column: int(size) for column, size in dict(self.hash).items()}

    @property
    def split_rule(self) -> SplitRule:
        """`split`, read."""
        return SplitRule.parse(self.split)

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, the same for equal options."""
        pairs = {name: dict(sorted(dict(getattr(self, name)).items())) for name in ("kinds", "numeric", "hash")}
        return {**asdict(self), **pairs}


DEFAULT_OPTIONS = DataOptions()
