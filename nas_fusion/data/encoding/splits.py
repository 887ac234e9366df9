"""Which split every row of a log belongs to: by a column of words, by time, or by chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.value_counts import ValueCounter, ordered_by_value
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import FIRST_ID
from nas_fusion.data.sources.chunk import Categories, IntArray
from nas_fusion.data.sources.source import Source
from nas_fusion.settings import SplitRule

Codes = npt.NDArray[np.int8]
"""One byte per row: a position in `SPLITS`, or a label."""

SPLITS = ("train", "valid", "test")
"""The splits in the order of their codes."""

SPLIT_WORDS = {
    **{"train": 0, "training": 0, "0": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "1": 1},
    **{"test": 2, "testing": 2, "2": 2},
}
"""What a split column may hold, in any case."""

NO_SPLIT = -1
"""Code of a word that names no split."""


def word_codes(column: Categories) -> Codes:
    """The split of every row, int8 ``[rows]``; `NO_SPLIT` where the cell is missing or says none."""
    words = [str(word).lower().removesuffix(".0") for word in column.values.to_pylist()]  # pandas writes 1 as 1.0
    known = np.array([*(SPLIT_WORDS.get(word, NO_SPLIT) for word in words), NO_SPLIT], np.int8)
    return known[column.codes]  # code -1, of a missing cell, picks the last


def random_codes(rule: SplitRule, rows: int, seed: int) -> Codes:
    """Splits of exact sizes, shuffled, int8 ``[rows]``: one byte per row is all the memory that it takes."""
    codes = np.repeat(np.arange(len(SPLITS), dtype=np.int8), rule.sizes(rows))
    np.random.default_rng(seed).shuffle(codes)
    return codes


def time_codes(source: Source, time: str, times: ValueCounter, rule: SplitRule, rows: int) -> Codes:
    """The oldest rows train, the newest test; rows of equal time are cut in the order of the log; int8 ``[rows]``.

    The times are read again, so that memory grows with the different times and one byte per row.

    Args:
        source: the log.
        time: the column of the times.
        times: how often each occurs in the whole log.
        rule: the sizes of the splits.
        rows: of the whole log.
    """
    values, counts = times.result()
    order = ordered_by_value(values)
    before = np.empty(len(order), np.int64)
    before[order] = np.cumsum(counts[order]) - counts[order]
    lookup = Vocabulary(values)
    train, valid, _ = rule.sizes(rows)
    seen = np.zeros(len(values), np.int64)
    codes = []
    for chunk in source.chunks([time]):
        column = chunk.categories(time)
        places = (lookup.ids(column.values) - FIRST_ID)[column.codes]
        position = before[places] + seen[places] + _occurrence(places)
        seen += np.bincount(places, minlength=len(seen))
        codes.append((position >= train).astype(np.int8) + (position >= train + valid).astype(np.int8))
    return np.concatenate(codes)


def _occurrence(places: npt.NDArray[np.int32]) -> IntArray:
    """For every element, how many equal ones stand before it."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    first = np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    result = np.empty(len(places), np.int64)
    result[order] = np.arange(len(places)) - first
    return result
