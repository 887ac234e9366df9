"""The different values of a column: counted (`ValueCounter`), put in order, and looked up (`Vocabulary`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.schema import FIRST_ID, UNKNOWN_ID
from nas_fusion.data.sources.cells import NUMBER, Categories, IntArray

KEY_BYTES = 8
"""Of the texts that are looked up as integers."""

FEW_LONG = 1 << 14
"""Long texts up to so many are hashed anew for every chunk sooner than the chunk's are."""

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


@dataclass(frozen=True, eq=False)
class VocabularyIndex:
    """Where the id of a text is found: by binary search, in arrays that may be mapped from a file.

    Args:
        keys: of the texts that are one (`KEY_BYTES`), uint64 ``[short texts]``, ascending.
        key_ids: their ids, int32 ``[short texts]``.
        texts: the others, large_string ``[long texts]``.
        text_ids: their ids, int32 ``[long texts]``.
        hashes: of the long texts (`hashes_of`), uint64 ``[long texts]``, ascending, as the texts then stand; None where
            nobody has asked for them.
    """

    keys: npt.NDArray[np.uint64]
    key_ids: npt.NDArray[np.int32]
    texts: pa.Array
    text_ids: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64] | None = None

    @classmethod
    def of(cls, values: pa.Array) -> VocabularyIndex:
        """The index of texts in the order of their ids, large_string ``[values]``."""
        keys, short = _keys(values)
        ids = np.arange(len(values), dtype=np.int32) + FIRST_ID
        order = np.argsort(keys[short])
        return cls(keys[short][order], ids[short][order], values.filter(pa.array(~short)), ids[~short])

    def __len__(self) -> int:
        return len(self.keys) + len(self.texts)

    def by_hash(self) -> VocabularyIndex:
        """The same with hashes."""
        if self.hashes is not None:
            return self
        hashes = hashes_of(_objects(self.texts))
        order = np.argsort(hashes, kind="stable")
        texts = self.texts.take(pa.array(order))
        return replace(self, texts=texts, text_ids=self.text_ids[order], hashes=hashes[order])


class Vocabulary:
    """The values that have ids of their own: `FIRST_ID` and up, by descending count, ties by value.

    Looking up must not cost time in the size of the vocabulary for every chunk, as Arrow's `index_in` does, which
    hashes its value set anew at every call. So texts of at most eight bytes (nearly all, in click logs) become
    64-bit keys in one sorted array; longer ones go through `index_in` where they are few, else by their hashes.

    Args:
        values: the texts in the order of their ids, an Arrow array of large_string ``[values]``; or what reads them
            when they are asked for, where there is an index.
        index: of them, if it is there already.
    """

    def __init__(self, values: pa.Array | Callable[[], pa.Array], index: VocabularyIndex | None = None) -> None:
        self._given = values
        self.index = VocabularyIndex.of(self.values) if index is None else index

    @classmethod
    def fit(cls, values: pa.Array, counts: IntArray, min_count: int) -> Vocabulary:
        """The vocabulary of values, large_string ``[values]``, with their counts, int64 ``[values]``.

        Values seen less than `min_count` times are left out.
        """
        kept = counts >= min_count
        values, counts = values.filter(pa.array(kept)), counts[kept]
        order = ordered_by_value(values, before=[("descending", pa.array(counts))])
        return cls(values.take(pa.array(order)))

    @cached_property
    def values(self) -> pa.Array:
        """The texts in the order of their ids, large_string ``[values]``."""
        return self._given() if callable(self._given) else self._given

    def __len__(self) -> int:
        return len(self.index)

    def ids(self, values: pa.Array) -> npt.NDArray[np.int32]:
        """The ids of an array of texts (large_string), int32 ``[texts]``; `UNKNOWN_ID` for those that have none."""
        index = self.index
        keys, short = _keys(values)
        found = np.full(len(values), UNKNOWN_ID, np.int32)
        if len(index.keys):
            order = np.argsort(keys)  # neighbours are looked up where the cache holds the sorted keys already
            asked = keys[order]
            place = np.searchsorted(index.keys, asked).clip(max=len(index.keys) - 1)
            hit = short[order] & (index.keys[place] == asked)
            found[order[hit]] = index.key_ids[place[hit]]
        if len(index.texts) and not short.all():
            found[~short] = self._ids_of_long(values.filter(pa.array(~short)))
        return found

    def id_of(self, text: str) -> int:
        """The id of one text; `UNKNOWN_ID` if it has none."""
        data = text.encode()
        if len(data) > KEY_BYTES or b"\0" in data:
            return self._id_of_long(text)
        keys = self.index.keys
        key = np.uint64(int.from_bytes(data.ljust(KEY_BYTES, b"\0"), "big"))
        place = int(np.searchsorted(keys, key))
        return int(self.index.key_ids[place]) if place < len(keys) and keys[place] == key else UNKNOWN_ID

    def _ids_of_long(self, texts: pa.Array) -> npt.NDArray[np.int32]:
        """The ids of long texts, large_string ``[texts]``, int32 ``[texts]``."""
        index = self.index
        if len(index.texts) <= FEW_LONG:
            where = np.asarray(pc.fill_null(pc.index_in(texts, value_set=index.texts), -1))
            return np.where(where >= 0, index.text_ids[where], np.int32(UNKNOWN_ID))
        hashes, index = self._hashes, self._by_hash
        found = np.full(len(texts), UNKNOWN_ID, np.int32)
        asked = hashes_of(_objects(texts))
        place = np.searchsorted(hashes, asked)
        left = np.arange(len(texts))
        while True:  # once, and again for texts whose hash another text has, too
            left = left[place[left] < len(hashes)]
            left = left[hashes[place[left]] == asked[left]]
            if not len(left):
                return found
            equal = np.asarray(pc.equal(index.texts.take(pa.array(place[left])), texts.take(pa.array(left))))
            found[left[equal]] = index.text_ids[place[left[equal]]]
            left = left[~equal]
            place[left] += 1

    def _id_of_long(self, text: str) -> int:
        hashes, index = self._hashes, self._by_hash
        hashed = np.uint64(hash_of(text))
        place = int(np.searchsorted(hashes, hashed))
        while place < len(hashes) and hashes[place] == hashed:
            if index.texts[place].as_py() == text:
                return int(index.text_ids[place])
            place += 1
        return UNKNOWN_ID

    @cached_property
    def _by_hash(self) -> VocabularyIndex:
        """The index with hashes: they are made with the first look-up that needs them."""
        return self.index.by_hash()

    @cached_property
    def _hashes(self) -> npt.NDArray[np.uint64]:
        assert self._by_hash.hashes is not None
        return self._by_hash.hashes


def _objects(texts: pa.Array) -> npt.NDArray[np.object_]:
    return np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)


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
