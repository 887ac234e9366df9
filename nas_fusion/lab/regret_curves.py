"""What replayed searches come to: regret against budget, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nas_fusion.lab.design_table import DesignTable, Figures
from nas_fusion.lab.replay import Replayed
from nas_fusion.statistics import Interval

LEVEL = 0.95
RESAMPLES = 2_000


class RegretCurve(NamedTuple):
    """One strategy's regret.

    Args:
        strategy: its name.
        mean: over the searches, after each candidate ``[candidate]``.
        low, high: ends of its bootstrap interval ``[candidate]``.
        within_noise: share of the searches whose find is no further below the best design than one training's noise;
            NaN for a table of one seed.
        multiply_adds: the median of what the searches found.
    """

    strategy: str
    mean: Figures
    low: Figures
    high: Figures
    within_noise: float
    multiply_adds: float

    @property
    def final(self) -> Interval:
        """Interval of the mean regret of whole searches."""
        return Interval(float(self.low[-1]), float(self.high[-1]))


def regret_curve(replayed: Replayed, table: DesignTable, *, seed: int = 0) -> RegretCurve:
    """The curve of one strategy's searches: means, and percentile bootstrap intervals over searches (Efron 1979)."""
    searches = len(replayed.regret)
    drawn = np.random.default_rng(seed).multinomial(searches, np.full(searches, 1 / searches), size=RESAMPLES)
    low, high = np.quantile(drawn @ replayed.regret / searches, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return RegretCurve(
        strategy=replayed.strategy,
        mean=replayed.regret.mean(axis=0),
        low=low,
        high=high,
        within_noise=float(np.mean(replayed.final <= table.noise)) if np.isfinite(table.noise) else float("nan"),
        multiply_adds=float(np.median(replayed.multiply_adds)),
    )


def best_first(curves: Sequence[RegretCurve]) -> list[RegretCurve]:
    """The curves by what is left of the regret at their ends."""
    return sorted(curves, key=lambda curve: float(curve.mean[-1]))
