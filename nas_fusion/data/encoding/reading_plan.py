"""`ReadingPlan`: which columns of a log say what, by the options and the log's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nas_fusion.data.sources.source import Source
from nas_fusion.errors import LONGEST_QUOTE, listed, shown
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

LABEL_NAMES = ("label", "click", "y", "target")
"""Columns that are taken as the label where none is named."""

AUTO_SPLIT_COLUMN = "split"
"""A column of this name, in any case, decides the splits where it holds splits."""

NEAR = 0.4
"""Names that agree to this share with what was asked for are offered first."""


@dataclass(frozen=True)
class ReadingPlan:
    """How a log is going to be read; its columns are checked, its rows not.

    Args:
        label: the column of the label.
        split_column: the column that says the split of every row; one that is only called "split" still has to hold
            splits. None if there is neither.
        time: the column whose order decides the splits, if one does.
        options: what the user asked for.
    """

    label: str
    split_column: str | None
    time: str | None
    options: DataOptions

    @property
    def split_is_named(self) -> bool:
        """Whether the user named the split column: it then has to hold splits."""
        return self.options.split_column is not None

    @property
    def split_is_drawn(self) -> bool:
        """Whether the user asked for a split by chance or by time: it wins over a column that is called "split"."""
        return self.options.split != DEFAULT_OPTIONS.split


def plan_reading(source: Source, options: DataOptions) -> ReadingPlan:
    """Find the columns that the options name; no row is read.

    Raises:
        DataError: there is no such column (names the columns, nearest first), or it cannot be what it is to be.
    """
    label = _label(source, options.label)
    split_column, time = options.split_column, None
    if split_column is None:
        time = options.split_rule.column
        split_column = next((c for c in source.columns if c.lower() == AUTO_SPLIT_COLUMN and c != label), None)
    elif _existing(source, split_column, "split") == label:
        raise source.error("the label cannot be the split column", column=label)
    if time is not None:
        _existing(source, time, "time")
    for name in options.numeric_rules:
        if _existing(source, name, "numeric") in (label, options.split_column):
            raise source.error("the label or split column cannot be a field with a numeric rule", column=name)
    for name in options.fields or ():
        _existing(source, name, "field")
    return ReadingPlan(label, split_column, time, options)


def _label(source: Source, wanted: str | None) -> str:
    """The column of the label: the wanted one, the format's own, or one with a usual name."""
    if wanted is not None:
        return _existing(source, wanted, "label")
    if source.label is not None:
        return source.label
    usual = [c for name in LABEL_NAMES for c in source.columns if c.lower() == name]
    if usual:
        return usual[0]
    known = listed(_nearest(LABEL_NAMES, source.columns))
    raise source.error(f"no label is named and no column is called {', '.join(LABEL_NAMES)}; columns are {known}")


def _existing(source: Source, name: str, role: str) -> str:
    if name in source.columns:
        return name
    raise source.error(f"no {role} column {shown(name)}; columns are {listed(_nearest([name], source.columns))}")


def _nearest(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """All known names, those that look like a wanted one first."""
    looked_for = [w[:LONGEST_QUOTE] for w in wanted]
    ratios = [
        -max(SequenceMatcher(None, w, name[:LONGEST_QUOTE].lower()).ratio() for w in looked_for) for name in known
    ]
    near = [name for ratio, name in sorted(zip(ratios, known, strict=True)) if ratio <= -NEAR]
    return near + [name for name in known if name not in near]
