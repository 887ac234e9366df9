"""How far two models' AUCs, or mean losses, on the same rows may lie apart by chance."""

from __future__ import annotations

import math

CORRELATION = 0.95
"""Of the AUCs of two models of one kind on the same rows; what makes paired differences so much surer than AUCs."""


def auc_standard_error(auc: float, positives: float, negatives: float) -> float:
    """Return the standard error of an AUC over the rows that might have been drawn (Hanley and McNeil 1982, eq. 1).

    Args:
        auc: of the model, 0 … 1.
        positives, negatives: rows of either class, at least one.
    """
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc)
    spread += (positives - 1) * (both_positive - auc**2) + (negatives - 1) * (both_negative - auc**2)
    return math.sqrt(max(spread, 0.0) / (positives * negatives))


def difference_error(auc: float, positives: float, negatives: float, correlation: float = CORRELATION) -> float:
    """Return the standard error of the difference of two AUCs of about this size on the same rows.

    ``√(2 (1 − r))`` times that of one AUC, where r is their correlation (Hanley and McNeil 1983).

    Args:
        auc, positives, negatives: as of `auc_standard_error`.
        correlation: of both AUCs.
    """
    return paired_error(auc_standard_error(auc, positives, negatives), correlation)


STANDARD_ERRORS = 2.0
SMALLEST_LOSS = 0.005
"""On a large log a difference that does not matter is beyond the noise. Sound supernets lose .002 by deriving."""


def loss_margin(auc: float, positives: float, negatives: float) -> float:
    """Return how far below another AUC one may lie before it counts as lost: two standard errors, at least .005.

    Args:
        auc, positives, negatives: as of `auc_standard_error`.
    """
    return max(SMALLEST_LOSS, STANDARD_ERRORS * difference_error(auc, positives, negatives))


def paired_error(error: float, correlation: float = CORRELATION) -> float:
    """Return the standard error of the difference of two numbers that were measured on the same rows.

    Args:
        error: standard error of either of them.
        correlation: of both.
    """
    return math.sqrt(2 * (1 - correlation)) * error
