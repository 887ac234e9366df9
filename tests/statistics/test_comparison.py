"""Comparisons with a reference: numbers, verdicts and words, on cases worked out by hand."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nas_fusion.errors import OptionError, UnknownNameError
from nas_fusion.statistics import PairedComparison, compare_with_reference, holm, pairs_needed
from tests.statistics.simulation import scores


def runs(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def one(name: dict[int, float], reference: dict[int, float], **options: Any) -> PairedComparison:
    (found,) = compare_with_reference({"ref": reference, "new": name}, "ref", **options)
    return found


BASE = runs(0.981, 0.982, 0.983, 0.984, 0.985)


def plus(*differences: float) -> dict[int, float]:
    return runs(*(v + d for v, d in zip(BASE.values(), differences, strict=True)))


def test_better_and_worse_with_scipys_numbers() -> None:
    differences = [0.003, 0.0025, 0.0036, 0.0031, 0.0033]
    better = one(plus(*differences), BASE)
    expected = stats.ttest_1samp(differences, 0)
    assert (better.name, better.reference, better.pairs, better.verdict) == ("new", "ref", 5, "better")
    assert better.difference == pytest.approx(0.0031)
    assert better.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert better.p_corrected == better.p_value
    assert better.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-6)
    assert better.pairs_needed is None
    assert better.words == "better by .0031 (95 % .0026 to .0036, p < .001, 5 seeds)"
    worse = one(BASE, plus(*differences))
    assert worse.verdict == "worse"
    assert worse.words == "worse by .0031 (95 % -.0036 to -.0026, p < .001, 5 seeds)"


def test_a_tie_says_how_many_seeds_it_lacks() -> None:
    differences = [0.003, -0.001, 0.002, -0.002, 0.003]
    found = one(plus(*differences), BASE)
    a, b = np.array(list(plus(*differences).values())), np.array(list(BASE.values()))
    sd = max(float(np.std(differences, ddof=1)), math.sqrt(float(a.var(ddof=1) + b.var(ddof=1))))
    assert found.verdict == "tie"
    assert found.pairs_needed == pairs_needed(0.001, sd)
    assert found.words == (
        "tie: +.0010 (95 % -.0019 to .0039, p = .39, 5 seeds); "
        f"a difference of this size would need about {found.pairs_needed} seeds"
    )


def test_a_tie_too_small_to_matter_says_what_would_find_one_that_does() -> None:
    differences = [0.003, -0.003, 0.001, -0.001, 0.0005]
    found = one(runs(*(0.98 + d for d in differences)), runs(*[0.98] * 5))
    assert found.pairs_needed == pairs_needed(0.0005, float(np.std(differences, ddof=1)))
    assert found.verdict == "tie"
    assert f"of .0005, the smallest that matters, would need about {found.pairs_needed} seeds" in found.words


def test_a_tie_that_enough_seeds_saw_needs_no_more() -> None:
    found = one(runs(*(0.98 + d for d in (0.0001, -0.0001, 0.00015, -0.0001, 0.0))), runs(*[0.98] * 5))
    assert (found.verdict, found.pairs_needed) == ("tie", None)
    assert found.words.endswith("5 seeds)")


def test_a_sure_difference_that_does_not_matter_is_a_tie() -> None:
    differences = (0.0003, 0.0003, 0.00031, 0.00029, 0.0003)
    found = one(plus(*differences), BASE)
    assert found.is_significant
    assert (found.verdict, found.pairs_needed) == ("tie", None)
    assert "sure, but below .0005 a difference is of no use" in found.words
    assert one(plus(*differences), BASE, smallest_difference=0.0002).verdict == "better"
    assert one(plus(*differences), BASE, smallest_difference=0.0).verdict == "better"


def test_pairs_that_look_steadier_than_the_runs_are_a_tie() -> None:
    """The differences of three pairs vary by .0001 and the runs by .003, which happens by chance."""
    new, reference = [0.9802, 0.9861, 0.9846], [0.9795, 0.9856, 0.9840]
    found = one(runs(*new), runs(*reference))
    assert found.p_corrected == pytest.approx(float(stats.ttest_rel(new, reference).pvalue), rel=1e-6)
    assert found.is_significant is False
    assert found.p_unpaired == pytest.approx(float(stats.ttest_ind(new, reference, equal_var=False).pvalue))
    assert found.verdict == "tie"
    sd = math.sqrt(float(np.var(new, ddof=1) + np.var(reference, ddof=1)))
    assert found.pairs_needed == pairs_needed(found.difference, sd)
    assert found.words == (
        "tie: +.0006 (95 % .0004 to .0008, p = .009, 3 seeds), but not beyond the spread of the runs; "
        f"that would need {found.pairs_needed} seeds at most"
    )


def test_enough_seeds_show_any_difference_that_matters() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.98, 0.002, (2, 400))
    found = one(runs(*(a + 0.001)), runs(*b))
    assert found.verdict == "better"


def test_designs_of_one_search_are_told_apart_by_their_pairs() -> None:
    """Seeds that differ much, but in both alike, do not hide a difference."""
    rng = np.random.default_rng(1)
    common = rng.normal(0.97, 0.005, 10)
    found = one(runs(*(common + 0.003 + rng.normal(0, 0.0005, 10))), runs(*(common + rng.normal(0, 0.0005, 10))))
    assert found.verdict == "better"


def test_corrected_by_holm_over_the_call() -> None:
    drawn = scores(np.random.default_rng(5), 5, 6, 0.001, {1: 0.003, 3: 0.0015})
    found = compare_with_reference(drawn, "s2")
    assert [c.name for c in found] == ["s0", "s1", "s3", "s4"]
    raw = [float(stats.ttest_rel(list(drawn[c.name].values()), list(drawn["s2"].values())).pvalue) for c in found]
    assert [c.p_value for c in found] == pytest.approx(raw)
    assert [c.p_corrected for c in found] == pytest.approx(holm(raw))
    tie = next(c for c in found if c.verdict == "tie" and abs(c.difference) > 0.0005)
    sd = np.std(np.subtract(list(drawn[tie.name].values()), list(drawn["s2"].values())), ddof=1)
    assert tie.pairs_needed == pairs_needed(tie.difference, float(sd), level=0.05 / 4)
    assert " corrected, " in tie.words


def test_a_reference_chosen_by_its_runs_is_corrected_over_all_pairs() -> None:
    drawn = scores(np.random.default_rng(5), 5, 6, 0.001, {1: 0.003, 3: 0.0015})
    found = compare_with_reference(drawn, "s1", chosen_from=set(drawn))
    pairs = list(combinations(drawn, 2))
    raw = [float(stats.ttest_rel(*(list(drawn[n].values()) for n in pair)).pvalue) for pair in pairs]
    expected = dict(zip(pairs, holm(raw), strict=True))
    for c in found:
        pair = (c.name, "s1") if (c.name, "s1") in expected else ("s1", c.name)
        assert c.p_corrected == pytest.approx(expected[pair])


def test_pairs_of_which_none_could_be_chosen_do_not_count() -> None:
    drawn = scores(np.random.default_rng(5), 5, 6, 0.001, {1: 0.003, 3: 0.0015})
    found = compare_with_reference(drawn, "s1", chosen_from=["s1", "s4"])
    pairs = [p for p in combinations(drawn, 2) if {"s1", "s4"} & set(p)]
    assert len(pairs) == 7
    raw = [float(stats.ttest_rel(*(list(drawn[n].values()) for n in pair)).pvalue) for pair in pairs]
    expected = dict(zip(pairs, holm(raw), strict=True))
    assert found[0].p_corrected == pytest.approx(expected["s0", "s1"])
    assert found[3].p_corrected == pytest.approx(expected["s1", "s4"])
    blind = compare_with_reference(drawn, "s1")
    assert compare_with_reference(drawn, "s1", chosen_from=["s1"]) == blind
    with pytest.raises(OptionError, match="chosen_from must be"):
        compare_with_reference(drawn, "s1", chosen_from=["s2"])


def test_flipped() -> None:
    found = one(plus(0.003, 0.0025, 0.0036, 0.0031, 0.0033), BASE)
    (expected,) = compare_with_reference({"ref": BASE, "new": plus(0.003, 0.0025, 0.0036, 0.0031, 0.0033)}, "new")
    assert found.flipped == expected
    assert found.flipped.flipped == found
    assert one(runs(0.9), BASE).flipped.verdict == "unknown"


def test_unknown_without_two_pairs() -> None:
    found = one(runs(0.99), BASE)
    assert (found.verdict, found.pairs, found.interval, found.p_value, found.p_corrected) == (
        "unknown",
        1,
        None,
        None,
        None,
    )
    assert found.difference == pytest.approx(0.009)
    assert found.words == "unknown: one seed"
    none = one({}, BASE)
    assert math.isnan(none.difference)
    assert none.words == "unknown: no seed"


def test_unknown_ones_do_not_count_in_the_correction() -> None:
    found = compare_with_reference(
        {"ref": BASE, "one": runs(0.9), "new": plus(0.003, 0.002, 0.004, 0.003, 0.003)}, "ref"
    )
    assert found[1].p_corrected == found[1].p_value


def test_pairs_are_the_seeds_that_both_have() -> None:
    new = {9: 0.5, 4: 0.9885, 0: 0.9842, 2: 0.9860}
    found = one(new, BASE)
    assert found.pairs == 3
    assert found.difference == pytest.approx((0.0035 + 0.0032 + 0.0030) / 3)


def test_values_that_are_not_numbers_are_left_out_and_said_so() -> None:
    new = {**plus(0.003, 0.0025, 0.0036, 0.0031, 0.0033), 1: math.nan}
    found = one(new, {**BASE, 3: math.inf})
    assert (found.pairs, found.left_out) == (3, 2)
    assert "3 seeds; 2 seeds left out, not a number)" in found.words
    assert one(runs(math.nan, 0.9), BASE).words == "unknown: one seed; one seed left out, not a number"


def test_blocks_may_be_data_sets_and_seeds() -> None:
    blocks = [(d, s) for d in ("frappe", "ml100k") for s in range(3)]
    found = compare_with_reference({"a": dict.fromkeys(blocks, 0.5), "b": dict.fromkeys(blocks, 0.6)}, "a")
    assert found[0].words == "better by .1000 (95 % .1000 to .1000, p < .001, 6 pairs)"


def test_equal_runs_are_a_tie() -> None:
    found = one(BASE, BASE)
    assert (found.p_value, found.verdict, found.pairs_needed) == (1, "tie", None)
    assert found.words == "tie: .0000 (95 % .0000 to .0000, p > .99, 5 seeds)"


def test_refused_arguments() -> None:
    with pytest.raises(UnknownNameError, match="unknown reference 'tpe'"):
        compare_with_reference({"a": BASE}, "tpe")
    for name, value in [("level", 0.0), ("smallest_difference", -1.0)]:
        with pytest.raises(OptionError, match=f"^{name} must be"):
            one(BASE, BASE, **{name: value})
    assert compare_with_reference({"a": BASE}, "a") == []


def test_large_differences_and_sure_p_values_in_words() -> None:
    found = one(runs(3.1, 3.0), runs(1.8, 1.9))
    assert found.words.startswith("tie: +1.2000 (95 % -.0706 to 2.4706, p = .053, 2 seeds)")
