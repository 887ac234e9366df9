"""AUC and logloss, by which models are chosen and compared; and the registry of further metrics, which are told of.

To add a metric, write a `Metric` and name it in your own ``pyproject.toml``::

    # my_package/calibration.py
    METRIC = Metric("calibration", lambda logits, labels: float(expit(logits).mean() / labels.mean()))

    # pyproject.toml
    [project.entry-points."nas_fusion.metrics"]
    calibration = "my_package.calibration:METRIC"

Every re-trained model is then measured by it on the test rows: the column ``test_calibration`` of ``results.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from nas_fusion.errors import OptionError, TrainingError, words_of
from nas_fusion.registry import Registry

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


_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Metric:
    """A further measure of a model's predictions.

    Args:
        name: of its column, after ``test_``: small letters, digits and underscores.
        measure: called with logits and labels 0/1, both ``[rows]`` in float64.

    Raises:
        OptionError: `name` cannot be that of a column, or is one that is measured anyway.
    """

    name: str
    measure: Callable[[FloatArray, FloatArray], float]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in AucLogloss._fields:
            taken = " and ".join(AucLogloss._fields)
            raise OptionError("name of a metric", f"small letters, digits, underscores, and not {taken}", self.name)


METRICS: Registry[Metric] = Registry(
    "metric",
    "nas_fusion.metrics",
    Metric,
    problem=lambda name, metric: (
        None if name == metric.name else f"it is called {metric.name!r}; both must be the same"
    ),
)
"""Every further metric by name; there is none unless somebody adds one."""


def further_metrics(logits: FloatArray, labels: FloatArray) -> dict[str, float]:
    """What the metrics of `METRICS` say of logits ``[rows]`` and labels ``[rows]``, by name.

    Raises:
        TrainingError: one of them raised something; names it.
    """
    x, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    return {name: _measured(metric, x, y) for name, metric in METRICS}


def _measured(metric: Metric, logits: FloatArray, labels: FloatArray) -> float:
    try:
        return float(metric.measure(logits, labels))
    except Exception as error:
        raise TrainingError(f"the metric {metric.name} failed: {words_of(error)}") from error
