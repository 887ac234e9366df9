"""AUC and logloss, by which models are chosen and compared, and all else that is told of their predictions.

Others add metrics of their own: write a `Metric` and name it in your own ``pyproject.toml``::

    # my_package/calibration.py
    METRIC = Metric("calibration", lambda logits, labels: float(expit(logits).mean() / labels.mean()))

    # pyproject.toml
    [project.entry-points."nas_fusion.metrics"]
    calibration = "my_package.calibration:METRIC"

Every re-trained model is then measured by it on the test rows: the column ``test_calibration`` of ``results.csv``, and
one of the report's tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy.typing as npt

from nas_fusion.errors import OptionError, TrainingError, words_of
from nas_fusion.records import TEST_METRICS, ReliabilityBin
from nas_fusion.registry import Registry
from nas_fusion.training.quality import (
    FloatArray,
    Predictions,
    auc,
    calibration_error,
    calibration_ratio,
    grouped_auc,
    logloss,
    normalised_entropy,
    pr_auc,
    reliability,
)

__all__ = [
    "METRICS",
    "AucLogloss",
    "FloatArray",
    "Metric",
    "Quality",
    "auc_and_logloss",
    "further_metrics",
    "quality_of",
]


class AucLogloss(NamedTuple):
    """Area under the ROC curve, and mean negative log-likelihood in nats."""

    auc: float
    logloss: float


@dataclass(frozen=True)
class Quality:
    """All that is told of a model's predictions, each by the rows' weights where they have any.

    Args:
        auc: area under the ROC curve.
        logloss: mean negative log-likelihood in nats.
        normalised_entropy: logloss over that of the rows' own share of clicks; 1 is what a constant reaches.
        calibration_ratio: expected over observed clicks.
        calibration_error: expected calibration error, over bins of equal weight.
        pr_auc: area under precision and recall (average precision).
        gauc: mean AUC within the groups, by their weight; None without groups, or where none has both classes.
        reliability: mean prediction and share of clicks, bin by bin.
    """

    auc: float
    logloss: float
    normalised_entropy: float
    calibration_ratio: float
    calibration_error: float
    pr_auc: float
    gauc: float | None
    reliability: tuple[ReliabilityBin, ...]

    def told(self) -> Mapping[str, float]:
        """What stands beside AUC and logloss, by the names of `nas_fusion.records.TEST_METRICS`."""
        values = {name: getattr(self, name) for name in TEST_METRICS}
        return {name: value for name, value in values.items() if value is not None}


def auc_and_logloss(logits: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> AucLogloss:
    """Measure logits ``[rows]`` against labels 0/1 ``[rows]``, by weights ``[rows]``, in float64.

    Raises:
        TrainingError: a logit is not finite, a weight is negative, or the labels have one class only.
    """
    found = Predictions.of(logits, labels, weights)
    return AucLogloss(auc(found), logloss(found))


def quality_of(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> Quality:
    """Measure everything.

    Args:
        logits, labels: ``[rows]``; labels are 0 or 1.
        weights: how much each row counts, ``[rows]``; all the same if not given.
        groups: a code per row, ``[rows]``, for grouped AUC.

    Raises:
        TrainingError: a logit is not finite, a weight is negative, or the labels have one class only.
    """
    found = Predictions.of(logits, labels, weights, groups)
    return Quality(
        auc=auc(found),
        logloss=logloss(found),
        normalised_entropy=normalised_entropy(found),
        calibration_ratio=calibration_ratio(found),
        calibration_error=calibration_error(found),
        pr_auc=pr_auc(found),
        gauc=grouped_auc(found),
        reliability=reliability(found),
    )


_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Metric:
    """A further measure of a model's predictions.

    Args:
        name: of its column, after ``test_``: small letters, digits and underscores.
        measure: called with logits and labels 0/1, both ``[rows]`` in float64.
        weighted: `measure` is called with ``weights=`` (float64 ``[rows]`` or None) and ``groups=`` (codes ``[rows]``
            or None), too.

    Raises:
        OptionError: `name` cannot be that of a column, or is one that is measured anyway.
    """

    name: str
    measure: Callable[..., float]
    weighted: bool = False

    def __post_init__(self) -> None:
        taken = (*AucLogloss._fields, *TEST_METRICS)
        if not _NAME.fullmatch(self.name) or self.name in taken:
            allowed = f"small letters, digits, underscores, and none of {', '.join(taken)}"
            raise OptionError("name of a metric", allowed, self.name)


METRICS: Registry[Metric] = Registry(
    "metric",
    "nas_fusion.metrics",
    Metric,
    problem=lambda name, metric: (
        None if name == metric.name else f"it is called {metric.name!r}; both must be the same"
    ),
)
"""Every further metric by name; there is none unless somebody adds one."""


def further_metrics(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """What the metrics of `METRICS` say, by name; arguments as of `quality_of`.

    Raises:
        TrainingError: one of them raised something; names it.
    """
    found = Predictions.of(logits, labels, weights, groups)
    return {name: _measured(metric, found) for name, metric in METRICS}


def _measured(metric: Metric, found: Predictions) -> float:
    more = {"weights": found.weights, "groups": found.groups} if metric.weighted else {}
    try:
        return float(metric.measure(found.logits, found.labels, **more))
    except Exception as error:
        raise TrainingError(f"the metric {metric.name} failed: {words_of(error)}") from error
