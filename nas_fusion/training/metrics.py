"""AUC and logloss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from nas_fusion.errors import TrainingError

FloatArray = npt.NDArray[np.floating]


class AucLogloss(NamedTuple):
    """Area under the ROC curve, and mean negative log-likelihood in nats."""

    auc: float
    logloss: float


def auc_and_logloss(logits: FloatArray, labels: FloatArray) -> AucLogloss:
    """Measure logits ``[rows]`` against labels 0/1 ``[rows]``, in float64.

    The logloss is ``mean(log(1 + e^x) - y x)``: exact for any finite logit, where clipped probabilities are not.

    Raises:
        TrainingError: a logit is not finite, or the labels have one class only.
    """
    x, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    bad = int((~np.isfinite(x)).sum())
    if bad:
        raise TrainingError(f"{bad} of {len(x)} predictions are not finite: try a lower learning rate")
    positives = int(y.sum())
    if positives in (0, len(y)):
        raise TrainingError(f"AUC needs both classes, got {positives} positives in {len(y)} rows")
    return AucLogloss(float(roc_auc_score(y, x)), float(np.mean(np.logaddexp(0.0, x) - y * x)))
