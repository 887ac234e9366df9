"""Bins: frequent values stand for themselves, other numbers lie between knots at equal counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_fusion.data.encoding.bins import MOST_KNOTS, ROWS_PER_KNOT, Bins, fit_bins
from nas_fusion.data.schema import FIRST_ID, MISSING_ID


def fitted(x: np.ndarray, *, centred: bool = True) -> Bins:
    values, counts = np.unique(x, return_counts=True)
    return fit_bins(values, counts, centred=centred)


def vectors_of(bins: Bins, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """What interpolation makes of numbers, by a plain loop."""
    ids, fractions = bins.locate(x)
    return np.array([(1 - t) * table[i] + (t * table[i + 1] if t else 0) for i, t in zip(ids, fractions, strict=True)])


def test_between_knots() -> None:
    bins = Bins(knots=(0.0, 10.0, 30.0), exact=(5.0, 12.0))
    x = np.array([-4.0, 0.0, 2.5, 10.0, 25.0, 30.0, 99.0, 5.0, 12.0, np.nan])
    ids, fractions = bins.locate(x)
    assert bins.size == FIRST_ID + 5
    assert ids.tolist() == [2, 2, 2, 3, 3, 4, 4, 5, 6, MISSING_ID]
    assert fractions.tolist() == pytest.approx([0, 0, 0.25, 0, 0.75, 0, 0, 0, 0, 0])
    assert (ids.dtype.name, fractions.dtype.name) == ("int32", "float32")


def test_a_knots_own_value_is_its_vector_and_between_them_it_is_linear() -> None:
    bins = Bins(knots=(1.0, 2.0, 4.0))
    table = np.array([0.0, 0.0, 10.0, 20.0, 60.0])
    x = np.array([0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
    assert vectors_of(bins, x, table).tolist() == pytest.approx([10, 10, 15, 20, 40, 60, 60])


def test_few_values_are_all_knots() -> None:
    bins = fitted(np.array([3.0, 1.0, 1.0, -2.0]))
    assert bins == Bins(knots=(-2.0, 1.0, 3.0))
    # A number that no training row has lies between its neighbours.
    assert bins.locate(np.array([2.0])).fractions.tolist() == [0.5]


def test_zeros_and_other_frequent_values_have_ids_of_their_own() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.zeros(20_000), np.full(900, 15_024.0), rng.lognormal(8, 1, 4000).round(2)])
    bins = fitted(x)
    assert bins.exact == (0.0, 15_024.0)
    assert len(bins.knots) == MOST_KNOTS
    ids, fractions = bins.locate(np.array([0.0, 15_024.0]))
    assert ids.tolist() == [FIRST_ID + len(bins.knots), FIRST_ID + len(bins.knots) + 1]
    assert fractions.tolist() == [0, 0]


def test_a_knot_has_its_share_of_rows() -> None:
    x = np.random.default_rng(1).normal(size=ROWS_PER_KNOT * 10)
    assert len(fitted(x).knots) == 10
    plain = fitted(x, centred=False)
    counts = np.bincount(plain.locate(x).ids, minlength=plain.size)[FIRST_ID:]
    assert counts.tolist() == [ROWS_PER_KNOT] * 10


def test_no_numbers_at_all() -> None:
    bins = fitted(np.zeros(0))
    ids, fractions = bins.locate(np.array([np.nan, 3.0]))
    assert ids.max() < bins.size
    assert fractions.tolist() == [0, 0]


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=300),
    st.lists(st.floats(-1e12, 1e12, allow_nan=False), max_size=20),
    st.booleans(),
)
def test_any_numbers_have_a_place(seen: list[float], new: list[float], centred: bool) -> None:
    bins = fitted(np.array(seen), centred=centred)
    ids, fractions = bins.locate(np.array([*seen, *new, np.nan]))
    assert ids[-1] == MISSING_ID
    assert ((ids[:-1] >= FIRST_ID) & (ids[:-1] < bins.size)).all()
    assert ((fractions >= 0) & (fractions <= 1)).all()
    # Never towards an id that is no knot.
    assert (ids[fractions > 0] < FIRST_ID + len(bins.knots) - 1).all()
    assert list(bins.knots) == sorted(set(bins.knots))
    assert list(bins.exact) == sorted(set(bins.exact))


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=300))
def test_order_is_kept(seen: list[float]) -> None:
    bins = fitted(np.sort(np.array(seen)))
    ids, fractions = bins.locate(np.sort(np.array(seen)))
    between = ids < FIRST_ID + len(bins.knots)
    assert (np.diff((ids + fractions)[between]) >= 0).all()
