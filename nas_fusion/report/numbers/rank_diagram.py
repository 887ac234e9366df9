"""The numbers of the critical-difference diagram: average ranks, and who cannot be told from whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nas_fusion.report.numbers.summaries import Groups
from nas_fusion.statistics import average_ranks, cliques, critical_difference, friedman


class RankDiagram(NamedTuple):
    """Average ranks of the test AUC, best first.

    `cd`: two average ranks that differ by less cannot be told apart (Nemenyi, level .05). `groups`: the largest runs
    of such strategies, as first and last place in `strategies`. `blocks`: over how many seeds or data sets (`unit`)
    the ranks are averaged. `p_value`: Friedman's, that all are alike; None with fewer than three strategies.
    """

    strategies: tuple[str, ...]
    ranks: tuple[float, ...]
    cd: float
    groups: tuple[tuple[int, int], ...]
    blocks: int
    unit: str
    p_value: float | None

    @property
    def p_words(self) -> str:
        """Friedman's p in words; empty without one."""
        if self.p_value is None:
            return ""
        return "below .001" if self.p_value < 0.001 else f"{self.p_value:.3f}"


def rank_diagram(groups: Groups) -> RankDiagram | None:
    """Ranks over the seeds that every strategy has; None with fewer than two strategies or seeds."""
    return _diagram({n: {str(r.seed): r.test_auc for r in g} for n, g in groups.items()}, "seeds")


def overall_rank_diagram(results: Sequence[Groups], labels: Sequence[str]) -> RankDiagram | None:
    """Ranks of the mean test AUC over data sets, of the strategies that all have; None below two of either.

    Args:
        results: the finished cells of each data set, by strategy.
        labels: of the data sets, all different.
    """
    scores: dict[str, dict[str, float]] = {name: {} for name in shared_strategies(results)}
    for label, groups in zip(labels, results, strict=True):
        for name, group in groups.items():
            if name in scores:
                scores[name][label] = sum(r.test_auc for r in group) / len(group)
    return _diagram(scores, "data sets")


def shared_strategies(results: Sequence[Groups]) -> list[str]:
    """The strategies that every data set has, in the order of the first."""
    return [name for name in results[0] if all(name in groups for groups in results)] if results else []


def data_labels(names: Sequence[str]) -> list[str]:
    """One name per data set; a number tells equal ones apart."""
    return [
        f"{name} ({list(names[:i]).count(name) + 1})" if list(names).count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _diagram(scores: Mapping[str, Mapping[str, float]], unit: str) -> RankDiagram | None:
    blocks = dict.fromkeys(block for values in scores.values() for block in values)
    complete = [b for b in blocks if all(math.isfinite(v.get(b, math.nan)) for v in scores.values())]
    if len(scores) < 2 or len(complete) < 2:
        return None
    ranks = average_ranks(scores)
    ordered = sorted(ranks, key=lambda n: ranks[n])
    cd = critical_difference(len(ordered), len(complete))
    groups = tuple((ordered.index(g[0]), ordered.index(g[-1])) for g in cliques(ranks, cd))
    p_value = friedman(scores)[1] if len(ordered) > 2 else None
    return RankDiagram(tuple(ordered), tuple(ranks[n] for n in ordered), cd, groups, len(complete), unit, p_value)
