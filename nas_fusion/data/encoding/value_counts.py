"""Counting the different values of a column chunk by chunk, in memory that grows with the values, not the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nas_fusion.data.sources.arrow_columns import Categories, IntArray

MIN_PENDING = 1 << 18
"""Below this many waiting values a merge is not worth its while."""


class ValueCounter:
    """How often every value of a column was seen.

    Chunks wait until there are as many waiting values as merged ones, so that all merging together costs a small
    multiple of what was added.
    """

    def __init__(self) -> None:
        self.missing = 0
        self._values: list[Any] = []
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

    def result(self) -> tuple[Any, IntArray]:
        """The different values (texts, in no particular order) and their counts."""
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
