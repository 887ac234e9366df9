"""`ColumnPlan`: what a column is, and why; and which fields it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nas_fusion.data.encoding.kinds import FieldPlan, Rule
from nas_fusion.data.schema import AS_THEY_ARE, CellForm, CellPart
from nas_fusion.errors import plain
from nas_fusion.settings import ColumnKind, DataOptions

SAID = "as you said"
"""Why a column is what an option makes of it."""

SCALED = "scaled"
"""End of the name of a column's second field."""


@dataclass(frozen=True)
class ColumnPlan:
    """What a column of a log is read as.

    Args:
        name: of the column.
        kind: what it is.
        reason: why, in a few words.
        is_declared: whether the user, or the log's format, said it; it was guessed otherwise.
        cells: how its cells are read.
        parts: of a time, which of its parts become fields.
        warnings: what looks wrong about it.
    """

    name: str
    kind: ColumnKind
    reason: str = ""
    is_declared: bool = False
    cells: CellForm = AS_THEY_ARE
    parts: tuple[CellPart, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, for JSON."""
        return {
            "name": self.name, "kind": self.kind.value, "reason": self.reason, "is_declared": self.is_declared,
            "cells": asdict(self.cells), "parts": list(self.parts), "warnings": list(self.warnings),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ColumnPlan:
        """What `to_dict` made."""
        return cls(
            content["name"], ColumnKind(content["kind"]), content["reason"], content["is_declared"],
            CellForm(**content["cells"]), tuple(CellPart(part) for part in content["parts"]),
            tuple(content["warnings"]),
        )  # fmt: skip


def field_plans(columns: Sequence[ColumnPlan], options: DataOptions) -> list[FieldPlan]:
    """The fields that columns become, in their order."""
    return [field for column in columns for field in _fields(column, options)]


def _fields(column: ColumnPlan, options: DataOptions) -> list[FieldPlan]:
    whole = FieldPlan(column.name, Rule.CATEGORY, column.name, CellPart.WHOLE, column.cells, options.min_count)

    def part(rule: Rule, part: CellPart, end: str) -> FieldPlan:
        return replace(whole, rule=rule, part=part, name=f"{column.name}.{end}")

    match column.kind:
        case ColumnKind.IGNORE:
            return []
        case ColumnKind.BOTH:
            return [replace(whole, rule=Rule.INTERPOLATE), part(Rule.SCALE, CellPart.WHOLE, SCALED)]
        case ColumnKind.TIME:
            return [part(_TIME_RULES[one], one, one) for one in column.parts]
        case ColumnKind.LIST:
            items = replace(whole, rule=Rule.LIST, items=options.list_length)
            return [items, part(Rule.INTERPOLATE, CellPart.LENGTH, CellPart.LENGTH)]
    log = Rule.LOG_PUBLISHED if options.reproduce_criteo_buckets else Rule.LOG
    hashes = options.hash_sizes.get(column.name, DEFAULT_HASHES)
    return [replace(whole, rule={ColumnKind.LOG: log, **_RULES}[column.kind], hash_size=hashes)]


DEFAULT_HASHES = 1 << 18
"""Of a column that is to be hashed without a word on how many: 16 MiB of vectors of 16 numbers."""

_RULES = {
    ColumnKind.CATEGORY: Rule.CATEGORY,
    ColumnKind.HASH: Rule.HASH,
    ColumnKind.NUMBER: Rule.INTERPOLATE,
    ColumnKind.INTERPOLATE: Rule.INTERPOLATE,
    ColumnKind.BUCKET: Rule.BINS,
    ColumnKind.SCALE: Rule.SCALE,
}
_TIME_RULES = {CellPart.HOUR: Rule.BINS, CellPart.WEEKDAY: Rule.BINS, CellPart.DAY: Rule.INTERPOLATE}
"""Hours and weekdays are so few that each is a bin of its own."""


SHOWN_NAMES = 12
"""Of one kind; a log of 300 columns has too many to read."""

_IN_WORDS = {
    ColumnKind.NUMBER: "numbers, interpolated", ColumnKind.INTERPOLATE: "numbers, interpolated",
    ColumnKind.BUCKET: "numbers, in bins", ColumnKind.SCALE: "numbers, scaled",
    ColumnKind.BOTH: "numbers, interpolated and scaled", ColumnKind.LOG: "numbers, in logarithmic buckets",
    ColumnKind.CATEGORY: "categories", ColumnKind.TIME: "times", ColumnKind.LIST: "lists",
    ColumnKind.HASH: "categories, hashed", ColumnKind.IGNORE: "left out",
}  # fmt: skip


def plan_lines(columns: Sequence[ColumnPlan]) -> list[str]:
    """What columns are read as, in a line per kind; none where nothing was guessed."""
    if all(column.is_declared for column in columns):
        return []
    lines = []
    for kind in ColumnKind:
        names = [_in_words(column) for column in columns if column.kind is kind]
        if names:
            more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
            lines.append(f"{_IN_WORDS[kind]}: {', '.join(names[:SHOWN_NAMES])}{more}")
    return [*lines, "--kind COLUMN=KIND or --drop COLUMN changes this; nasfusion data says why"]


def _in_words(column: ColumnPlan) -> str:
    name = plain(column.name)
    if column.kind is ColumnKind.TIME:
        return f"{name} ({', '.join(column.parts)})"
    if column.kind is ColumnKind.LIST and column.cells.delimiter:
        return f"{name} (items between {column.cells.delimiter!r})"
    return f"{name} ({column.reason})" if column.kind is ColumnKind.IGNORE and column.reason != SAID else name
