"""Numbers: Criteo's logarithmic buckets, quantile buckets, mean and standard deviation, all chunk by chunk."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nas_fusion.data.sources.cells import FloatArray, IntArray

QUANTILE_BUCKETS = 64
"""Enough to follow a curve, few enough that each bucket of a small log still holds hundreds of rows."""

DROPPED_BITS = 8
"""Numbers are told apart to 2^-15 of their size when quantiles are taken: float32's 23 bits less these."""


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

    Memory is bounded by the 2^24 numbers that can still be told apart, whatever the number of rows.
    """

    def __init__(self) -> None:
        self._keys: npt.NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._counts: IntArray = np.zeros(0, np.int64)

    def add(self, x: FloatArray) -> None:
        """Take in finite numbers, float64 ``[rows]``."""
        keys, counts = np.unique(_ordered_keys(x), return_counts=True)
        merged, position = np.unique(np.concatenate([self._keys, keys]), return_inverse=True)
        weights = np.concatenate([self._counts, counts])
        self._counts = np.bincount(position, weights=weights, minlength=len(merged)).astype(np.int64)
        self._keys = merged

    @property
    def distinct(self) -> int:
        """How many different numbers there are, at reduced precision."""
        return len(self._keys)

    @property
    def top_count(self) -> int:
        """How often the most frequent number occurs."""
        return int(self._counts.max(initial=0))

    def edges(self, buckets: int = QUANTILE_BUCKETS) -> tuple[float, ...]:
        """The inner edges of at most `buckets` buckets with as equal counts as the numbers allow."""
        if not len(self._keys):
            return ()
        total = np.cumsum(self._counts)
        targets = total[-1] * np.arange(1, buckets) / buckets
        places = np.unique(np.searchsorted(total, targets, side="right"))
        places = places[(places > 0) & (places < len(self._keys))]
        return tuple(float(e) for e in _from_keys(self._keys[places]))


def quantile_bucket(x: FloatArray, edges: tuple[float, ...]) -> IntArray:
    """The position of each number among the edges, int64, the shape of `x`; one equal to an edge goes above it."""
    return np.searchsorted(np.asarray(edges, np.float32), _float32(x), side="right").astype(np.int64)


def _float32(x: FloatArray) -> npt.NDArray[np.float32]:
    limit = float(np.finfo(np.float32).max)
    return x.clip(-limit, limit).astype(np.float32) + np.float32(0)  # -0.0 becomes 0.0


def _ordered_keys(x: FloatArray) -> npt.NDArray[np.uint32]:
    """Integers in the order of the numbers, coarse: numbers that share a key are not told apart."""
    bits = _float32(x).view(np.uint32)
    sign = np.uint32(1 << 31)
    ordered = np.where(bits & sign, ~bits, bits | sign)
    return ordered >> np.uint32(DROPPED_BITS)


def _from_keys(keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    """The smallest number of every key."""
    ordered = (keys << np.uint32(DROPPED_BITS)).astype(np.uint32)
    sign = np.uint32(1 << 31)
    return np.where(ordered & sign, ordered ^ sign, ~ordered).astype(np.uint32).view(np.float32)
