"""How good predictions are: pure functions of logits, labels, sample weights and groups."""

from nas_fusion.training.quality.calibration import (
    BINS,
    base_rate_logloss,
    calibration_error,
    calibration_ratio,
    logloss,
    logloss_error,
    normalised_entropy,
    reliability,
)
from nas_fusion.training.quality.predictions import FloatArray, IntArray, Predictions, probabilities
from nas_fusion.training.quality.ranking import auc, grouped_auc, pr_auc
from nas_fusion.training.quality.selection import Rank, rank_of, samples_of

__all__ = [
    "BINS",
    "FloatArray",
    "IntArray",
    "Predictions",
    "Rank",
    "auc",
    "base_rate_logloss",
    "calibration_error",
    "calibration_ratio",
    "grouped_auc",
    "logloss",
    "logloss_error",
    "normalised_entropy",
    "pr_auc",
    "probabilities",
    "rank_of",
    "reliability",
    "samples_of",
]
