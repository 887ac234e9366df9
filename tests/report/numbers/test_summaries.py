"""Summaries, verdicts and number formats, against cases worked out by hand."""

from __future__ import annotations

import math

import pytest

from nas_fusion.errors import OptionError
from nas_fusion.report import Spread, summarise
from nas_fusion.report.number_words import count, seconds, share_of_attainable, signed
from tests.report.report_fakes import cell, cells


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


def test_two_records_of_one_seed_are_refused() -> None:
    with pytest.raises(OptionError, match="random with seeds"):
        summarise([cell("random", 1), cell("random", 1)])


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
    assert Spread(0.98321, 0.00044, 3).words == "0.9832 ±.0004"
    assert Spread(0.98321, None, 1).words == "0.9832"
    assert Spread(3.2, 1.25, 3).words == "3.2000 ±1.2500"
    assert [seconds(v) for v in (0.04, 12.34, 99.97, 1234.4)] == ["0.0", "12.3", "100", "1,234"]
    assert [signed(v) for v in (0.00123, -0.00001, -0.5)] == ["+0.0012", "+0.0000", "-0.5000"]
    assert share_of_attainable(0.7, 0.9) == pytest.approx(50)
