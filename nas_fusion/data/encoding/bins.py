"""`Bins`: a number as one of a few points, or as a place between two of them, as boosted trees and piecewise-linear
encodings see it.

A value that is frequent stands for itself, zero and missing above all: a column that is mostly zero would otherwise
have nothing but edges in its zeros. What is left is cut at equal counts, and a number between two cuts lies between
them (Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning", NeurIPS 2022).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.numeric import ordered_keys
from nas_fusion.data.schema import FIRST_ID, MISSING_ID
from nas_fusion.data.sources.cells import FloatArray, IntArray

MOST_KNOTS = 32
"""On adult and bank marketing 16 lose where a curve bends, and 64 and more learn rows by heart."""

ROWS_PER_KNOT = 32
"""A knot of fewer training rows would learn their labels by heart."""


class Located(NamedTuple):
    """Numbers among bins: ids, int32 ``[rows]``, and how far towards the next id, float32 ``[rows]`` in 0 … 1."""

    ids: npt.NDArray[np.int32]
    fractions: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Bins:
    """Where numbers may stand. Ids: 0 missing, 1 unknown (no number is), then knots and exact values, each in order.

    Args:
        knots: ascending; a number between two of them lies between their ids, one beyond them at the outer one.
        exact: ascending; numbers that have an id of their own and no neighbours.
    """

    knots: tuple[float, ...]
    exact: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """The number of ids."""
        return FIRST_ID + len(self.knots) + len(self.exact)

    def locate(self, x: FloatArray) -> Located:
        """Numbers, float64 ``[rows]``, NaN where missing, as ids and fractions."""
        missing = np.isnan(x)
        present = np.where(missing, 0.0, x)
        ids, fractions = self._between(present)
        if self.exact:
            exact = ordered_keys(np.asarray(self.exact))
            keys = ordered_keys(present)
            place = np.searchsorted(exact, keys).clip(max=len(exact) - 1)
            hit = exact[place] == keys
            ids = np.where(hit, FIRST_ID + len(self.knots) + place, ids)
            fractions = np.where(hit, 0.0, fractions)
        ids, fractions = np.where(missing, MISSING_ID, ids), np.where(missing, 0.0, fractions)
        return Located(ids.astype(np.int32), fractions.astype(np.float32))

    def locate_one(self, x: float) -> tuple[int, float]:
        """The same of one number, in double precision."""
        if math.isnan(x):
            return MISSING_ID, 0.0
        if self.exact:
            key = int(ordered_keys(np.array([x]))[0])
            place = min(bisect_left(self._exact_keys, key), len(self._exact_keys) - 1)
            if self._exact_keys[place] == key:
                return FIRST_ID + len(self.knots) + place, 0.0
        knots = self.knots
        if not knots:
            exact = self.exact or (0.0,)
            middles = [(above + below) / 2 for below, above in pairwise(exact)]
            return FIRST_ID + bisect_left(middles, x), 0.0
        inside = min(max(x, knots[0]), knots[-1])
        below = bisect_right(knots, inside) - 1
        gap = knots[below + 1] - knots[below] if below + 1 < len(knots) else 1.0
        return FIRST_ID + below, (inside - knots[below]) / gap

    @cached_property
    def _exact_keys(self) -> list[int]:
        return [int(key) for key in ordered_keys(np.asarray(self.exact))]

    def _between(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """Ids of the knots below, and how far each number is towards the knot above."""
        if not self.knots:  # all values are exact, and this one is none of them: the nearest will do
            exact = np.asarray(self.exact or (0.0,))
            middles = (exact[1:] + exact[:-1]) / 2
            return FIRST_ID + np.searchsorted(middles, x), np.zeros(len(x))
        knots = np.asarray(self.knots)
        inside = x.clip(knots[0], knots[-1])
        below = np.searchsorted(knots, inside, side="right") - 1
        gaps = np.append(np.diff(knots), 1.0)  # beyond the last knot there is nothing: its numbers equal it
        return FIRST_ID + below, (inside - knots[below]) / gaps[below]


def fit_bins(values: FloatArray, counts: IntArray, *, centred: bool, most: int = MOST_KNOTS) -> Bins:
    """The bins of numbers.

    Args:
        values: different numbers, ascending, float64 ``[values]``.
        counts: how often each occurs, int64 ``[values]``.
        centred: put a knot in the middle of its equal share of the rows, which interpolation needs; else at the
            lower end, which plain bins need.
        most: how many knots there are at most; there may be as many exact values.
    """
    if len(values) <= most:
        return Bins(tuple(values.tolist()) or (0.0,))
    frequent = _frequent(counts, most)
    knots = _knots(values[~frequent], counts[~frequent], most, centred=centred)
    return Bins(tuple(knots.tolist()), tuple(values[frequent].tolist()))


def _frequent(counts: IntArray, most: int) -> npt.NDArray[np.bool_]:
    """Which values fill more than their share of the bins that the more frequent ones leave, as in LightGBM."""
    order = np.argsort(-counts, kind="stable")
    ahead = np.cumsum(counts[order]) - counts[order]
    left = most - np.arange(len(counts))
    share = (counts.sum() - ahead) / np.maximum(left, 1)
    fills = (counts[order] > share) & (left > 1) & (counts[order] >= ROWS_PER_KNOT)
    frequent = np.zeros(len(counts), np.bool_)
    frequent[order[: len(fills) if fills.all() else int(fills.argmin())]] = True
    return frequent


def _knots(values: FloatArray, counts: IntArray, most: int, *, centred: bool) -> FloatArray:
    """Values at equal distances in counts."""
    if not len(values):
        return values
    total = np.cumsum(counts)
    number = int(min(most, len(values), max(total[-1] // ROWS_PER_KNOT, 1)))
    targets = total[-1] * (np.arange(number) + centred / 2) / number
    return values[np.unique(np.searchsorted(total, targets, side="right").clip(max=len(values) - 1))]
