"""Logistic regression on one-hot categories and standardised numbers, by scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from nas_fusion.baselines.tabular.tabular_columns import Bins, IdColumns, TabularColumns
from nas_fusion.field_shapes import PAD
from nas_fusion.training import Predictions, WholeModel, WholeState
from nas_fusion.training.quality import auc, grouped_auc, logloss, rank_of

if TYPE_CHECKING:
    from torch import Tensor

    from nas_fusion.architecture import Architecture
    from nas_fusion.data import EncodedSplit, Schema, SearchData
    from nas_fusion.training import TrainConfig

SCALED, BINNED = "scaled", "binned"
NUMBERS = (SCALED, BINNED)
"""How numbers are given: standardised, or by the bins of their fields; the validation rows choose."""

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of L2 (scikit-learn's C) that the validation rows choose from; 1 is scikit-learn's default."""

Floats = npt.NDArray[np.float64]


class LogisticRegression(WholeModel):
    """A linear model of a sparse matrix.

    Args:
        one_hot: makes the matrix.
        coefficients: float64 ``[coefficients]``.
        intercept: the logit where all of the matrix is 0.
        passes: as of `WholeModel`.
    """

    carried_by = (
        "a linear model is a sum that any service can write itself: `nas_fusion.load(MODEL).module` has its "
        "coefficients and intercept"
    )
    coefficients: Tensor
    intercept: Tensor
    means: Tensor
    scales: Tensor
    is_binned: Tensor

    def __init__(self, one_hot: OneHot, coefficients: Floats, intercept: float, passes: int) -> None:
        super().__init__()
        self.one_hot, self.size, self.passes = one_hot, len(coefficients) + 1, passes
        self.register_buffer("coefficients", torch.from_numpy(coefficients.astype(np.float64)))
        self.register_buffer("intercept", torch.tensor(intercept, dtype=torch.float64))
        self.register_buffer("means", torch.from_numpy(one_hot.means))
        self.register_buffer("scales", torch.from_numpy(one_hot.scales))
        self.register_buffer("is_binned", torch.tensor(one_hot.numbers == BINNED))

    def split_logits(self, split: EncodedSplit) -> Floats:
        """The logits of all rows of a split."""
        return np.asarray(self.one_hot.matrix(split) @ self.coefficients.numpy() + self.intercept.item())


def fit_logistic_regression(architecture: Architecture, data: SearchData, config: TrainConfig) -> LogisticRegression:
    """Fit it on the training rows with the strength of L2 that is the best on the validation rows.

    The settings of the architecture: ``strength``, scikit-learn's C (0: the validation rows choose from `STRENGTHS`),
    ``numbers`` ("scaled" or "binned"; "auto": the validation rows choose) and ``max_iter``.
    """
    settings, columns = architecture.settings, TabularColumns.of(data.schema)
    forms = NUMBERS if settings["numbers"] == "auto" and columns.bins else (_form(settings["numbers"]),)
    strengths = STRENGTHS if settings["strength"] == 0 else (settings["strength"],)
    found = [
        _fitted(OneHot.of(data, columns, form), data, strength, settings["max_iter"], config)
        for form in forms
        for strength in strengths
    ]
    best = max(found, key=lambda fitted: fitted[0])[1]  # the first of equals
    best.passes = sum(model.passes for _, model in found)
    return best


def open_logistic_regression(architecture: Architecture, schema: Schema, state: WholeState) -> LogisticRegression:
    """The model that was kept."""
    kept, columns = state.tensors, TabularColumns.of(schema)
    numbers = BINNED if _was_binned(architecture, columns, state) else SCALED
    one_hot = OneHot(columns, numbers, kept["means"].numpy(), kept["scales"].numpy())
    return LogisticRegression(one_hot, kept["coefficients"].numpy(), kept["intercept"].item(), state.passes)


def _was_binned(architecture: Architecture, columns: TabularColumns, state: WholeState) -> bool:
    if "is_binned" in state.tensors:
        return bool(state.tensors["is_binned"])
    # An older model did not say it, but its coefficients are as many as its numbers have bins.
    ids = sum(group.size for group in (*columns.categories, *columns.lists, *(bins.ids for bins in columns.bins)))
    wanted = architecture.settings["numbers"]
    return wanted == BINNED or (wanted == "auto" and len(state.tensors["coefficients"]) == ids)


