"""`DataOptions`: how a log is read, split and encoded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nas_fusion import bounds
from nas_fusion.bounds import FORMATS
from nas_fusion.errors import OptionError, UnknownNameError, shown

NUMERIC_RULES = ("bucket", "scale", "category")
"""What a column may be declared as by `DataOptions.numeric`."""

DEFAULT_SPLIT = "random"
SPLIT_FORMS = "random, random:8:1:1, time:COLUMN or time:COLUMN:8:1:1 (three positive weights)"


@dataclass(frozen=True)
class SplitRule:
    """`DataOptions.split`, read: by time if there is a column, else at random; relative sizes of the three splits."""

    column: str | None
    weights: tuple[float, float, float]

    @classmethod
    def parse(cls, text: str) -> SplitRule:
        """Read "random", "random:8:1:1", "time:COLUMN" or "time:COLUMN:8:1:1".

        Raises:
            OptionError: it is none of these.
        """
        kind, *rest = text.split(":")
        weights = (8.0, 1.0, 1.0)
        if len(rest) >= 3:
            weights = _weights(rest[-3:], text)
            rest = rest[:-3]
        if kind == "random" and not rest:
            return cls(None, weights)
        if kind == "time" and rest and ":".join(rest):
            return cls(":".join(rest), weights)
        raise OptionError("split", SPLIT_FORMS, text)

    def sizes(self, rows: int) -> tuple[int, int, int]:
        """The exact number of rows of the three splits."""
        total = sum(self.weights)
        train, valid = (round(rows * w / total) for w in self.weights[:2])
        return train, valid, rows - train - valid


def _weights(parts: list[str], text: str) -> tuple[float, float, float]:
    try:
        train, valid, test = (float(p) for p in parts)
    except ValueError as error:
        raise OptionError("split", SPLIT_FORMS, text) from error
    if not all(0 < w < math.inf for w in (train, valid, test)):
        raise OptionError("split", SPLIT_FORMS, text)
    return train, valid, test


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


def _columns(given: object) -> tuple[str, ...]:
    fields = tuple(given) if isinstance(given, list | tuple) else ()
    if not fields or not all(isinstance(f, str) and f for f in fields) or len(set(fields)) < len(fields):
        raise OptionError("fields", "different column names, at least one", given)
    return fields


@dataclass(frozen=True)
class DataOptions:
    """How a log is read, split and encoded.

    Args:
        format: one of `nas_fusion.bounds.FORMATS`; "auto" goes by the file's extension and its first lines.
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

    format: str = "auto"
    label: str | None = None
    split_column: str | None = None
    split: str = DEFAULT_SPLIT
    seed: int = 2025
    min_count: int = 2
    numeric: Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    vocabulary_rows: str = "train"
    reproduce_criteo_buckets: bool = False
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        bounds.check_text("format", self.format)
        if self.format not in FORMATS:
            raise UnknownNameError("format", self.format, FORMATS)
        for name in ("label", "split_column"):
            if getattr(self, name) is not None:
                bounds.check_text(name, getattr(self, name))
        self._check_split()
        bounds.SEED.check("seed", self.seed)
        bounds.MIN_COUNT.check("min_count", self.min_count)
        bounds.one_of("vocabulary_rows", self.vocabulary_rows, ("train", "all"))
        bounds.check_flag("reproduce_criteo_buckets", self.reproduce_criteo_buckets)
        object.__setattr__(self, "numeric", _rules(self.numeric, self.label, self.split_column))
        if self.fields is not None:
            object.__setattr__(self, "fields", _columns(self.fields))

    def _check_split(self) -> None:
        bounds.check_text("split", self.split)
        SplitRule.parse(self.split)
        if self.split_column is None:
            return
        if self.split != DEFAULT_SPLIT:
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
