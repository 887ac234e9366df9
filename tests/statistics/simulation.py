"""Simulated comparisons: how often the verdict calls a difference, where there is none and where one was planted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nas_fusion.statistics import PairedComparison, compare_with_reference

AUC = 0.98
Scores = dict[str, dict[int, float]]


class Rates(NamedTuple):
    """Shares of the simulated comparisons; `family` is the share of those with any call."""

    tie: float
    better: float
    worse: float
    family: float


def scores(rng: np.random.Generator, strategies: int, seeds: int, sd: float, planted: Mapping[int, float]) -> Scores:
    """Independent normal test AUC of strategies s0, s1, …; `planted` adds to some of them."""
    runs = AUC + rng.normal(0, sd, (strategies, seeds))
    return {f"s{i}": {s: float(v + planted.get(i, 0.0)) for s, v in enumerate(row)} for i, row in enumerate(runs)}


def rates(found: list[list[PairedComparison]]) -> Rates:
    calls = [c.verdict for comparisons in found for c in comparisons]
    tie, better, worse = (calls.count(v) / len(calls) for v in ("tie", "better", "worse"))
    family = np.mean([any(c.verdict in ("better", "worse") for c in comparisons) for comparisons in found])
    return Rates(tie, better, worse, float(family))


def simulate(
    repeats: int, seed: int, *, seeds: int = 8, sd: float = 0.0008, strategies: int = 2, planted: float = 0.0
) -> Rates:
    """Compare s1, … with s0, `repeats` times; s1 is better by `planted` standard deviations."""
    rng = np.random.default_rng(seed)
    return rates(
        [compare_with_reference(scores(rng, strategies, seeds, sd, {1: planted * sd}), "s0") for _ in range(repeats)]
    )


def simulate_chosen(
    repeats: int, seed: int, *, correct: bool, seeds: int = 8, sd: float = 0.0008, strategies: int = 12
) -> Rates:
    """Equal strategies; the reference is the one with the best validation mean, and validation equals test."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        drawn = scores(rng, strategies, seeds, sd, {})
        best = max(drawn, key=lambda name: np.mean(list(drawn[name].values())))
        found.append(compare_with_reference(drawn, best, chosen_from=drawn if correct else None))
    return rates(found)
