"""The numbers behind the figures."""

from __future__ import annotations

import math

import pytest

from nas_fusion.records import TracePoint
from nas_fusion.report import summarise
from nas_fusion.report.figures.axes import (
    NEAREST_TO_ONE,
    auc_ticks,
    cost_ticks,
    losses,
    new_figure,
    set_auc_axis,
    set_cost_axis,
)
from nas_fusion.report.figures.series_styles import REFERENCE, styles
from nas_fusion.report.numbers.curves import (
    Steps,
    best_on_test,
    best_so_far,
    close_range,
    curves_range,
    mean_steps,
    search_curves,
    seed_dots,
    upper_part,
)
from nas_fusion.report.numbers.found_designs import gate_history, operation_history
from nas_fusion.report.numbers.summaries import Family, by_strategy
from tests.report.report_fakes import cell, comparison_model, comparison_records


def test_best_so_far_never_falls_and_reaches_the_end() -> None:
    trace = [TracePoint(3.0, 30, 0.6), TracePoint(1.0, 10, 0.5), TracePoint(2.0, 20, 0.7), TracePoint(4.0, 40, 0.65)]
    assert best_so_far(trace, "seconds") == Steps((1.0, 2.0, 4.0), (0.5, 0.7, 0.7))
    assert best_so_far(trace, "samples") == Steps((10.0, 20.0, 40.0), (0.5, 0.7, 0.7))
    assert best_so_far([], "seconds") == Steps((), ())
    assert best_so_far([TracePoint(1.0, 1, math.nan), TracePoint(2.0, 2, 0.6)], "samples") == Steps((2.0,), (0.6,))


def test_mean_starts_where_all_have_a_value_and_keeps_the_last() -> None:
    a, b = Steps((1.0, 3.0), (0.4, 0.6)), Steps((2.0, 5.0), (0.2, 0.8))
    found = mean_steps([a, b, Steps((), ())])
    assert found.x == (2.0, 3.0, 5.0)
    assert found.y == pytest.approx((0.3, 0.4, 0.7))
    assert mean_steps([]) == Steps((), ())


def test_a_shared_search_is_drawn_once_with_two_ends() -> None:
    curves = {c.strategies: c for c in search_curves(by_strategy(comparison_records()), "seconds")}
    assert ("optfusion-hard", "optfusion-soft") in curves
    assert len(curves) == 9
    assert set(curves["optfusion-hard", "optfusion-soft"].ends) == {"optfusion-hard", "optfusion-soft"}
    assert curves[("stacked",)].mean.x == ()


def test_a_shared_search_whose_owner_is_missing_stands_alone() -> None:
    (curve,) = search_curves(by_strategy([cell("soft", 0, shares_search_with="hard")]), "samples")
    assert curve.strategies == ("soft",)
    assert curve.mean.y[-1] == 0.7


def test_the_end_counts_search_and_retraining() -> None:
    records = [
        cell("tpe", s, search_seconds=30.0 + s, retrain_seconds=10.0, valid_auc=0.7 + 0.1 * s, test_auc=0.6 + 0.2 * s)
        for s in range(2)
    ]
    (curve,) = search_curves(by_strategy(records), "seconds")
    assert curve.ends["tpe"] == pytest.approx((40.5, 0.75, 0.7))


def test_the_test_curve_is_of_the_model_that_validation_prefers() -> None:
    trace = [
        TracePoint(1.0, 10, 0.5, 0.61),
        TracePoint(2.0, 20, 0.7, 0.58),  # better on validation, worse on test: that is what the search has
        TracePoint(3.0, 30, 0.6, 0.99),
    ]
    assert best_on_test(trace, "samples") == Steps((10.0, 20.0, 30.0), (0.61, 0.58, 0.58))
    unmeasured = [*trace[:1], TracePoint(2.0, 20, 0.7)]
    assert best_on_test(unmeasured, "samples") == Steps((), ())


def test_a_mean_test_curve_needs_every_seed() -> None:
    measured = (TracePoint(1.0, 10, 0.5, 0.6), TracePoint(2.0, 20, 0.6, 0.7))
    both = [cell("tpe", s, trace=measured) for s in range(2)]
    (curve,) = search_curves(by_strategy(both), "samples")
    assert curve.test == Steps((10.0, 20.0), (0.6, 0.7))
    (half,) = search_curves(by_strategy([both[0], cell("tpe", 1)]), "samples")
    assert half.test == Steps((), ())
    assert half.mean.x != ()


def test_dots_follow_the_table() -> None:
    records = comparison_records()
    summaries = summarise(records)
    dots = seed_dots(comparison_model(records).rows)
    assert [d.strategy for d in dots] == [s.strategy for s in summaries]
    assert dots[0].values == tuple(r.test_auc for r in records if r.strategy == dots[0].strategy)


def test_zoom_is_offered_only_where_one_strategy_lies_far_below() -> None:
    level = [cell(n, 0, test_auc=a) for n, a in (("a", 0.80), ("b", 0.79), ("c", 0.78), ("d", 0.77))]
    far = [*level[:3], cell("d", 0, test_auc=0.5)]
    assert close_range(seed_dots(comparison_model(level).rows)) is None
    found = close_range(seed_dots(comparison_model(far).rows))
    assert found is not None
    assert 0.78 < found[0] < 0.79
    assert found[1] > 0.80
    assert close_range(seed_dots(comparison_model(far[2:]).rows)) is None


