"""`Vocabulary`: which id every value of a field has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.encoding.value_counts import ordered_by_value
from nas_fusion.data.schema import FIRST_ID, UNKNOWN_ID
from nas_fusion.data.sources.chunk import IntArray

KEY_BYTES = 8


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
            place = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
            hit = short & (self._keys[place] == keys)
            found[hit] = self._key_ids[place[hit]]
        if len(self._long) and not short.all():
            where = np.asarray(pc.fill_null(pc.index_in(values.filter(pa.array(~short)), value_set=self._long), -1))
            found[~short] = np.where(where >= 0, self._long_ids[where], UNKNOWN_ID)
        return found


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
