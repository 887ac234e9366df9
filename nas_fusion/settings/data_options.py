"""`DataOptions`: how a log is read, split and encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nas_fusion import bounds
from nas_fusion.errors import OptionError, UnknownNameError, shown
from nas_fusion.log_formats import AUTO, FORMAT_NAMES, FORMATS
from nas_fusion.settings.option import Panel, check_fields, flag, number, text, word
from nas_fusion.settings.split_rule import SplitRule

NUMERIC_RULES = ("bucket", "scale", "category")
"""What a column may be declared as by `DataOptions.numeric`."""

NUMERIC_FORM = "COLUMN=bucket, COLUMN=scale or COLUMN=category"

PRESETS_ONLY = "for presets and Python: it reproduces a published setting"
"""Why the command line has no such option."""


def _rules(given: object, label: str | None, split_column: str | None) -> tuple[tuple[str, str], ...]:
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise OptionError("numeric", f"columns with their rules ({', '.join(NUMERIC_RULES)})", given)
    rules: dict[str, str] = {}
    for column, rule in pairs:
        bounds.check_text("numeric", column)
        if rule not in NUMERIC_RULES:
            raise OptionError(f"numeric[{shown(column)}]", "bucket, scale or category", rule)
        if rules.setdefault(column, rule) != rule:
            raise OptionError(f"numeric[{shown(column)}]", f"one rule, {rules[column]} or {rule}", list(pairs))
        if column in (label, split_column):
            raise OptionError("numeric", "of a field, not of the label or the split column", column)
    return tuple(rules.items())


def _marks(given: object) -> tuple[str, ...]:
    marks = tuple(given) if isinstance(given, list | tuple) else ()
    if not isinstance(given, list | tuple) or not all(isinstance(m, str) and m.strip() for m in marks):
        raise OptionError("missing", "texts that are not empty", given)
    return tuple(dict.fromkeys(m.strip() for m in marks))


def _columns(given: object) -> tuple[str, ...]:
    fields = tuple(given) if isinstance(given, list | tuple) else ()
    if not fields or not all(isinstance(f, str) and f for f in fields) or len(set(fields)) < len(fields):
        raise OptionError("fields", "different column names, at least one", given)
    return fields


@dataclass(frozen=True)
class DataOptions:
    """How a log is read, split and encoded.

    Args:
        format: one of `nas_fusion.log_formats`; "auto" goes by the file's extension and its first lines.
        missing: texts that are missing values, beside those that are in every text
            (`nas_fusion.data.sources.cells.COMMON_MARKS`).
        label: the column with the label; None takes the format's own, or the first column that is called label,
            click, y or target.
        split_column: a column that says the split of every row: train, valid (also validation, val) or test, or
            0, 1, 2. Without it, a column called "split" that holds such values is used, unless `split` is set.
        split: "random", "random:8:1:1", "time:COLUMN" or "time:COLUMN:8:1:1" (in the order of the column, oldest
            rows train; equal times stay in the file's order).
        seed: of the random split, independent of every training seed.
        min_count: values seen less often in the training rows share the out-of-vocabulary id (published: 2).
        numeric: column → "bucket", "scale" or "category". By default Criteo's I1 … I13 are bucketed by the published
            rule, and so is, by quantiles of the training rows, every column of CSV, Parquet or a frame that holds
            fractional numbers with more than 100 different values; everything else is a category.
        vocabulary_rows: "train", or "all" to reproduce published feature counts (validation and test leak in).
        reproduce_criteo_buckets: let 3 and 4 share bucket 1 with 1, and 5 bucket 2 with 2, as published.
        fields: use only these columns, in this order.

    Raises:
        OptionError: a value that is not allowed.
        UnknownNameError: an unknown format.
    """

    format: str = word(AUTO, FORMAT_NAMES, f"{', '.join(FORMATS)}, or a plugin's.", panel=Panel.DATA)
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
    split_column: str | None = text(
        None, "Column that says train, valid or test for every row.", panel=Panel.DATA, metavar="COLUMN"
    )
    split: str = text(
        "random",
        "random[:8:1:1] or time:COLUMN[:8:1:1]; without a split column.",
        panel=Panel.DATA,
        metavar="RULE",
        first=True,
    )
    seed: int = number(2025, bounds.SEED, "Seed of the random split.", panel=Panel.DATA, hidden=PRESETS_ONLY)
    min_count: int = number(
        2, bounds.MIN_COUNT, "Values seen less often in training rows share one id.", panel=Panel.DATA
    )
    numeric: Mapping[str, str] | tuple[tuple[str, str], ...] = text(
        (),
        "COLUMN=bucket, COLUMN=scale or COLUMN=category; may be repeated.",
        panel=Panel.DATA,
        metavar="COLUMN=RULE",
        form=NUMERIC_FORM,
        allows=lambda given: given.rpartition("=")[0] != "",
        read=lambda given: (given.rpartition("=")[0], given.rpartition("=")[2]),
        repeated=True,
    )
    vocabulary_rows: str = word(
        "train", ("train", "all"), "Rows whose values have ids.", panel=Panel.DATA, hidden=PRESETS_ONLY
    )
    reproduce_criteo_buckets: bool = flag(
        False, "Criteo's buckets as published.", panel=Panel.DATA, hidden=PRESETS_ONLY
    )
    fields: tuple[str, ...] | None = text(
        None, "Columns in use.", panel=Panel.DATA, read=str, repeated=True, hidden=PRESETS_ONLY
    )

    def __post_init__(self) -> None:
        bounds.check_text("format", self.format)
        if self.format not in FORMAT_NAMES:
            raise UnknownNameError("format", self.format, FORMAT_NAMES)
        check_fields(self)
        self._check_split()
        object.__setattr__(self, "numeric", _rules(self.numeric, self.label, self.split_column))
        object.__setattr__(self, "missing", _marks(self.missing))
        if self.fields is not None:
            object.__setattr__(self, "fields", _columns(self.fields))

    def _check_split(self) -> None:
        SplitRule.parse(self.split)
        if self.split_column is None:
            return
        if self.split != DataOptions.split:
            raise OptionError("split", "left out where a split_column says the split of every row", self.split)
        if self.split_column == self.label:
            raise OptionError("split_column", "another column than the label's", self.split_column)

    @property
    def numeric_rules(self) -> dict[str, str]:
        """`numeric` as a dictionary."""
        return dict(self.numeric)

    @property
    def split_rule(self) -> SplitRule:
        """`split`, read."""
        return SplitRule.parse(self.split)

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, the same for equal options."""
        return {**asdict(self), "numeric": dict(sorted(self.numeric_rules.items()))}


DEFAULT_OPTIONS = DataOptions()
