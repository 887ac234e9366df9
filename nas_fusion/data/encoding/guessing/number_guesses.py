"""Whether a column of numbers is a number, an id, or nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nas_fusion.data.encoding.guessing.label_evidence import Told, told_by_order, told_by_values
from nas_fusion.data.encoding.guessing.text_looks import has_leading_zeros, is_id_name
from nas_fusion.data.sources.cells import Categories, FloatArray, IntArray
from nas_fusion.settings import ColumnKind

FEW_VALUES = 16
"""Of so few values a category and a number tell the same."""

LARGEST_EXACT = 2.0**53
"""Beyond it, numbers are told apart no longer: only ids are so long."""

ROWS_TO_JUDGE = 20
"""Of fewer rows, nothing can be said."""

ROWS_PER_VALUE = 3.0
"""A value of an id is seen so often, or no model can learn anything of it."""

EQUAL_SHARE = 0.93
"""An order that tells so much of what the values tell is an order: bins are coarser than values."""


class NumberGuess(NamedTuple):
    """What a column of numbers is, and why."""

    kind: ColumnKind
    reason: str


def guess_number(name: str, found: Categories, x: FloatArray, labels: FloatArray) -> NumberGuess:
    """What a column of numbers is.

    Args:
        name: of the column; it decides only where cells and labels do not.
        found: its different texts.
        x: its numbers, float64 ``[rows]``, NaN where missing.
        labels: 0 or 1, float64 ``[rows]``.
    """
    present = ~np.isnan(x)
    x, labels, codes = x[present], labels[present], found.codes[present]
    different = len(np.unique(x))
    return _by_cells(found, x, codes, different) or _by_evidence(name, x, labels, different)


def _by_cells(found: Categories, x: FloatArray, codes: IntArray, different: int) -> NumberGuess | None:
    """What the cells alone tell; None if the label has to be asked."""
    is_whole = bool((x == np.floor(x)).all())
    guess = None
    if not different:
        guess = NumberGuess(ColumnKind.IGNORE, "no cell is a finite number")
    elif has_leading_zeros(found.values):
        guess = NumberGuess(ColumnKind.CATEGORY, "numbers with zeros in front are codes")
    elif is_whole and np.abs(x).max() > LARGEST_EXACT:
        unique = len(np.unique(codes)) == len(x) >= ROWS_TO_JUDGE  # as texts: as numbers some are equal
        kind = ColumnKind.IGNORE if unique else ColumnKind.CATEGORY
        guess = NumberGuess(
            kind, "no two rows have the same number" if unique else "numbers too long to be any but ids"
        )
    elif different <= FEW_VALUES:
        guess = NumberGuess(ColumnKind.CATEGORY, f"{different} different numbers")
    elif not is_whole:
        guess = NumberGuess(ColumnKind.NUMBER, "fractional numbers")
    elif different == len(x) >= ROWS_TO_JUDGE and _counts(x):
        guess = NumberGuess(ColumnKind.IGNORE, "it counts the rows")
    return guess


def _counts(x: FloatArray) -> bool:
    """Whether numbers rise or fall from row to row."""
    steps = np.diff(x)
    return bool((steps > 0).all() or (steps < 0).all())


def _by_evidence(name: str, x: FloatArray, labels: FloatArray, different: int) -> NumberGuess:
    """Whether the order of whole numbers, or each for itself, tells more of the label."""
    if len(np.unique(labels)) < 2:
        return NumberGuess(ColumnKind.NUMBER, "whole numbers of many values")
    _, codes = np.unique(x, return_inverse=True)
    values, order = told_by_values(codes.astype(np.int64), labels), told_by_order(x, labels)
    rows_per_value = len(x) / different
    if different == len(x) >= ROWS_TO_JUDGE and not order.is_sure:
        return NumberGuess(ColumnKind.IGNORE, "no two rows have the same number, and their order tells nothing")
    if rows_per_value < ROWS_PER_VALUE:
        return _of_rare_values(name, values, order, rows_per_value)
    if not order.is_sure and not values.is_sure:
        return NumberGuess(ColumnKind.CATEGORY, f"{different:,} whole numbers whose order tells nothing of the label")
    if order.is_beaten(values) and order.gain < EQUAL_SHARE * values.gain:
        told = max(order.gain, 0.0) / values.gain
        return NumberGuess(ColumnKind.CATEGORY, f"the order of the numbers tells {told:.0%} of what each tells")
    return NumberGuess(ColumnKind.NUMBER, "the order of the numbers tells as much of the label as each of them")


def _of_rare_values(name: str, values: Told, order: Told, rows_per_value: float) -> NumberGuess:
    """What is seen so rarely is learnt as a number, if at all; an id's name says that a longer log has more of it."""
    seen = f"each is seen {rows_per_value:.1f} times on average"
    if is_id_name(name) and (order.is_beaten(values) or not order.is_sure):
        return NumberGuess(ColumnKind.CATEGORY, f"{seen}, but the column is called as ids are")
    return NumberGuess(ColumnKind.NUMBER, f"whole numbers; {seen}, too rarely for ids")
