"""Average ranks over blocks, Friedman's test, and Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np

from nas_fusion.errors import OptionError
from nas_fusion.statistics.strategy_comparison import Block


def average_ranks(scores: Mapping[str, Mapping[Block, float]]) -> dict[str, float]:
    """Return every strategy's rank, averaged over the blocks in which all have a finite value.

    Rank 1 is the highest value; equal values share the mean of their ranks. The order is that of `scores`.

    Args:
        scores: strategy → block → value, higher is better.

    Raises:
        OptionError: no block is complete.
    """
    return dict(zip(scores, _ranks(scores).mean(axis=0).tolist(), strict=True))


def friedman(scores: Mapping[str, Mapping[Block, float]]) -> tuple[float, float]:
    """Return the statistic and p-value of Friedman's test that all strategies have the same mean rank.

    Corrected for ties; the p-value is that of χ² with k - 1 degrees of freedom, rough below about ten blocks (Demšar,
    *Statistical Comparisons of Classifiers over Multiple Data Sets*, JMLR 2006, section 3.2.2). Strategies that are
    equal in every block give (0, 1).

    Raises:
        OptionError: fewer than three strategies, or no complete block.
    """
    if len(scores) < 3:
        raise OptionError("scores", "of at least three strategies", list(scores))
    from scipy.special import chdtrc
    from scipy.stats import tiecorrect

    ranks = _ranks(scores)
    blocks, k = ranks.shape
    spread = 12 * blocks / (k * (k + 1)) * float(np.sum((ranks.mean(axis=0) - (k + 1) / 2) ** 2))
    correction = float(np.mean([tiecorrect(row) for row in ranks]))
    if correction == 0:
        return 0.0, 1.0
    return spread / correction, float(chdtrc(k - 1, spread / correction))


def _ranks(scores: Mapping[str, Mapping[Block, float]]) -> np.ndarray:
    """Ranks, ``[complete blocks, strategies]``."""
    from scipy.stats import rankdata

    first: Mapping[Block, float] = next(iter(scores.values()), {})
    rows = [[values.get(block, math.nan) for values in scores.values()] for block in first]
    complete = [row for row in rows if all(math.isfinite(v) for v in row)]
    if not complete:
        raise OptionError("scores", "finite for all strategies in at least one block", "no such block")
    ranks: np.ndarray = rankdata(-np.array(complete), axis=1)
    return ranks


def critical_difference(strategies: int, blocks: int, level: float = 0.05) -> float:
    """Return how far two average ranks have to differ at least to be called different (Nemenyi 1963).

    ``q √(k (k + 1) / (6 N))``, with q the upper quantile of the studentised range of k groups over √2 (Demšar 2006,
    section 3.2.2 and table 5). Blocks are taken for independent, as data sets are.

    Raises:
        OptionError: fewer than two strategies, no block, or a level out of range.
    """
    if strategies < 2:
        raise OptionError("strategies", "at least 2", strategies)
    if blocks < 1:
        raise OptionError("blocks", "at least 1", blocks)
    if not 0 < level < 1:
        raise OptionError("level", "between 0 and 1", level)
    return _nemenyi_quantile(strategies, level) * math.sqrt(strategies * (strategies + 1) / (6 * blocks))


@cache
def _nemenyi_quantile(strategies: int, level: float) -> float:
    from scipy.stats import studentized_range

    return float(studentized_range.isf(level, strategies, np.inf)) / math.sqrt(2)


def cliques(ranks: Mapping[str, float], cd: float) -> list[tuple[str, ...]]:
    """Return the largest groups of strategies whose ranks all lie closer together than `cd`.

    These are the bars of a critical-difference diagram: groups of two and more, best rank first; no group lies within
    another.
    """
    names = sorted(ranks, key=lambda n: ranks[n])
    groups: list[tuple[str, ...]] = []
    reached = 0
    for start, name in enumerate(names):
        end = start + 1
        while end < len(names) and ranks[names[end]] - ranks[name] < cd:
            end += 1
        if end - start > 1 and end > reached:
            groups.append(tuple(names[start:end]))
        reached = max(reached, end)
    return groups