def _form(numbers: str) -> str:
    return SCALED if numbers == "auto" else numbers


def _fitted(
    one_hot: OneHot, data: SearchData, strength: float, max_iter: int, config: TrainConfig
) -> tuple[float, LogisticRegression]:
    """A model, and how good it is by what validation chooses by."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression as Estimator

    estimator = Estimator(C=strength, max_iter=max_iter, random_state=config.seed)
    with warnings.catch_warnings():
        # A weak L2 may not converge within the limit; the validation rows then say what it is worth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(
            one_hot.matrix(data.train),
            np.asarray(data.train.labels),
            sample_weight=TabularColumns.weights_of(data.train),
        )
    passes = int(estimator.n_iter_[0])
    model = LogisticRegression(one_hot, estimator.coef_[0], float(estimator.intercept_[0]), passes)
    model.stopped = "converged" if passes < max_iter else "rounds"
    valid = data.valid
    found = Predictions.of(model.split_logits(valid), valid.labels, valid.weights, valid.groups)
    return rank_of(config.select, auc(found), logloss(found), grouped_auc(found)).score, model


@dataclass(frozen=True, eq=False)
class OneHot:
    """A split as a sparse matrix.

    Args:
        columns: of the log.
        numbers: how numbers are given: "scaled" or "binned".
        means, scales: of the numbers in the training rows, float64 ``[numbers]``.
    """

    columns: TabularColumns
    numbers: str
    means: Floats
    scales: Floats

    @classmethod
    def of(cls, data: SearchData, columns: TabularColumns, numbers: str) -> OneHot:
        """The form for a log; means and deviations are those of its training rows."""
        means, scales = _moments(columns.numbers_of(data.train).astype(np.float64))
        return cls(columns, numbers, means, scales)

    def matrix(self, split: EncodedSplit) -> sparse.csr_matrix:
        """A split, float64 ``[rows, coefficients]``.

        In this order: the numbers, one column per id of every category, and one per id of every list, which holds the
        share of its items that have the id.
        """
        categories = [shares(split, group) for group in (*self.columns.categories, *self.columns.lists)]
        numbers = [self._scaled(split)] if self.numbers == SCALED else [_binned(split, b) for b in self.columns.bins]
        return sparse.hstack([*numbers, *categories], format="csr")

    def _scaled(self, split: EncodedSplit) -> sparse.csr_matrix:
        """Standardised numbers, 0 where missing, and whether each is missing."""
        numbers = self.columns.numbers_of(split).astype(np.float64)
        missing = np.isnan(numbers)
        standardised = np.where(missing, 0.0, (numbers - self.means) / self.scales)
        return sparse.csr_matrix(np.concatenate([standardised, missing.astype(np.float64)], axis=1))


def shares(split: EncodedSplit, group: IdColumns) -> sparse.csr_matrix:
    """The share of each id among the items of a row, ``[rows, ids]``; a category is a list of one."""
    ids = np.asarray(split.ids[:, group.span])
    rows, places = np.nonzero(ids != PAD)
    share = 1.0 / np.maximum((ids != PAD).sum(axis=1), 1)
    # Equal places are added up.
    return sparse.csr_matrix((share[rows], (rows, ids[rows, places])), shape=(len(ids), group.size))


def _binned(split: EncodedSplit, bins: Bins) -> sparse.csr_matrix:
    """How much of each bin a number is: all of one, or shares of two neighbours."""
    rows, ids = np.arange(len(split)), np.asarray(split.ids[:, bins.ids.first])
    share = np.zeros(len(split)) if bins.value is None or split.values is None else split.values[:, bins.value]
    above = np.minimum(ids + 1, bins.ids.size - 1)
    entries = np.concatenate([1.0 - share, share]), (np.tile(rows, 2), np.concatenate([ids, above]))
    return sparse.csr_matrix(entries, shape=(len(split), bins.ids.size))


def _moments(numbers: Floats) -> tuple[Floats, Floats]:
    """Means and standard deviations of columns; a column without numbers, or with one number only, gets 0 or 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of nothing but NaN
        means = np.nan_to_num(np.nanmean(numbers, axis=0)) if numbers.size else np.zeros(numbers.shape[1])
        scales = np.nan_to_num(np.nanstd(numbers, axis=0)) if numbers.size else np.zeros(numbers.shape[1])
    return means, np.where(scales > 0, scales, 1.0)
