"""`ReadingPlan`: which columns of a log say what, by the options and the log's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nas_fusion.data.sources.source import Source
from nas_fusion.errors import listed, nearest_first, shown
from nas_fusion.settings import DEFAULT_OPTIONS, ColumnKind, DataOptions, SplitKind, SplitRule

LABEL_NAMES = ("label", "click", "y", "target")
"""Columns that are taken as the label where none is named."""

TIME_WHY = "whose times decide the split"

AUTO_SPLIT_COLUMN = "split"
"""A column of this name, in any case, decides the splits where it holds splits."""


@dataclass(frozen=True)
class ReadingPlan:
    """How a log is going to be read; its columns are checked, its rows not.

    Args:
        label: the column of the label.
        split_column: the column that says the split of every row; one that is only called "split" still has to hold
            splits. None if there is neither.
        divides: the column whose times or groups decide the splits, if one does.
        options: what the user asked for.
    """

    label: str
    split_column: str | None
    divides: str | None
    options: DataOptions

    @property
    def split_is_named(self) -> bool:
        """Whether the user named the split column: it then has to hold splits."""
        return self.options.split_column is not None

    @property
    def split_is_drawn(self) -> bool:
        """Whether the user asked for a split by a rule: it wins over a column that is called "split"."""
        return self.options.split != DEFAULT_OPTIONS.split

    @property
    def splitting_columns(self) -> list[str]:
        """The columns that may decide the splits."""
        return [c for c in (self.split_column, self.divides) if c is not None]

    @property
    def left_out(self) -> dict[str, str]:
        """Columns that say something about rows, and why they are therefore no fields; unless the user asks for them.

        A model cannot learn from the times or the groups of the split: those of the test rows are new to it.
        """
        asked = {*(self.options.fields or ()), *self.options.declared_kinds}
        why = TIME_WHY if self.rule.kind is SplitKind.TIME else "whose equal cells stay in one split"
        found = {self.options.weight: "the rows' weights", self.divides: why}
        weight = self.options.weight
        return {name: why for name, why in found.items() if name is not None and (name == weight or name not in asked)}

    @property
    def rule(self) -> SplitRule:
        """How the log is split where no column says it."""
        return self.options.split_rule


def plan_reading(source: Source, options: DataOptions) -> ReadingPlan:
    """Find the columns that the options name; no row is read.

    Raises:
        DataError: there is no such column (names the columns, nearest first), or it cannot be what it is to be.
    """
    divides = options.split_rule.column if options.split_column is None else None
    label = options.label or source.label or _usual_label(source)
    if lack := _lack(source, options, label, divides):
        known = nearest_first(lack.wanted, source.columns)
        raise source.error(f"{lack.problem}; columns are {listed(known)}")
    split_column = options.split_column
    if split_column is None:
        split_column = next((c for c in source.columns if c.lower() == AUTO_SPLIT_COLUMN and c != label), None)
    elif split_column == label:
        raise source.error("the label cannot be the split column", column=label)
    for role, name in (("split", divides), ("weight", options.weight), ("group", options.group)):
        if name == label:
            raise source.error(f"the label cannot be the {role} column", column=label)
    kinds = options.declared_kinds.items()
    taken = [name for name, kind in kinds if kind is not ColumnKind.IGNORE and name in (label, options.split_column)]
    if taken:
        raise source.error("the label or split column cannot be a field with a kind", column=taken[0])
    return ReadingPlan(label, split_column, divides, options)


def columns_read(source: Source, plan: ReadingPlan) -> tuple[str, ...]:
    """The columns that may have to be read: what says something about rows, and what may be a field."""
    options = plan.options
    kinds = options.declared_kinds
    said = {plan.label, *plan.splitting_columns, options.weight, options.group, source.probability}
    asked = {*(options.fields or ()), *kinds}
    fields = {c for c in source.columns if options.fields is None and c not in source.not_fields} | asked
    dropped = {name for name, kind in kinds.items() if kind is ColumnKind.IGNORE}
    return tuple(c for c in source.columns if c in said | (fields - dropped))


class _Lack(NamedTuple):
    """What a log has not, and which names were looked for."""

    problem: str
    wanted: Sequence[str]


def _lack(source: Source, options: DataOptions, label: str, divides: str | None) -> _Lack | None:
    """The first column that is asked for and that the log has not."""
    columns = source.columns
    if not label:
        return _Lack(f"no label is named and no column is called {', '.join(LABEL_NAMES)}", LABEL_NAMES)
    if options.label is None and label not in columns:
        problem = f"no label column {shown(label)}: such rows of {source.kind} can be scored, but not learnt from"
        return _Lack(problem, [label])
    rule = str(options.split_rule.kind)
    asked = [("label", options.label), ("split", options.split_column), (rule, divides)]
    asked += [("weight", options.weight), ("group", options.group)]
    numeric = dict(options.numeric)
    asked += [("numeric" if name in numeric else "such", name) for name in options.declared_kinds]
    asked += [("field", name) for name in options.fields or ()]
    for role, name in asked:
        if name is not None and name not in columns:
            return _Lack(f"no {role} column {shown(name)}", [name])
    return None


def _usual_label(source: Source) -> str:
    """The column that has one of the names that labels usually have; empty if there is none.

    Raises:
        DataError: there are several; all but one would be fields, and give the answer away.
    """
    found = [c for name in LABEL_NAMES for c in source.columns if c.lower() == name]
    if len(found) > 1:
        raise source.error(f"more than one column may be the label: {listed(found)}; say which one with --label")
    return found[0] if found else ""
