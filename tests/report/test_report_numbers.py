"""Summaries, verdicts and number formats, against cases worked out by hand."""

from __future__ import annotations

import math

import pytest

from nas_fusion.errors import OptionError
from nas_fusion.records import CellRecord
from nas_fusion.report import Spread, best_cell, summarise, verdict
from nas_fusion.report._format import auc, count, seconds, share_of_attainable, signed
from nas_fusion.statistics import compare_with_reference
from tests.report.report_fakes import cell


def cells(strategy: str, valid: list[float], test: list[float], kind: str = "multi-trial") -> list[CellRecord]:
    return [
        cell(strategy, seed, kind, valid_auc=v, test_auc=t) for seed, (v, t) in enumerate(zip(valid, test, strict=True))
    ]


def test_mean_and_sample_deviation() -> None:
    (summary,) = summarise(cells("random", [0.70, 0.72, 0.74], [0.68, 0.70, 0.75]))
    assert summary.valid_auc == pytest.approx((0.72, 0.02, 3))
    assert summary.test_auc.mean == pytest.approx(0.71)
    # deviations -.03, -.01, .04: squares sum to .0026, over n - 1 = 2
    assert summary.test_auc.sd == pytest.approx(math.sqrt(0.0013))
    assert summary.seeds == (0, 1, 2)


def test_one_seed_has_no_deviation() -> None:
    (summary,) = summarise(cells("random", [0.7], [0.6]))
    assert summary.test_auc == Spread(0.6, None, 1)


def test_a_value_that_is_not_a_number_shows() -> None:
    summaries = summarise([*cells("bad", [math.nan, 0.9], [0.5, 0.5]), *cells("good", [0.6], [0.6])])
    assert [s.strategy for s in summaries] == ["good", "bad"]
    assert math.isnan(summaries[1].valid_auc.mean)


def test_validation_orders_and_test_does_not() -> None:
    records = [*cells("low", [0.70], [0.90]), *cells("high", [0.80], [0.60]), *cells("same", [0.80], [0.65])]
    assert [s.strategy for s in summarise(records)] == ["high", "same", "low"]


def test_best_record_is_chosen_by_validation() -> None:
    (summary,) = summarise(cells("random", [0.70, 0.75, 0.72], [0.9, 0.5, 0.6]))
    assert summary.best.seed == 1


def test_best_cell_prefers_a_search_over_a_better_reference() -> None:
    references = cells("stacked", [0.9], [0.9], "reference")
    found = best_cell([*references, *cells("tpe", [0.7, 0.8], [0.7, 0.7])])
    assert found is not None
    assert (found.strategy, found.seed) == ("tpe", 1)
    assert best_cell(references) == references[0]
    assert best_cell([]) is None


def test_two_records_of_one_seed_are_refused() -> None:
    with pytest.raises(OptionError, match="random with seeds"):
        summarise([cell("random", 1), cell("random", 1)])


def test_verdict_compares_on_test_what_validation_chose() -> None:
    records = [
        *cells("tpe", [0.79, 0.80, 0.81], [0.740, 0.750, 0.760]),
        *cells("random", [0.78, 0.79, 0.80], [0.746, 0.752, 0.767]),
        *cells("stacked", [0.60, 0.60, 0.60], [0.590, 0.601, 0.609], "reference"),
    ]
    found = verdict(summarise(records))
    assert found.best is not None
    assert found.best.strategy == "tpe"
    assert found.runner_up is not None
    # differences -.006, -.002, -.007: mean -.005, sd √(.000014/2), t = -3.2733 with 2 degrees of freedom
    assert found.runner_up.value == pytest.approx(-0.005)
    assert found.runner_up.comparison.p_value == pytest.approx(1 - 1 / math.sqrt(1 + 2 / 3.2732684**2), rel=1e-6)
    assert found.runner_up.is_real is False
    assert found.reference is not None
    assert found.reference.is_real is True
    assert "Against the runner-up random: tie: -.0050 (95 % -.0116 to .0016, p = .08, 3 seeds);" in found.text
    assert "Against the best hand-made reference stacked: better by .1500 (95 % .1475 to .1525, p < .001" in found.text
    assert [(c.name, c.reference, c.verdict) for c in found.comparisons] == [
        ("random", "tpe", "tie"),
        ("stacked", "tpe", "worse"),
    ]


def test_verdict_says_when_searching_lost() -> None:
    records = [
        *cells("tpe", [0.7, 0.7, 0.7], [0.600, 0.601, 0.602]),
        *cells("stacked", [0.9, 0.9, 0.9], [0.700, 0.702, 0.702], "reference"),
    ]
    found = verdict(summarise(records))
    assert found.best is not None
    assert found.best.strategy == "tpe"
    assert found.runner_up is None
    assert "Against the best hand-made reference stacked: worse by .1003 (" in found.text


