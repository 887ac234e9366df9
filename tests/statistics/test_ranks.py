"""Ranks and critical differences, against scipy, Demšar's tables and cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nas_fusion.errors import OptionError
from nas_fusion.statistics import average_ranks, cliques, critical_difference, friedman

SMALL = {"a": {1: 0.9, 2: 0.7, 3: 0.6}, "b": {1: 0.8, 2: 0.7, 3: 0.5}, "c": {1: 0.8, 2: 0.9, 3: 0.4}}


def test_ranks_by_hand() -> None:
    # seed 1: 1, 2.5, 2.5; seed 2: 2.5, 2.5, 1; seed 3: 1, 2, 3
    assert average_ranks(SMALL) == pytest.approx({"a": 4.5 / 3, "b": 7 / 3, "c": 6.5 / 3})


def test_ranks_use_complete_blocks_only() -> None:
    more = {
        "a": {**SMALL["a"], 4: 1.0, 5: math.nan},
        "b": {**SMALL["b"], 5: 1.0, 4: 0.1},
        "c": {**SMALL["c"], 5: 0.2},
    }
    assert average_ranks(more) == average_ranks(SMALL)
    assert friedman(more) == friedman(SMALL)
    incomplete: list[dict[str, dict[int, float]]] = [{"a": {1: 0.5}, "b": {2: 0.5}}, {}, {"a": {}}]
    for scores in incomplete:
        with pytest.raises(OptionError, match="at least one block"):
            average_ranks(scores)


@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize(("strategies", "blocks"), [(3, 4), (5, 12), (12, 30)])
def test_friedman_is_scipys(strategies: int, blocks: int, decimals: int) -> None:
    values = np.random.default_rng(strategies).uniform(0, 1, (strategies, blocks)).round(decimals)
    expected = stats.friedmanchisquare(*values)
    found = friedman({f"s{i}": dict(enumerate(row.tolist())) for i, row in enumerate(values)})
    assert found == pytest.approx((expected.statistic, expected.pvalue))


def test_friedman_of_equals_and_of_too_few() -> None:
    assert friedman({n: {1: 0.5, 2: 0.6} for n in "abc"}) == (0, 1)
    with pytest.raises(OptionError, match="at least three strategies"):
        friedman({n: SMALL[n] for n in "ab"})


@pytest.mark.parametrize(
    ("strategies", "level", "q"),
    # Demšar (2006), table 5(a)
    [(2, 0.05, 1.960), (5, 0.05, 2.728), (10, 0.05, 3.164), (2, 0.10, 1.645), (5, 0.10, 2.459), (10, 0.10, 2.920)],
)
def test_critical_difference_as_published(strategies: int, level: float, q: float) -> None:
    found = critical_difference(strategies, 14, level)
    assert found / math.sqrt(strategies * (strategies + 1) / (6 * 14)) == pytest.approx(q, abs=6e-4)


def test_critical_difference_of_the_papers_example() -> None:
    # section 3.2.4: four classifiers on 14 data sets, 2.569 √(4 · 5 / (6 · 14)) = 1.25
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_critical_difference_refuses() -> None:
    for strategies, blocks, level, name in [(1, 5, 0.05, "strategies"), (3, 0, 0.05, "blocks"), (3, 5, 1.0, "level")]:
        with pytest.raises(OptionError, match=f"^{name} must be"):
            critical_difference(strategies, blocks, level)


@pytest.mark.parametrize(
    ("cd", "expected"),
    [
        (0.4, []),
        (0.6, [("b", "c")]),
        (1.6, [("a", "b", "c"), ("c", "d")]),
        (1.5, [("a", "b"), ("b", "c")]),  # a and c differ by exactly the critical difference, and so do c and d
        (9.0, [("a", "b", "c", "d")]),
    ],
)
def test_cliques_by_hand(cd: float, expected: list[tuple[str, ...]]) -> None:
    assert cliques({"d": 4.0, "b": 2.0, "a": 1.0, "c": 2.5}, cd) == expected


def test_cliques_are_the_maximal_sets_of_near_ranks() -> None:
    """Slow and obvious: all subsets, those within the difference, those in no larger one."""
    ranks = {f"s{i}": float(r) for i, r in enumerate(np.random.default_rng(2).uniform(1, 8, 8))}
    near = []
    for bits in range(1, 256):
        group = {n for i, n in enumerate(ranks) if bits >> i & 1}
        values = [ranks[n] for n in group]
        if len(group) > 1 and max(values) - min(values) < 1.7:
            near.append(group)
    maximal = [g for g in near if not any(g < other for other in near)]
    found = cliques(ranks, 1.7)
    assert len(found) == len(maximal) > 1
    assert all(set(g) in maximal for g in found)
