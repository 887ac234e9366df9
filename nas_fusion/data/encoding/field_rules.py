"""Which columns are fields, and by which rule each is encoded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nas_fusion.data.encoding.fitted_encoding import CATEGORY, LOG, LOG_PUBLISHED, QUANTILE, SCALE
from nas_fusion.data.encoding.vocabulary import ValueCounter, all_numbers
from nas_fusion.data.sources.chunk import chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import listed
from nas_fusion.settings import DataOptions

SAMPLE_ROWS = 100_000
"""Rows by which undeclared columns are judged; a fixed number, so that the size of the chunks does not show."""

MOST_CATEGORIES = 100
"""A column of fractional numbers with more different values than this is bucketed."""


def field_rules(source: Source, options: DataOptions, reserved: frozenset[str]) -> dict[str, str]:
    """The fields in order, each with its rule.

    Args:
        source: the log.
        options: declares columns, and may choose the fields; its columns exist.
        reserved: columns that cannot be fields: the label, the split column.

    Raises:
        DataError: a chosen column is reserved; no field is left; a column can be no field.
    """
    names = _names(source, options, reserved)
    log = LOG_PUBLISHED if options.reproduce_criteo_buckets else LOG
    rules = {}
    for name in names:
        own = log if name in source.log_buckets else ""
        declared = {"bucket": own or QUANTILE, "scale": SCALE, "category": CATEGORY}
        rules[name] = declared.get(options.numeric_rules.get(name, ""), own)
    undecided = [name for name, rule in rules.items() if not rule]
    fractional = _fractional(source, undecided) if source.infer_numbers and undecided else set()
    return {name: rule or (QUANTILE if name in fractional else CATEGORY) for name, rule in rules.items()}


def _names(source: Source, options: DataOptions, reserved: frozenset[str]) -> tuple[str, ...]:
    if options.fields is None:
        names = tuple(c for c in source.columns if c not in reserved and c not in source.not_fields)
    else:
        names = options.fields
        # The true probability would give the answer away.
        taken = [name for name in names if name in reserved or name == source.probability]
        if taken:
            raise source.error("the label or split column cannot be a field", column=taken[0])
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
