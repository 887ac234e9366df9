"""`Predictions`: what a model says of a number of rows, beside what is true of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas_fusion.errors import TrainingError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


def probabilities(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Probabilities of a click of logits ``[rows]``, in float64."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64))))  # no overflow, however negative


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits of rows, and what is true of them; made and checked by `of`.

    Args:
        logits, labels: float64 ``[rows]``; labels are 0 or 1.
        weights: how much each row counts, float64 ``[rows]``; None: all the same.
        groups: a code per row (of a user, or of a request), ``[rows]``; None: there are none.
    """

    logits: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64] | None = None
    groups: IntArray | None = None

    @classmethod
    def of(
        cls,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Predictions:
        """Take predictions of any numeric type.

        Raises:
            TrainingError: a logit is not finite, a weight is negative or not finite, lengths differ, or the labels of
                the rows that count are of one class only.
        """
        made = cls(
            np.asarray(logits, np.float64),
            np.asarray(labels, np.float64),
            None if weights is None else np.asarray(weights, np.float64),
            None if groups is None else np.asarray(groups),
        )
        made._check()
        return made

    def __len__(self) -> int:
        return len(self.logits)

    def mean(self, values: npt.NDArray[np.float64]) -> float:
        """The mean of a value per row, ``[rows]``, by the rows' weights."""
        return float(np.mean(values) if self.weights is None else np.average(values, weights=self.weights))

    @property
    def row_weights(self) -> npt.NDArray[np.float64]:
        """The weights ``[rows]``: ones where there are none."""
        return np.ones(len(self)) if self.weights is None else self.weights

    @property
    def base_rate(self) -> float:
        """The share of positives, by the rows' weights: above 0, below 1."""
        return self.mean(self.labels)

    def _check(self) -> None:
        bad = int((~np.isfinite(self.logits)).sum())
        if bad:
            raise TrainingError(f"{bad} of {len(self)} predictions are not finite: try a lower learning rate")
        for name, other in (("labels", self.labels), ("weights", self.weights), ("groups", self.groups)):
            if other is not None and other.shape != self.logits.shape:
                raise TrainingError(f"{name} must be of the shape of the logits {self.logits.shape}, got {other.shape}")
        counted = self.labels
        if self.weights is not None:
            odd = int((~(np.isfinite(self.weights) & (self.weights >= 0))).sum())
            if odd:
                raise TrainingError(f"{odd} of {len(self)} sample weights are negative or not finite")
            counted = self.labels[self.weights > 0]
        positives = int(counted.sum())
        if positives in (0, len(counted)):
            above = "" if self.weights is None else " with a weight above 0"
            raise TrainingError(f"AUC needs both classes, got {positives} positives in {len(counted)} rows{above}")
