"""Numbers: Criteo's logarithmic buckets, their distribution, mean and standard deviation, all chunk by chunk."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.sources.cells import FloatArray, IntArray

DROPPED_BITS = 8
"""Numbers are told apart to 2^-15 of their size when quantiles are taken: float32's 23 bits less these."""

MIN_PENDING = 1 << 18
"""Below this many waiting keys a merge is not worth its while."""


def log_bucket(x: FloatArray, *, published: bool) -> IntArray:
    """Criteo's buckets: ``⌊ln² x⌋`` for x > 2, else ``int(x)``; int64, the shape of `x`.

    As published, 3 and 4 then share bucket 1 with 1, and 5 bucket 2 with 2. Otherwise the logarithmic buckets are
    moved up by 2, which keeps them apart and in order.
    """
    x = x.clip(-(2.0**62), 2.0**62)
    large = x > 2
    logarithmic = np.floor(np.log(np.where(large, x, 3.0)) ** 2) + (0 if published else 2)
    return np.where(large, logarithmic, np.trunc(x)).astype(np.int64)


class Moments:
    """Mean and standard deviation of numbers that come in chunks.

    Sums are of distances from the first number, in extended precision: no cancellation for large numbers that
    differ little, and the size of the chunks does not show.
    """

    def __init__(self) -> None:
        self.count = 0
        self._origin = 0.0
        self._sum = np.longdouble(0)
        self._squares = np.longdouble(0)

    def add(self, x: FloatArray) -> None:
        """Take in finite numbers, float64 ``[rows]``."""
        if not len(x):
            return
        if self.count == 0:
            self._origin = float(x[0])
        distance = (x - self._origin).astype(np.longdouble)
        self.count += len(x)
        self._sum += distance.sum()
        self._squares += (distance * distance).sum()

    @property
    def mean(self) -> float:
        """The mean; 0 without numbers."""
        return float(self._origin + self._sum / self.count) if self.count else 0.0

    @property
    def std(self) -> float:
        """The standard deviation (of the rows, not of a population); 1 where all numbers are equal."""
        if self.count == 0:
            return 1.0
        mean = self._sum / self.count
        return math.sqrt(max(float(self._squares / self.count - mean * mean), 0.0)) or 1.0


class QuantileSketch:
    """The distribution of numbers that come in chunks, by counting them at reduced precision.

    Numbers that agree to 2^-15 of their size share a key, and the smallest of them stands for all. Memory is bounded by
    the 2^24 keys that there are, whatever the number of rows. Chunks wait until there are as many waiting keys as
    merged ones, so that all merging together costs a small multiple of what was added.
    """

    def __init__(self) -> None:
        self._parts: list[_Counted] = []
        self._merged, self._waiting = 0, 0

    def add(self, x: FloatArray, counts: IntArray | None = None) -> None:
        """Take in finite numbers, float64 ``[numbers]``, and how often each occurs, int64, if not once."""
        order = np.argsort(x)
        ascending = x[order] + 0.0  # -0.0 becomes 0.0
        once = np.ones(len(x), np.int64) if counts is None else counts[order]
        part = _merge(_Counted(ordered_keys(ascending), ascending, once))
        self._parts.append(part)
        self._waiting += len(part.keys)
        if self._waiting > max(self._merged, MIN_PENDING):
            self._result()

    @property
    def distinct(self) -> int:
        """How many different numbers there are, at reduced precision."""
        return len(self._result().keys)

    @property
    def top_count(self) -> int:
        """How often the most frequent number occurs."""
        return int(self._result().counts.max(initial=0))

    def counted(self) -> tuple[FloatArray, IntArray]:
        """The different numbers, ascending, float64 ``[numbers]``, and their counts, int64 ``[numbers]``."""
        found = self._result()
        return found.smallest, found.counts

    def _result(self) -> _Counted:
        if self._waiting:
            keys, smallest, counts = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
            order = np.argsort(keys, kind="stable")
            self._parts = [_merge(_Counted(keys[order], smallest[order], counts[order]))]
            self._merged, self._waiting = len(self._parts[0].keys), 0
        return self._parts[0] if self._parts else _Counted.none()


class _Counted(NamedTuple):
    """Keys, uint32, with the smallest number and the count of each, float64 and int64, all ``[keys]``."""

    keys: npt.NDArray[np.uint32]
    smallest: FloatArray
    counts: IntArray

    @classmethod
    def none(cls) -> _Counted:
        return cls(np.zeros(0, np.uint32), np.zeros(0), np.zeros(0, np.int64))


def _merge(counted: _Counted) -> _Counted:
    """Equal neighbours as one."""
    keys, smallest, counts = counted
    if not len(keys):
        return counted
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return _Counted(keys[starts], np.minimum.reduceat(smallest, starts), np.add.reduceat(counts, starts))


def within_float32(x: FloatArray) -> npt.NDArray[np.float32]:
    """Numbers as float32 of the same shape; what is too large for it becomes its largest number."""
    limit = float(np.finfo(np.float32).max)
    return x.clip(-limit, limit).astype(np.float32) + np.float32(0)  # -0.0 becomes 0.0


def ordered_keys(x: FloatArray) -> npt.NDArray[np.uint32]:
    """Integers in the order of the numbers, coarse: numbers that share a key are not told apart."""
    bits = within_float32(x).view(np.uint32)
    sign = np.uint32(1 << 31)
    ordered = np.where(bits & sign, ~bits, bits | sign)
    return ordered >> np.uint32(DROPPED_BITS)
