"""Rows as scikit-learn gives them, as a log: named columns, and what is known of every row in columns of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from nas_fusion.data import DataOptions
from nas_fusion.errors import OptionError

LABEL, WEIGHT, GROUP, SPLIT = "nas-fusion:label", "nas-fusion:weight", "nas-fusion:group", "nas-fusion:split"

FEWEST = 2
"""Rows of each class that are needed: one to learn from, one to choose by."""


class Rows(NamedTuple):
    """Rows with what is known of them.

    `frame` holds the columns, `labels` 0 or 1, int ``[rows]``; `weights` are float64 ``[rows]`` and `groups` ``[rows]``
    where they are given.
    """

    frame: pd.DataFrame
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64] | None = None
    groups: npt.NDArray[Any] | None = None


def named(columns: Any) -> pd.DataFrame:
    """Columns as a frame; those of an array are called ``x0``, ``x1``, …"""
    if isinstance(columns, pd.DataFrame):
        frame = columns.reset_index(drop=True)
        frame.columns = frame.columns.map(str)
        return frame
    if hasattr(columns, "to_pandas"):
        return named(columns.to_pandas())
    array = np.asarray(columns)
    return pd.DataFrame({f"x{number}": array[:, number] for number in range(array.shape[1])})


def numbers_of(columns: Any) -> dict[str, str]:
    """An array of numbers says that its columns are numbers; of a frame, that is guessed column by column."""
    if hasattr(columns, "columns"):
        return {}
    array = np.asarray(columns)
    return {f"x{number}": "number" for number in range(array.shape[1])} if array.dtype.kind in "fiu" else {}


def counting(rows: Rows) -> Rows:
    """The rows that count: those with a weight above 0.

    Raises:
        ValueError: they are of one class.
    """
    if rows.weights is None:
        return rows
    found = _taken(rows, np.flatnonzero(rows.weights > 0))
    if len(np.unique(found.labels)) < 2:
        raise ValueError("the rows with a weight above 0 are of one class; two are needed")
    return found


def divided(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Training and validation rows: by groups if there are any, else stratified by class.

    Raises:
        OptionError: `fraction` is not between 0 and 1.
        ValueError: too few rows of a class.
    """
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        raise OptionError("validation_fraction", "a number above 0 and below 1", fraction)
    few = int(np.bincount(rows.labels, minlength=2).min())
    if few < FEWEST:
        raise ValueError(
            f"n_samples={len(rows.labels)}, and {few} of the rarer class: {FEWEST} rows of each class are needed: one "
            "to learn from, one to choose by; or give eval_set"
        )
    places = np.arange(len(rows.labels))
    if rows.groups is not None:
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        train, valid = next(splitter.split(places, rows.labels, rows.groups))
    else:
        draws = np.random.default_rng(seed)
        chosen = [_share(places[rows.labels == label], fraction, draws) for label in (0, 1)]
        valid = np.concatenate(chosen)
        train = np.setdiff1d(places, valid)
    return _taken(rows, np.sort(train)), _taken(rows, np.sort(valid))


def _share(places: npt.NDArray[np.int64], fraction: float, draws: np.random.Generator) -> npt.NDArray[np.int64]:
    """A part of the rows of one class: one at least, and not all."""
    size = min(max(1, round(fraction * len(places))), len(places) - 1)
    return draws.choice(places, size, replace=False)


def as_log(train: Rows, valid: Rows, options: DataOptions, kinds: dict[str, str]) -> tuple[pd.DataFrame, DataOptions]:
    """The log of both, and how it is read.

    The validation rows stand for the test rows, too: an estimator is judged by who calls it, on rows of their own, so
    no row is kept from it, and what is measured on those "test" rows is not told.
    """
    parts = [("train", train), ("valid", valid), ("test", valid)]
    frame = pd.concat([_with_facts(rows, split) for split, rows in parts], ignore_index=True)
    drop = (*options.drop, GROUP) if train.groups is not None else options.drop  # rows to be scored have none
    asked = {
        **options.to_dict(), "label": LABEL, "split_column": SPLIT, "kinds": {**kinds, **dict(options.kinds)},
        "weight": WEIGHT if train.weights is not None else None, "group": GROUP if train.groups is not None else None,
        "drop": drop,
    }  # fmt: skip
    return frame, DataOptions(**asked)


def _with_facts(rows: Rows, split: str) -> pd.DataFrame:
    frame = rows.frame.copy()
    frame[LABEL], frame[SPLIT] = rows.labels, split
    for name, every in ((WEIGHT, rows.weights), (GROUP, rows.groups)):
        if every is not None:
            frame[name] = every
    return frame


def _taken(rows: Rows, places: npt.NDArray[np.int64]) -> Rows:
    weights, groups = (None if every is None else every[places] for every in (rows.weights, rows.groups))
    return Rows(rows.frame.iloc[places], rows.labels[places], weights, groups)