def test_verdict_says_how_many_seeds_it_lacks() -> None:
    records = [*cells("tpe", [0.8] * 3, [0.75, 0.76, 0.75]), *cells("random", [0.7] * 3, [0.74, 0.75, 0.76])]
    found = verdict(summarise(records))
    assert found.runner_up is not None
    assert found.runner_up.comparison.pairs_needed is not None
    assert f"would need about {found.runner_up.comparison.pairs_needed} seeds." in found.text


def test_verdict_corrects_for_the_choice_among_the_searches() -> None:
    values = {"tpe": 0.755, "random": 0.750, "darts": 0.752, "stacked": 0.748, "parallel": 0.749}
    tests = {n: [v, v + 0.001 * len(n), v - 0.0005 * i] for i, (n, v) in enumerate(values.items())}
    records = [
        r
        for n, v in values.items()
        for r in cells(n, [v] * 3, tests[n], "reference" if n in ("stacked", "parallel") else "multi-trial")
    ]
    found = verdict(summarise(records))
    runs = {n: dict(enumerate(v)) for n, v in tests.items()}
    by_hand = {c.name: c for c in compare_with_reference(runs, "tpe", chosen_from=["tpe", "random", "darts"])}
    assert len(found.comparisons) == 4
    assert all(c == by_hand[c.name] for c in found.comparisons)
    assert "Of all 4 others it is " in found.text
    assert "tpe has the best validation AUC" in found.text


def test_verdict_does_not_correct_for_a_choice_where_the_best_was_named_before() -> None:
    values = {"tpe": 0.755, "random": 0.750, "darts": 0.752, "gumbel-darts": 0.751}
    tests = {n: [v, v + 0.001 * len(n), v - 0.0005 * i] for i, (n, v) in enumerate(values.items())}
    records = [r for n, v in values.items() for r in cells(n, [v] * 3, tests[n])]
    runs = {n: dict(enumerate(v)) for n, v in tests.items()}
    found = verdict(summarise(records), "tpe")
    by_hand = {c.name: c for c in compare_with_reference(runs, "tpe")}
    assert {c.name: c for c in found.comparisons} == by_hand
    assert "tpe, the named reference, has the best validation AUC" in found.text
    stricter = verdict(summarise(records), "random")
    assert stricter.comparisons == verdict(summarise(records)).comparisons != found.comparisons


def test_verdict_counts_wins_and_ties() -> None:
    lead = [0.75, 0.7512, 0.7491, 0.7506]
    records = [
        *cells("tpe", [0.8] * 4, lead),
        *cells("random", [0.7] * 4, [0.65, 0.6508, 0.6495, 0.6501]),
        *cells("darts", [0.6] * 4, [0.7505, 0.7501, 0.7497, 0.7502]),
        *cells("stacked", [0.7], [0.7], "reference"),
    ]
    found = verdict(summarise(records))
    assert found.text.endswith("Of all 3 others it is better than 1, tied with 1, not comparable with 1.")


def test_verdict_needs_two_seeds() -> None:
    found = verdict(summarise([*cells("tpe", [0.8], [0.7]), *cells("random", [0.7, 0.7], [0.5, 0.6])]))
    assert found.runner_up is not None
    assert found.runner_up.is_real is None
    assert "Against the runner-up random: unknown: one seed." in found.text
    assert "(one seed)" in found.text


def test_verdict_without_a_search() -> None:
    assert verdict([]).best is None
    assert "no verdict" in verdict(summarise(cells("stacked", [0.7], [0.7], "reference"))).text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (950, "950"),
        (999.6, "1.00 k"),
        (1234, "1.23 k"),
        (12_345, "12.3 k"),
        (123_456, "123 k"),
        (999_600, "1.00 M"),
        (1_010_135, "1.01 M"),
        (4.5e9, "4.50 G"),
    ],
)
def test_count(value: float, text: str) -> None:
    assert count(value) == text


def test_other_formats() -> None:
    assert auc(Spread(0.98321, 0.00044, 3)) == "0.9832 ±.0004"
    assert auc(Spread(0.98321, None, 1)) == "0.9832"
    assert auc(Spread(3.2, 1.25, 3)) == "3.2000 ±1.2500"
    assert [seconds(v) for v in (0.04, 12.34, 99.97, 1234.4)] == ["0.0", "12.3", "100", "1,234"]
    assert [signed(v) for v in (0.00123, -0.00001, -0.5)] == ["+0.0012", "+0.0000", "-0.5000"]
    assert share_of_attainable(0.7, 0.9) == pytest.approx(50)
