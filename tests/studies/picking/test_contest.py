"""Which family is tuned next, which one is taken, and when the folds of a log are not trusted."""

from __future__ import annotations

import math

import pytest

from nas_fusion.studies.picking.contest import (
    MOST,
    MOST_FOLDS,
    PATIENCE,
    Contest,
    Family,
    Trial,
    bonus_of,
    folds_for,
    is_exchangeable,
)


def family(name: str, first: float, *trials: Trial, pace: float = 1.0, is_tunable: bool = True) -> Family:
    return Family(name, first, pace, trials, is_tunable)


def contest(*families: Family, error: float = 0.01, count: int = 1) -> Contest:
    return Contest({one.name: one for one in families}, error, count)


def trial(slot: int, *scores: float, ended: str = "complete", seconds: float = 1.0) -> Trial:
    return Trial(slot, {"depth": slot}, scores, ended, seconds)


def test_the_luckiest_of_many_trials_does_not_replace_the_defaults() -> None:
    lucky = [trial(slot, 0.70 + 0.0009 * slot) for slot in range(1, 11)]
    found = contest(family("trees", 0.70, trial(0, 0.70), *lucky)).standings()[0]
    assert found.trial is None
    assert found.worth == pytest.approx(0.70)


def test_what_is_better_by_more_than_the_noise_does_and_counts_for_less() -> None:
    found = contest(family("trees", 0.70, trial(0, 0.70), trial(1, 0.73))).standings()[0]
    assert found.trial is not None
    assert found.trial.slot == 1
    assert found.worth == pytest.approx(0.72)


def test_more_folds_make_smaller_gains_count() -> None:
    trials = [trial(0, *[0.70] * 4), trial(1, *[0.706] * 4)]
    found = contest(family("trees", 0.70, *trials), count=4).standings()[0]
    assert found.trial is not None  # .006 is more than .01 / √4
    assert found.worth == pytest.approx(0.701)


def test_the_folds_choose_and_not_the_first_of_them() -> None:
    lucky = family("lucky", 0.75, trial(0, 0.75, 0.69, 0.69, 0.69))
    solid = family("solid", 0.72, trial(0, 0.72, 0.72, 0.72, 0.72))
    assert [one.family.name for one in contest(lucky, solid, count=4).standings()] == ["solid", "lucky"]


def test_one_fold_alone_has_to_be_clearly_better() -> None:
    whole = family("whole", 0.72, trial(0, 0.72, 0.70))
    near, far = family("near", 0.725), family("far", 0.74)
    assert contest(whole, near).standings()[0].family.name == "whole"
    assert contest(whole, far).standings()[0].family.name == "far"


def test_those_in_reach_get_their_defaults_first_the_best_of_them_first() -> None:
    held = contest(family("a", 0.70), family("b", 0.71), family("far", 0.60), count=3)
    assert held.next(100.0) is held.families["b"]
    held.families["b"].trials = [trial(0, 0.71, 0.71, 0.71)]
    assert held.next(100.0) is held.families["a"]
    held.families["a"].trials = [trial(0, 0.70, 0.70, 0.70)]
    assert held.next(100.0) in (held.families["a"], held.families["b"])


def test_time_is_shared_by_promise() -> None:
    best = family("best", 0.71, trial(0, 0.71), trial(1, 0.71, seconds=9.0))
    near = family("near", 0.70, trial(0, 0.70), trial(1, 0.70, seconds=2.0))
    held = contest(best, near)  # a standard error behind: half the time
    assert held.next(100.0) is near
    near.trials = [*near.trials, trial(2, 0.70, seconds=4.0)]
    assert held.next(100.0) is best


def test_what_cannot_end_in_time_is_not_begun() -> None:
    slow, quick = family("slow", 0.71, trial(0, 0.71, 0.71), pace=30.0), family("quick", 0.71, trial(0, 0.71, 0.71))
    assert contest(slow, quick, count=2).next(59.0) is quick
    assert contest(slow, count=2).next(59.0) is None
    assert contest(slow, count=2).next(60.0) is slow
    untried = family("untried", 0.71, pace=30.0)  # its own fold is done, so its defaults take half as long
    assert contest(slow, untried, count=2).next(59.0) is None  # but no more than half of what is left
    assert contest(slow, untried, count=2).next(60.0) is untried


def test_a_family_ends() -> None:
    assert family("fixed", 0.7, trial(0, 0.7), is_tunable=False).is_exhausted
    assert not family("fixed", 0.7, is_tunable=False).is_exhausted
    worse = [trial(slot, 0.69) for slot in range(2, PATIENCE + 3)]
    assert family("trees", 0.7, trial(0, 0.7), trial(1, 0.71), *worse).is_exhausted
    assert not family("trees", 0.7, trial(0, 0.7), trial(1, 0.71), *worse[:9]).is_exhausted
    rising = [trial(slot, 0.7 + slot * 1e-4) for slot in range(MOST)]
    assert family("trees", 0.7, *rising).is_exhausted


def test_hope_for_a_gain_fades_with_trials() -> None:
    behind = family("behind", 0.697)
    held = contest(family("ahead", 0.7, trial(0, 0.7), is_tunable=False), behind, error=0.0001)
    assert held.next(100.0) is behind
    behind.trials = [trial(0, 0.697), *[trial(slot, 0.69) for slot in range(1, 9)]]
    assert held.next(100.0) is None


def test_a_trial_that_is_behind_by_more_than_the_noise_is_given_up() -> None:
    trees = family("trees", 0.7, trial(0, 0.7, 0.72))
    held = contest(trees, count=2)
    assert not held.is_behind(trees, (0.691,))
    assert held.is_behind(trees, (0.689,))
    assert held.is_behind(trees, (0.70, 0.70))  # .01 behind on the mean of two, whose noise is .0071
    assert held.missing(trees, (0.69, 0.69)) == pytest.approx(0.02)
    assert held.to_beat(trees, 1) == pytest.approx(0.71)
    assert held.to_beat(trees, 2) == -math.inf


def test_networks_that_will_be_several_count_for_more() -> None:
    assert bonus_of(1) == 0.0 < bonus_of(2) < bonus_of(4) == bonus_of(9)
    trees, network = family("trees", 0.702, trial(0, 0.702)), family("network", 0.70, trial(0, 0.70))
    assert contest(trees, network).standings()[0].family is trees
    network.bonus = 0.003
    held = contest(trees, network)
    assert held.standings()[0].family is network
    assert held.missing(trees, (0.702,)) == pytest.approx(0.001)
    assert held.to_beat(trees, 0) == pytest.approx(0.693)


def test_folds_are_as_many_as_the_noise_wants_and_the_time_allows() -> None:
    assert folds_for(0.0004, [1.0], 1000.0, 9) == 1
    assert folds_for(0.0009, [1.0], 1000.0, 9) == 4
    assert folds_for(0.01, [1.0], 1000.0, 9) == MOST_FOLDS
    assert folds_for(0.01, [10.0, 20.0], 65.0, 9) == 3
    assert folds_for(0.01, [1.0], 1000.0, 2) == 2
    assert folds_for(0.01, [1.0], math.inf, 9) == MOST_FOLDS


def test_folds_that_are_easier_than_the_logs_own_are_noticed() -> None:
    def error(score: float) -> float:
        return 0.01

    assert is_exchangeable((0.70, 0.71, 0.70, 0.72), error)
    assert not is_exchangeable((0.70, 0.76, 0.77, 0.75), error)
    assert is_exchangeable((0.70,), error)
