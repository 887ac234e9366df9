"""Whether an AUC is that of a model that knows nothing."""

from __future__ import annotations

import math

from nas_fusion.errors import OptionError

CHANCE = 0.5
SMALLEST_MARGIN = 0.02
"""A model this close above chance is of no use on any log; on a large one it would still lie far outside the noise."""

STANDARD_ERRORS = 2.0


def auc_error(positives: float, negatives: float) -> float:
    """Return the standard deviation of the AUC of scores that have nothing to do with the labels.

    ``√((m + n + 1) / (12 m n))``: that of the Mann-Whitney statistic over m · n (Hanley and McNeil 1982).

    Args:
        positives, negatives: how many rows of each there are, at least one.

    Raises:
        OptionError: fewer than one of either.
    """
    if not (positives >= 1 and negatives >= 1):
        raise OptionError("rows", "at least one positive and one negative", (positives, negatives))
    return math.sqrt((positives + negatives + 1) / (12 * positives * negatives))


def chance_margin(rows: int, label_rate: float) -> float:
    """Return how far above .5 an AUC on so many rows may lie and still be chance: two standard errors, at least .02.

    Args:
        rows: of the split.
        label_rate: share of positives, 0 … 1; fewer than one row of either class count as one.
    """
    positives = min(max(rows * label_rate, 1.0), max(rows - 1.0, 1.0))
    return max(SMALLEST_MARGIN, STANDARD_ERRORS * auc_error(positives, max(rows - positives, 1.0)))
