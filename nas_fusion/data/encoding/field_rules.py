"""Which columns are fields, and by which rule each is encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nas_fusion.data.encoding.value_counts import ValueCounter
from nas_fusion.data.sources.arrow_columns import Categories, ColumnError, all_numbers, categories, plain
from nas_fusion.data.sources.delimited import TextSource
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import listed
from nas_fusion.settings import DataOptions

CATEGORY, SCALE, LOG, LOG_PUBLISHED, QUANTILE = "category", "scale", "log", "log-published", "quantile"

SAMPLE_ROWS = 100_000
"""Rows by which undeclared columns are judged; a fixed number, so that the size of the chunks does not show."""

MOST_CATEGORIES = 100
"""A column of fractional numbers with more different values than this is bucketed."""


def check_columns(source: Source, options: DataOptions) -> None:
    """Refuse options that name columns which the log has not, or which cannot be what they are to be.

    Raises:
        DataError: there is one; names the columns, nearest first.
    """
    label = source.label_column(options.label)
    if options.split_column is not None:
        if source.check_column(options.split_column, "split") == label:
            raise source.error("the label cannot be the split column", column=label)
    elif options.split_rule.column is not None:
        source.check_column(options.split_rule.column, "time")
    for name in options.numeric_rules:
        if source.check_column(name, "numeric") in (label, options.split_column):
            raise source.error("the label or split column cannot be a field with a numeric rule", column=name)
    for name in options.fields or ():
        source.check_column(name, "field")


def field_rules(source: Source, options: DataOptions, reserved: frozenset[str]) -> dict[str, str]:
    """The fields in order, each with its rule.

    Args:
        source: the log.
        options: declares columns, and may choose the fields.
        reserved: columns that cannot be fields: the label, the split column.

    Raises:
        DataError: a declared or chosen column does not exist; no field is left.
    """
    check_columns(source, options)
    declared = options.numeric_rules
    names: tuple[str, ...]
    if options.fields is None:
        names = tuple(c for c in source.columns if c not in reserved and c not in source.not_fields)
    else:
        names = options.fields
        taken = [name for name in names if name in reserved or name == source.probability]
        if taken:
            raise source.error("the label or split column cannot be a field", column=taken[0])
    if not names:
        raise source.error(f"no column is left to be a field; columns are {listed(source.columns)}")
    log = LOG_PUBLISHED if options.reproduce_criteo_buckets else LOG
    rules = {}
    for name in names:
        bucket = log if name in source.log_buckets else QUANTILE
        default = bucket if name in source.log_buckets else ""
        rules[name] = {"bucket": bucket, "scale": SCALE, "category": CATEGORY}.get(declared.get(name, ""), default)
    undecided = [name for name, rule in rules.items() if not rule]
    fractional = _fractional(source, undecided) if source.infer_numbers else set()
    return {name: rule or (QUANTILE if name in fractional else CATEGORY) for name, rule in rules.items()}


def _fractional(source: Source, names: list[str]) -> set[str]:
    """Those of the columns that hold fractional numbers with many different values, by the first rows."""
    counters = {name: ValueCounter() for name in names}
    left = SAMPLE_ROWS
    for batch in source.batches(names) if names else ():
        for name in list(counters):
            column = plain(batch.column(name).slice(0, left))
            if isinstance(source, TextSource) or pa.types.is_floating(column.type):
                counters[name].add(_categories(source, column, name))
            else:
                del counters[name]
        left -= min(left, batch.num_rows)
        if not left or not counters:
            break
    return {name for name, counter in counters.items() if _is_fractional(counter)}


def _categories(source: Source, column: Any, name: str) -> Categories:
    try:
        return categories(column)
    except ColumnError as error:
        raise source.column_error(error, name, 0) from error


def _is_fractional(counter: ValueCounter) -> bool:
    """Whole numbers do not count: an integer column with missing cells is often stored as floats."""
    values, _ = counter.result()
    if len(values) <= MOST_CATEGORIES or not all_numbers(values):
        return False
    found = np.asarray(values.cast(pa.float64()))
    return bool((found != np.floor(found)).any())
