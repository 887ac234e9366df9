"""How far probabilities can be believed: logloss, what of it is left beside a constant, and calibration."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nas_fusion.records import ReliabilityBin
from nas_fusion.training.quality.predictions import Predictions, probabilities

BINS = 15
"""Bins of the reliability curve and of the expected calibration error (the number of Guo et al., ICML 2017)."""


def logloss(found: Predictions) -> float:
    """Mean negative log-likelihood in nats: ``mean(log(1 + e^x) - y x)``, by the rows' weights.

    Exact for any finite logit, where clipped probabilities are not.
    """
    return found.mean(row_losses(found))


def logloss_error(found: Predictions) -> float:
    """The standard error of `logloss` over the rows that might have been drawn: ``√(Σ w² (l - mean)²) / Σ w``."""
    losses, weights = row_losses(found), found.row_weights
    return math.sqrt(float(np.sum((weights * (losses - found.mean(losses))) ** 2))) / float(weights.sum())


def row_losses(found: Predictions) -> npt.NDArray[np.float64]:
    """Each row's negative log-likelihood in nats ``[row]``."""
    return np.asarray(np.logaddexp(0.0, found.logits) - found.labels * found.logits)


def base_rate_logloss(found: Predictions) -> float:
    """The logloss of the constant that knows the share of clicks of these rows: its entropy, in nats."""
    rate = found.base_rate
    return -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))


def normalised_entropy(found: Predictions) -> float:
    """Logloss over that of the rows' own share of clicks: 1 is a constant's (He et al., ADKDD 2014, equation 1)."""
    return logloss(found) / base_rate_logloss(found)


def calibration_ratio(found: Predictions) -> float:
    """Expected clicks over observed clicks (the calibration of He et al., ADKDD 2014): above 1 is too many."""
    return found.mean(probabilities(found.logits)) / found.base_rate


def calibration_error(found: Predictions, bins: int = BINS) -> float:
    """Expected calibration error: ``Σ_b w_b |p_b - y_b| / Σ_b w_b`` over the bins of `reliability`.

    Guo et al. (ICML 2017) cut the probabilities at equal distances, which puts nearly all rows of a log of clicks into
    one bin; here the bins hold equal shares of the rows (the adaptive error of Nixon et al., CVPR workshops 2019).
    """
    curve = reliability(found, bins)
    gaps = [b.weight * abs(b.predicted - b.observed) for b in curve]
    return math.fsum(gaps) / math.fsum(b.weight for b in curve)


def reliability(found: Predictions, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability curve: mean prediction and share of clicks in bins of equal weight, ascending.

    Equal predictions are always in one bin, the one of their middle, so there may be fewer bins than asked for.

    Args:
        found: the predictions.
        bins: how many, at most.
    """
    p = probabilities(found.logits)
    order = np.argsort(p, kind="stable")
    p, labels, weights = p[order], found.labels[order], found.row_weights[order]
    level = np.concatenate([[0], np.cumsum(np.diff(p) != 0)])  # which of the different predictions it is
    of_level = np.bincount(level, weights)
    middle = np.cumsum(of_level) - of_level / 2
    place = np.minimum((middle * bins / of_level.sum()).astype(np.int64), bins - 1)[level]
    weight, expected, clicks = (_sums(place, values, bins) for values in (weights, weights * p, weights * labels))
    return tuple(
        ReliabilityBin(float(e / w), float(c / w), float(w))
        for e, c, w in zip(expected, clicks, weight, strict=True)
        if w > 0
    )


def _sums(place: npt.NDArray[np.int64], values: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.bincount(place, values, minlength=bins), np.float64)
