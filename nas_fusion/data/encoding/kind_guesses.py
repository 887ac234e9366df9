"""What the columns of a log are: declared by options or by the format, or guessed from types and cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nas_fusion.data.encoding.column_plans import ColumnPlan
from nas_fusion.data.encoding.vocabulary import ValueCounter, all_numbers
from nas_fusion.data.sources.chunk import chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import listed
from nas_fusion.settings import ColumnKind, DataOptions

SAMPLE_ROWS = 100_000
"""Rows by which undeclared columns are judged; a fixed number, so that the size of the chunks does not show."""

MOST_CATEGORIES = 100
"""A column of fractional numbers with more different values than this is bucketed."""


def plan_columns(source: Source, options: DataOptions, reserved: frozenset[str]) -> tuple[ColumnPlan, ...]:
    """The columns that may be fields, in order, each with what it is.

    Args:
        source: the log.
        options: declares columns, and may choose the fields; its columns exist.
        reserved: columns that cannot be fields: the label, the split column.

    Raises:
        DataError: a chosen column is reserved; no field is left; a column can be no field.
    """
    names = _names(source, options, reserved)
    numbers = ColumnKind.LOG if options.reproduce_criteo_buckets else ColumnKind(options.numbers)
    plans = {}
    for name in names:
        declared = options.declared_kinds.get(name)
        if declared is ColumnKind.BUCKET and name in source.log_buckets:
            declared = ColumnKind.LOG
        if declared is not None:
            plans[name] = ColumnPlan(name, declared, "as you said", is_declared=True)
        elif name in source.log_buckets:
            plans[name] = ColumnPlan(name, numbers, f"a number of the format {source.kind}", is_declared=True)
        elif not source.infer_numbers:
            plans[name] = ColumnPlan(name, ColumnKind.CATEGORY, f"of the format {source.kind}", is_declared=True)
    undecided = [name for name in names if name not in plans]
    fractional = _fractional(source, undecided) if undecided else set()
    for name in undecided:
        kind = numbers if name in fractional else ColumnKind.CATEGORY
        plans[name] = ColumnPlan(name, kind)
    return tuple(plans[name] for name in names)


def _names(source: Source, options: DataOptions, reserved: frozenset[str]) -> tuple[str, ...]:
    if options.fields is None:
        names = tuple(c for c in source.columns if c not in reserved and c not in source.not_fields)
    else:
        names = options.fields
        # The true probability would give the answer away.
        taken = [name for name in names if name in reserved or name == source.probability]
        if taken:
            raise source.error("the label or split column cannot be a field", column=taken[0])
    names = tuple(name for name in names if options.declared_kinds.get(name) is not ColumnKind.IGNORE)
    if not names:
        raise source.error(f"no column is left to be a field; columns are {listed(source.columns)}")
    return names


def _fractional(source: Source, names: list[str]) -> set[str]:
    """Those of the columns that hold fractional numbers with many different values, by the first rows."""
    counters = {name: ValueCounter() for name in names}
    for chunk in chunks_of(source, names):
        head = chunk.head(SAMPLE_ROWS - chunk.first_row)
        for name in list(counters):
            if not source.typed or pa.types.is_floating(head.column(name).type):
                counters[name].add(head.categories(name))
            else:
                del counters[name]
        if not counters or chunk.span.stop >= SAMPLE_ROWS:
            break
    return {name for name, counter in counters.items() if _is_fractional(counter)}


def _is_fractional(counter: ValueCounter) -> bool:
    """Whole numbers do not count: an integer column with missing cells is often stored as floats."""
    values, _ = counter.result()
    if len(values) <= MOST_CATEGORIES or not all_numbers(values):
        return False
    found = np.asarray(values.cast(pa.float64()))
    return bool((found != np.floor(found)).any())
