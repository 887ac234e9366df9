"""The paired t-test, Holm and power, against scipy, textbooks and cases worked out by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from nas_fusion.errors import OptionError
from nas_fusion.statistics import holm, pairs_needed
from nas_fusion.statistics.paired_tests import paired_t, spread_of_runs, unpaired_p


@pytest.mark.parametrize("n", [2, 3, 8, 30])
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_paired_t_is_scipys(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.98, 0.001, (2, n))
    expected = stats.ttest_rel(a, b)
    interval = expected.confidence_interval(1 - level)
    found = paired_t(a - b, level)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_paired_t_by_hand() -> None:
    # mean 2, sd 1, error 1/√3, t = 3.4641 with 2 degrees of freedom: p = 1 - t/√(2 + t²) = 1 - √(12/14)
    found = paired_t(np.array([1.0, 2.0, 3.0]), 0.05)
    assert found.p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert found.interval == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), rel=1e-6)


def test_paired_t_without_noise() -> None:
    assert paired_t(np.zeros(3), 0.05).p_value == 1
    assert paired_t(np.full(3, 0.25), 0.05) == (0.25, 0, 0, (0.25, 0.25))


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and never falling: .02 .03 .06 .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_holm_is_the_closed_test_of_bonferroni() -> None:
    """Slow and obvious: a hypothesis is rejected if every set that holds it is rejected by Bonferroni."""
    p = np.random.default_rng(4).uniform(0, 0.2, 6).tolist()
    sets = [[i for i in range(6) if s >> i & 1] for s in range(1, 64)]
    slow = [max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(6)]
    assert holm(p) == pytest.approx(slow)


@pytest.mark.parametrize(
    ("effect", "power", "expected"),
    # Cohen, Statistical Power Analysis (1988), and G*Power 3.1 for matched pairs, two-sided .05
    [(0.2, 0.8, 199), (0.5, 0.8, 34), (0.8, 0.8, 15), (0.5, 0.95, 54)],
)
def test_pairs_needed_as_published(effect: float, power: float, expected: int) -> None:
    assert pairs_needed(effect, 1, level=0.05, power=power) == expected
    assert pairs_needed(-0.001 * effect, 0.001, power=power) == expected


@pytest.mark.parametrize("effect", [0.03, 0.4, 1.3, 6.0])
@pytest.mark.parametrize("level", [0.05, 0.05 / 66])
def test_pairs_needed_is_the_first_with_enough_power(effect: float, level: float) -> None:
    def power(n: int) -> float:
        return float(stats.nct.sf(stats.t.isf(level / 2, n - 1), n - 1, effect * math.sqrt(n)))

    found = pairs_needed(effect, 1, level=level)
    assert power(found) >= 0.8
    assert found == 2 or power(found - 1) < 0.8


def test_pairs_needed_for_tiny_effects_joins_the_exact_numbers() -> None:
    # (1.959964 + .841621)² = 7.84888
    assert pairs_needed(1e-4, 1) == pytest.approx(7.84888e8, rel=1e-6)
    just_exact, just_normal = pairs_needed(0.00886, 1), pairs_needed(0.00885, 1)
    assert just_exact < 100_000 < just_normal < just_exact * 1.005


def test_pairs_needed_refuses_what_has_no_answer() -> None:
    assert pairs_needed(1, 0) == 2
    for arguments, name in [((0, 1), "difference"), ((math.nan, 1), "difference"), ((1, -1), "sd_of_differences")]:
        with pytest.raises(OptionError, match=f"^{name} must be"):
            pairs_needed(*arguments)
    with pytest.raises(OptionError, match="level must be"):
        pairs_needed(1, 1, level=0)
    with pytest.raises(OptionError, match="power must be"):
        pairs_needed(1, 1, level=0.05, power=0.05)


@pytest.mark.parametrize("n", [2, 3, 8])
def test_unpaired_p_of_independent_runs_is_welchs(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.98, 0.001, n), rng.normal(0.981, 0.004, n)
    assert np.corrcoef(a, b)[0, 1] < 0.7 or n < 4  # not provable
    assert unpaired_p(a, b) == pytest.approx(float(stats.ttest_ind(a, b, equal_var=False).pvalue))
    assert unpaired_p(b, a) == unpaired_p(a, b)


def test_runs_that_rise_and_fall_together_are_credited_as_far_as_that_is_sure() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(0, 1, 20)
    a, b = common + rng.normal(0.3, 0.1, 20), common + rng.normal(0, 0.1, 20)
    r = float(np.corrcoef(a, b)[0, 1])
    sure = math.tanh(math.atanh(r) - 2.3263479 / math.sqrt(17))
    sd = math.sqrt(a.var(ddof=1) + b.var(ddof=1) - 2 * sure * a.std(ddof=1) * b.std(ddof=1))
    assert 0.8 < sure < r
    assert spread_of_runs(a, b).sd == pytest.approx(sd)
    assert unpaired_p(a, b) < 0.001
    assert float(stats.ttest_ind(a, b, equal_var=False).pvalue) > 0.2


def test_unpaired_p_without_noise() -> None:
    same = np.full(3, 0.5)
    assert unpaired_p(same, same) == 1
    assert unpaired_p(same + 0.25, same) == 0
    rising = np.arange(4.0)
    assert unpaired_p(rising + 2, rising) == pytest.approx(0, abs=1e-9)


def test_the_command_line_does_not_wait_for_scipy_stats() -> None:
    code = (
        "import sys, nas_fusion.statistics; print([m for m in ('torch', 'pandas', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
