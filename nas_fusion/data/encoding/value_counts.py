"""The different values of a column: counted chunk by chunk, in memory that grows with them and not with the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.chunk import NUMBER, Categories, IntArray

MIN_PENDING = 1 << 18
"""Below this many waiting values a merge is not worth its while."""


class ValueCounter:
    """How often every value of a column was seen.

    Chunks wait until there are as many waiting values as merged ones, so that all merging together costs a small
    multiple of what was added.

    Attributes:
        missing: number of missing cells.
    """

    def __init__(self) -> None:
        self.missing = 0
        self._values: list[pa.Array] = []
        self._counts: list[IntArray] = []
        self._merged = 0
        self._waiting = 0

    def add(self, column: Categories) -> None:
        """Count the rows of one chunk."""
        counts = column.counts()
        self.missing += len(column.codes) - int(counts.sum())
        seen = counts > 0
        self._values.append(column.values.filter(pa.array(seen)))
        self._counts.append(counts[seen])
        self._waiting += int(seen.sum())
        if self._waiting > max(self._merged, MIN_PENDING):
            self._merge()

    def result(self) -> tuple[pa.Array, IntArray]:
        """The different values (large_string ``[values]``, in no particular order) and their counts, int64."""
        self._merge()
        if not self._values:
            return pa.array([], pa.large_string()), np.zeros(0, np.int64)
        return self._values[0], self._counts[0]

    def _merge(self) -> None:
        if self._waiting == 0 and len(self._values) <= 1:
            return
        encoded = pa.concat_arrays(self._values).dictionary_encode()
        codes = np.asarray(encoded.indices)
        # Weights are summed in float64, which is exact up to 2^53 rows.
        counts = np.bincount(codes, weights=np.concatenate(self._counts), minlength=len(encoded.dictionary))
        self._values, self._counts = [encoded.dictionary], [counts.astype(np.int64)]
        self._merged, self._waiting = len(encoded.dictionary), 0


def all_numbers(values: pa.Array) -> bool:
    """Whether every text of an array is a finite decimal number."""
    return bool(pc.all(pc.match_substring_regex(values, NUMBER.pattern), min_count=0).as_py())


def ordered_by_value(values: pa.Array, *, before: Sequence[tuple[str, pa.Array]] = ()) -> IntArray:
    """The order that sorts texts as numbers if all are numbers, else as texts; int64 ``[values]``.

    Args:
        values: the texts.
        before: (order, array) of the keys that come first, order being "ascending" or "descending".
    """
    keys: list[tuple[str, pa.Array]] = list(before)
    if all_numbers(values):
        keys.append(("ascending", values.cast(pa.float64())))
    # The texts decide last: "1" and "1.0" are equal numbers, and the order must not depend on the log's.
    keys.append(("ascending", values))
    table = pa.table({str(i): array for i, (_, array) in enumerate(keys)})
    order = pc.sort_indices(table, sort_keys=[(str(i), direction) for i, (direction, _) in enumerate(keys)])
    return np.asarray(order).astype(np.int64)
