"""The different values of a column: counted (`ValueCounter`), put in order, and looked up (`Vocabulary`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.schema import FIRST_ID, UNKNOWN_ID
from nas_fusion.data.sources.cells import NUMBER, Categories, IntArray

KEY_BYTES = 8
"""Of the texts that are looked up as integers."""

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

    def in_order(self) -> tuple[pa.Array, IntArray]:
        """The same, ordered by value."""
        values, counts = self.result()
        order = ordered_by_value(values)
        return values.take(pa.array(order)), counts[order]

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


class Vocabulary:
    """The values that have ids of their own: `FIRST_ID` and up, by descending count, ties by value.

    Looking up must not cost time in the size of the vocabulary for every chunk, as Arrow's `index_in` does, which
    hashes its value set anew at every call. So texts of at most eight bytes (nearly all, in click logs) become
    64-bit keys in one sorted array; only the longer ones go through `index_in`.

    Args:
        values: the texts in the order of their ids, an Arrow array of large_string ``[values]``.
    """

    def __init__(self, values: pa.Array) -> None:
        self.values = values
        keys, short = _keys(values)
        ids = np.arange(len(values), dtype=np.int32) + FIRST_ID
        order = np.argsort(keys[short])
        self._keys = keys[short][order]
        self._key_ids = ids[short][order]
        self._long = values.filter(pa.array(~short))
        self._long_ids = ids[~short]

    @classmethod
    def fit(cls, values: pa.Array, counts: IntArray, min_count: int) -> Vocabulary:
        """The vocabulary of values, large_string ``[values]``, with their counts, int64 ``[values]``.

        Values seen less than `min_count` times are left out.
        """
        kept = counts >= min_count
        values, counts = values.filter(pa.array(kept)), counts[kept]
        order = ordered_by_value(values, before=[("descending", pa.array(counts))])
        return cls(values.take(pa.array(order)))

    def __len__(self) -> int:
        return len(self.values)

    def ids(self, values: pa.Array) -> npt.NDArray[np.int32]:
        """The ids of an array of texts (large_string), int32 ``[texts]``; `UNKNOWN_ID` for those that have none."""
        keys, short = _keys(values)
        found = np.full(len(values), UNKNOWN_ID, np.int32)
        if len(self._keys):
            order = np.argsort(keys)  # neighbours are looked up where the cache holds the sorted keys already
            asked = keys[order]
            place = np.searchsorted(self._keys, asked).clip(max=len(self._keys) - 1)
            hit = short[order] & (self._keys[place] == asked)
            found[order[hit]] = self._key_ids[place[hit]]
        if len(self._long) and not short.all():
            where = np.asarray(pc.fill_null(pc.index_in(values.filter(pa.array(~short)), value_set=self._long), -1))
            found[~short] = np.where(where >= 0, self._long_ids[where], UNKNOWN_ID)
        return found

    def id_of(self, text: str) -> int:
        """The id of one text; `UNKNOWN_ID` if it has none."""
        data = text.encode()
        if len(data) > KEY_BYTES or b"\0" in data:
            return self._id_of_long(text)
        key = np.uint64(int.from_bytes(data.ljust(KEY_BYTES, b"\0"), "big"))
        place = int(np.searchsorted(self._keys, key))
        return int(self._key_ids[place]) if place < len(self._keys) and self._keys[place] == key else UNKNOWN_ID

    def _id_of_long(self, text: str) -> int:
        hashes, order = self._long_hashes
        hashed = np.uint64(hash_of(text))
        place = int(np.searchsorted(hashes, hashed))
        while place < len(hashes) and hashes[place] == hashed:
            found = int(order[place])
            if self._long[found].as_py() == text:
                return int(self._long_ids[found])
            place += 1
        return UNKNOWN_ID

    @cached_property
    def _long_hashes(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.intp]]:
        """Hashes of the long texts, ascending, and which text each is of: asked for with the first single text."""
        hashes = hashes_of(np.asarray(self._long.to_numpy(zero_copy_only=False), dtype=object))
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order


def hashes_of(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.uint64]:
    """Hashes of texts, uint64 ``[texts]``: the same in every process and version, by pandas' SipHash."""
    from pandas.util import hash_array

    return np.asarray(hash_array(texts, categorize=False), np.uint64)


def hash_of(text: str) -> int:
    """The same of one text."""
    return int(hashes_of(np.array([text], dtype=object))[0])


def _keys(values: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Texts as 64-bit keys, and which of them fit: at most eight bytes, none of them zero."""
    count = len(values)
    short = np.zeros(count, np.bool_)
    if count == 0:
        return np.zeros(0, np.uint64), short
    _, offset_buffer, data_buffer = values.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[values.offset : values.offset + count + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    lengths = np.diff(offsets)
    # Column by column of bytes: a gather over all rows, no Python loop over texts.
    matrix = np.zeros((count, KEY_BYTES), np.uint8)
    for position in range(KEY_BYTES):
        rows = np.flatnonzero(lengths > position)
        matrix[rows, position] = data[offsets[rows] + position]
    short = (lengths <= KEY_BYTES) & ((matrix != 0).sum(axis=1) == lengths)
    return matrix.view(">u8").ravel().astype(np.uint64), short
