"""Comparisons over data sets, against scipy and slow, obvious implementations."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from nas_fusion.errors import OptionError, UnknownNameError
from nas_fusion.statistics import compare_over_data_sets, holm
from nas_fusion.statistics.signed_rank import signed_rank
from nas_fusion.statistics.stouffer import stouffer

Scores = dict[str, dict[str, dict[int, float]]]


def drawn(rng: np.random.Generator, data_sets: int, seeds: int, better: float = 0.0) -> Scores:
    """Strategies a and b on data sets of unlike level and noise; b is better by `better` standard deviations."""
    found: Scores = {"a": {}, "b": {}}
    for d in range(data_sets):
        level, sd = 0.6 + 0.04 * d, 0.0005 * (d + 1)
        for name in found:
            values = level + sd * (rng.normal(0, 1, seeds) + better * (name == "b"))
            found[name][f"d{d}"] = {s: float(v) for s, v in enumerate(values)}
    return found


def differences(scores: Scores) -> list[np.ndarray]:
    return [np.subtract(list(scores["b"][d].values()), list(scores["a"][d].values())) for d in scores["a"]]


@pytest.mark.parametrize("n", [6, 9, 15])
def test_signed_rank_is_scipys(n: int) -> None:
    values = np.random.default_rng(n).normal(0.3, 1, n)
    assert signed_rank(values, 0.05).p_value == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


@pytest.mark.parametrize("values", [[1, 1, -2, 3, 3, 3, -4], [0, 1, -1, 2, 0, 5], [2, 2, 2, 2, 2, 2]])
def test_signed_rank_with_ties_counts_all_signs(values: list[float]) -> None:
    kept = np.array([v for v in values if v], dtype=float)
    ranks = stats.rankdata(abs(kept))
    sums = [sum(r for r, s in zip(ranks, signs, strict=True) if s) for signs in product((0, 1), repeat=len(kept))]
    smaller = min(ranks[kept > 0].sum(), ranks[kept < 0].sum())
    expected = min(1.0, 2 * float(np.mean([s <= smaller for s in sums])))
    assert signed_rank(np.array(values, dtype=float), 0.05).p_value == pytest.approx(expected)


@pytest.mark.parametrize("n", [6, 8, 11])
def test_signed_rank_interval_holds_what_the_test_accepts(n: int) -> None:
    values = np.random.default_rng(n).normal(0.3, 1, n)
    interval = signed_rank(values, 0.05).interval
    assert interval is not None
    for end, outwards in ((interval.low, -1), (interval.high, 1)):
        assert stats.wilcoxon(values - (end + outwards * 1e-9), method="exact").pvalue < 0.05
        assert stats.wilcoxon(values - (end - outwards * 1e-9), method="exact").pvalue >= 0.05


def test_signed_rank_by_hand() -> None:
    found = signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 0.05)
    # all six of one sign: 2 / 2⁶; the interval is from the smallest to the largest
    assert found == (3.5, (1.0, 6.0), 2 / 64)
    assert signed_rank(np.array([1.0, 2.0, 3.0]), 0.05).interval is None
    assert signed_rank(np.zeros(6), 0.05).p_value == 1


def test_stouffer_is_scipys() -> None:
    found = differences(drawn(np.random.default_rng(0), 3, 5, 0.7))
    greater = [stats.ttest_1samp(d, 0, alternative="greater").pvalue for d in found]
    one_sided = stats.combine_pvalues(greater, method="stouffer").pvalue
    combined = stouffer(found, 0.05)
    assert combined.p_value == pytest.approx(2 * min(one_sided, 1 - one_sided))
    assert combined.interval is not None
    for end in combined.interval:
        assert stouffer([d - end for d in found], 0.05).p_value == pytest.approx(0.05, rel=1e-5)
    assert stouffer([d - combined.estimate for d in found], 0.05).p_value == pytest.approx(1, abs=1e-5)


def test_stouffer_of_one_data_set_is_the_paired_t_test() -> None:
    (d,) = differences(drawn(np.random.default_rng(1), 1, 6, 0.5))
    expected = stats.ttest_1samp(d, 0)
    found = stouffer([d], 0.05)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.estimate == pytest.approx(d.mean())
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-5)


def test_stouffer_without_noise() -> None:
    assert stouffer([np.zeros(3), np.zeros(2)], 0.05) == (0, (0, 0), 1)
    sure = stouffer([np.full(3, 0.25), np.full(4, 0.25)], 0.05)
    assert sure.estimate == pytest.approx(0.25)
    assert sure.p_value < 1e-6


def test_six_data_sets_are_wilcoxons() -> None:
    scores = drawn(np.random.default_rng(3), 6, 3, 4)
    (found,) = compare_over_data_sets(scores, "a")
    expected = stats.wilcoxon([d.mean() for d in differences(scores)], method="exact").pvalue
    assert found.p_value == pytest.approx(expected)
    assert (found.pairs, found.data_sets, found.unit, found.verdict) == (6, 6, "data set", "better")
    assert found.words.endswith("p = .03, 6 data sets)")


def test_fewer_data_sets_combine_their_seeds() -> None:
    scores = drawn(np.random.default_rng(4), 3, 5, 2)
    scores["c"] = scores["a"]
    found = {c.name: c for c in compare_over_data_sets(scores, "a")}
    combined = stouffer(differences(scores), 0.05)
    assert found["b"].p_value == pytest.approx(combined.p_value)
    assert found["b"].difference == pytest.approx(combined.estimate)
    assert found["b"].verdict == "better"
    assert "15 pairs on 3 data sets" in found["b"].words
    assert found["c"].verdict == "tie"
    assert [found[n].p_corrected for n in "bc"] == pytest.approx(holm([combined.p_value, 1.0]))


def test_a_chosen_reference_counts_the_comparisons_that_it_might_have_had() -> None:
    scores = {**drawn(np.random.default_rng(4), 3, 5, 1), "c": drawn(np.random.default_rng(5), 3, 5)["a"]}
    named = {c.name: c.p_value for c in compare_over_data_sets(scores, "a")}
    (unshown,) = (c.p_value for c in compare_over_data_sets(scores, "b") if c.name == "c")
    assert None not in (*named.values(), unshown)
    chosen = compare_over_data_sets(scores, "a", chosen_from=["a", "b"])
    assert {c.name: c.p_value for c in chosen} == named
    family = holm([float(p) for p in (*named.values(), unshown) if p is not None])
    assert [c.p_corrected for c in chosen] == pytest.approx(family[:2])
    with pytest.raises(OptionError, match="chosen_from"):
        compare_over_data_sets(scores, "a", chosen_from=["b"])


def test_what_cannot_be_used_is_left_out() -> None:
    scores = drawn(np.random.default_rng(4), 3, 4, 2)
    scores["b"]["d1"] = {0: 0.9, 1: math.nan}
    del scores["a"]["d2"]
    (found,) = compare_over_data_sets(scores, "a")
    assert (found.pairs, found.data_sets, found.left_out) == (4, 1, 1)
    assert found.words.endswith("4 pairs; one pair left out, not a number)")


def test_single_seeds_on_few_data_sets_are_unknown() -> None:
    (found,) = compare_over_data_sets(drawn(np.random.default_rng(4), 3, 1, 2), "a")
    assert (found.verdict, found.p_value) == ("unknown", None)
    assert found.words == "unknown: 3 pairs on 3 data sets"
    (nothing,) = compare_over_data_sets({"a": {"x": {0: 1.0}}, "b": {"y": {0: 1.0}}}, "a")
    assert math.isnan(nothing.difference)
    with pytest.raises(UnknownNameError):
        compare_over_data_sets({"a": {}}, "b")


@pytest.mark.slow
@pytest.mark.parametrize(("data_sets", "seeds"), [(2, 3), (3, 5), (5, 4), (6, 2), (10, 3)])
def test_level_of_both_tests(data_sets: int, seeds: int) -> None:
    """2,000 comparisons of equals: .05 ± .005 significant, less for Wilcoxon, whose p-values are coarse."""
    rng = np.random.default_rng(0)
    found = [compare_over_data_sets(drawn(rng, data_sets, seeds), "a")[0].is_significant for _ in range(2000)]
    assert 0.015 < float(np.mean(found)) < 0.065