def test_the_view_of_the_curves_leaves_out_what_lies_far_below() -> None:
    ends = {"a": 0.80, "b": 0.79, "c": 0.78, "d": 0.5}
    records = [cell(n, 0, "reference", valid_auc=v) for n, v in ends.items()]
    found = curves_range(search_curves(by_strategy(records), "samples"), "valid")
    assert found is not None
    assert 0.7 < found[0] < 0.785
    assert found[1] == 0.80
    assert curves_range([], "valid") is None


def test_the_view_of_the_curves_shows_where_most_searches_begin() -> None:
    starts = {"a": 0.70, "b": 0.69, "c": 0.51}

    def two(start: float) -> tuple[TracePoint, ...]:
        return TracePoint(1.0, 100, start), TracePoint(2.0, 200, 0.79)

    records = [cell(n, 0, valid_auc=0.80, trace=two(v)) for n, v in starts.items()]
    assert curves_range(search_curves(by_strategy(records), "samples"), "valid") == (0.69, 0.80)


def test_an_auc_axis_tells_good_models_apart_and_labels_round_aucs() -> None:
    ticks = auc_ticks(0.5, 0.986)
    assert {0.5, 0.7, 0.8, 0.9, 0.95} <= set(ticks)
    assert ticks == sorted(ticks)
    assert auc_ticks(0.9801, 0.9844) == [0.981, 0.982, 0.983, 0.984]
    figure = new_figure(300)
    set_auc_axis(figure, "AUC", (0.9, 0.99))
    bottom, top = figure.layout.yaxis.range
    assert bottom == pytest.approx(-1)  # 1 - AUC = 0.1
    assert -2.1 < top < -2  # a little above 1 - AUC = 0.01
    assert list(figure.layout.yaxis.tickvals) == pytest.approx([1 - float(t) for t in figure.layout.yaxis.ticktext])
    assert losses([0.75, 1.0]) == [0.25, NEAREST_TO_ONE]


def test_no_two_strategies_look_the_same() -> None:
    families: dict[str, Family] = {f"s{i}": "searched" for i in range(32)}
    families |= {f"m{i}": "hand-made model" for i in range(32)}
    families |= {"stacked": "hand-made design", "parallel": "hand-made design"}
    found = styles(families)
    assert len({(s.colour, s.symbol) for s in found.values()}) == 66
    assert {name for name, s in found.items() if s.is_open} == {f"m{i}" for i in range(32)}
    assert {found["stacked"].colour, found["parallel"].colour} == {REFERENCE}


def test_gates_and_operations_by_row() -> None:
    details = {
        "gates": [{"cross1/embedding": 0.5, "output/deep1": 0.5}, {"cross1/embedding": -0.25}],
        "operations": [{"deep1": {"add": 0.75, "product": 0.25}}],
    }
    gates = gate_history(details)
    assert gates is not None
    assert gates.labels == ("embedding → cross 1", "deep 1 → output")
    assert gates.values[0] == (0.5, -0.25)
    assert math.isnan(gates.values[1][1])
    operations = operation_history(details)
    assert operations is not None
    assert operations.labels == ("deep 1: add", "deep 1: product")
    assert operations.values == ((0.75,), (0.25,))
    assert gate_history({}) is None
    assert operation_history({"operations": []}) is None


def test_a_cost_axis_is_logarithmic_where_costs_lie_far_apart() -> None:
    assert cost_ticks(0.08, 1.9) == [0.1, 0.2, 0.5, 1.0]
    assert cost_ticks(2.5e4, 5e6) == [3e4, 1e5, 3e5, 1e6, 3e6]
    assert cost_ticks(1, 1e7) == [10.0**k for k in range(8)]
    far, near = new_figure(300), new_figure(300)
    set_cost_axis(far, "parameters", [2e4, 1e6])
    set_cost_axis(near, "parameters", [2e4, 1e5])
    assert (far.layout.xaxis.type, near.layout.xaxis.type) == ("log", None)
    assert far.layout.xaxis.range[0] < math.log10(2e4)
    assert far.layout.xaxis.ticktext == ("20k", "50k", "100k", "200k", "500k", "1M")
    assert near.layout.xaxis.rangemode == "tozero"


def test_the_upper_part_leaves_out_what_lies_far_below() -> None:
    assert upper_part([0.80, 0.79, 0.78, 0.5]) == pytest.approx((0.785, 0.80))
    assert upper_part([0.80, 0.79, 0.78]) == (0.78, 0.80)


def test_validations_at_the_same_cost_count_in_their_order() -> None:
    trace = (TracePoint(1.0, 10, 0.7, 0.65), TracePoint(1.0, 20, 0.6))
    assert best_on_test(trace, "seconds") == Steps((1.0,), (0.65,)), (
        "the second was never the best, so it has no figure"
    )
