"""The numbers behind cost plots, ranks, agreement, the discretisation gap and importance, against cases by hand."""

from __future__ import annotations

import math

import pytest

from nas_fusion.architecture import Architecture
from nas_fusion.design import FusionDesign
from nas_fusion.records import CellRecord
from nas_fusion.report import summarise
from nas_fusion.report.numbers.agreement import (
    agreements,
    chance,
    equal_share,
    live_jaccard,
    open_shares,
    operation_shares,
)
from nas_fusion.report.numbers.costs.pareto import cost_points, front
from nas_fusion.report.numbers.found_designs import Bar, bars, importance, widths
from nas_fusion.report.numbers.rank_diagram import rank_diagram
from nas_fusion.report.numbers.search_gap import stages
from nas_fusion.report.numbers.suite_model import SuiteModel
from nas_fusion.report.numbers.summaries import by_strategy
from nas_fusion.report.numbers.table_columns import gap_table
from tests.report.report_fakes import cell, comparison_model

PLAIN = FusionDesign.build(1, [("embedding", "deep1"), ("deep1", "output")], "add")
OTHER = FusionDesign.build(1, [("embedding", "deep1"), ("deep1", "output"), ("embedding", "output")], "add")
DEAD = FusionDesign.build(1, [("embedding", "deep1"), ("deep1", "output"), ("embedding", "cross1")], "add")


def scored(strategy: str, tests: list[float], kind: str = "multi-trial", **changes: object) -> list[CellRecord]:
    return [cell(strategy, s, kind, test_auc=t, valid_auc=t, **changes) for s, t in enumerate(tests)]


def test_the_front_is_who_is_not_beaten() -> None:
    points = [(1.0, 0.5), (2.0, 0.7), (2.0, 0.6), (3.0, 0.7), (4.0, 0.9), (4.0, 0.9)]
    assert front(points) == [True, True, False, False, True, True]
    slow = [not any(c <= x and q >= y and (c, q) != (x, y) for c, q in points) for x, y in points]
    assert front(points) == slow
    assert front([]) == []


def test_cost_points_leave_out_what_is_not_known() -> None:
    records = [
        *scored("small", [0.70, 0.72], parameters=100, cost={"latency_ms_1": 0.5}),
        *scored("large", [0.74, 0.76], parameters=300, cost={}),
    ]
    summaries = summarise(records)
    by_size = {p.strategy: (p.cost, round(p.test_auc, 6), p.on_front) for p in cost_points(summaries, "parameters")}
    assert by_size == {"small": (100.0, 0.71, True), "large": (300.0, 0.75, True)}
    assert [p.strategy for p in cost_points(summaries, "latency_ms_1")] == ["small"]
    assert cost_points(summaries, "multiply_adds") == []


def test_equal_choices_and_shared_live_connections() -> None:
    # One level: 9 candidate connections, 3 operations. OTHER opens one more; DEAD one more that leads nowhere.
    assert equal_share(PLAIN, OTHER) == pytest.approx(11 / 12)
    assert equal_share(OTHER, DEAD) == pytest.approx(10 / 12)
    assert live_jaccard(PLAIN, OTHER) == pytest.approx(2 / 3)
    assert live_jaccard(PLAIN, DEAD) == 1.0
    assert chance(1) == pytest.approx((9 * 0.5 + 3 * 0.25) / 12)
    assert chance(1, has_variants=True) == pytest.approx((9 * 0.5 + 3 * 0.25 + 3 * 0.25) / 15)


def test_architectures_agree_by_their_settings() -> None:
    a = Architecture.build("x", {"width": 8, "inner": {"kind": "fm", "depth": 2}})
    b = Architecture.build("x", {"width": 8, "inner": {"kind": "mlp"}, "skip": True})
    # width, inner.kind, inner.depth, skip: only the width is equal
    assert equal_share(a, b) == pytest.approx(1 / 4)


def test_agreement_is_the_mean_over_pairs_of_seeds() -> None:
    records = [cell("tpe", s, design=d) for s, d in enumerate((PLAIN, OTHER, PLAIN))]
    (found,) = agreements(by_strategy([*records, cell("one-seed", 0), *scored("stacked", [0.5, 0.5], "reference")]))
    assert (found.strategy, found.seeds, found.distinct) == ("tpe", 3, 2)
    assert found.equal == pytest.approx((11 / 12 + 1 + 11 / 12) / 3)
    assert found.live == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    own = [cell("own", s, design=Architecture.build("own", {"width": 8 + s})) for s in range(2)]
    assert agreements(by_strategy(own))[0].live is None


def test_shares_count_the_seeds() -> None:
    records = [cell("tpe", s, design=d) for s, d in enumerate((PLAIN, OTHER))]
    found = open_shares(
        by_strategy([*records, cell("own", 0, design=Architecture.build("own", {})), cell("ref", 0, "reference")])
    )
    assert found is not None
    assert found.strategies == ("tpe",)
    by_label = dict(zip(found.labels, found.values, strict=True))
    assert len(by_label) == 9
    assert by_label["embedding → deep 1"] == (1.0,)
    assert by_label["embedding → output"] == (0.5,)
    assert by_label["cross 1 → output"] == (0.0,)
    operations = operation_shares(by_strategy(records))
    assert operations is not None
    assert dict(zip(operations.labels, operations.values, strict=True))["output: add"] == (1.0,)
    assert open_shares(by_strategy([cell("own", 0, design=Architecture.build("own", {}))])) is None


def test_shares_of_connections_are_means_over_the_seeds() -> None:
    shares = [{"closed": 0.2, "closed_rightly": 0.5, "kept_rightly": 1.0}, {"closed": 0.4, "closed_rightly": 0.7}]
    records = [cell("tpe", s, details={"connections": one}) for s, one in enumerate(shares)]
    (found,) = stages(by_strategy(records))
    assert found.closed == pytest.approx(0.3)
    assert found.closed_rightly == pytest.approx(0.6)
    assert found.kept_rightly is None, "one seed does not say"
    table = gap_table([found])
    assert table.heads[-2:] == ("connections closed", "rightly closed")
    assert table.rows[0][-2:] == ("30%", "60%")
    assert "connections closed" not in gap_table(stages(by_strategy([cell("tpe", 0)]))).heads


def test_stages_need_every_seed() -> None:
    records = [
        cell("darts", 0, "one-shot", search_valid_auc=0.70, valid_auc=0.75, details={"derived_valid_auc": 0.60}),
        cell("darts", 1, "one-shot", search_valid_auc=0.72, valid_auc=0.77, details={"derived_valid_auc": 0.64}),
        cell("tpe", 0, search_valid_auc=0.7, valid_auc=0.69),
        cell("stacked", 0, "reference"),
    ]
    darts, tpe = stages(by_strategy(records))
    assert (darts.search, darts.derived, darts.retrained) == pytest.approx((0.71, 0.62, 0.76))
    assert darts.gap == pytest.approx(0.05)
    assert tpe.derived is None
    assert tpe.gap == pytest.approx(-0.01)
    assert stages(by_strategy([*records[:1], cell("darts", 1, "one-shot")]))[0].derived is None


def test_a_design_far_below_its_supernet_is_named() -> None:
    details = {"supernet_valid_auc": 0.7272, "derived_valid_auc": 0.6151, "far_below_supernet": 0.0123}
    sound = {"supernet_valid_auc": 0.72, "derived_valid_auc": 0.719}
    records = [
        cell("optfusion-hard", 0, "one-shot", details=sound),
        cell("optfusion-hard", 1, "one-shot", details=details),
        cell("optfusion-soft", 1, "one-shot", mode="soft", details=details),
    ]
    words = "optfusion-hard seed 1 (supernet 0.727, derived with its own weights 0.615)"
    assert f"Derived designs far below their supernets on validation rows: {words}." in comparison_model(records).notes


def test_importance_of_the_open_connections() -> None:
    details = {"importance": {"embedding -> deep1": 0.02, "deep1 -> output": -0.01, "cross0 -> output": 0.5}}
    found = importance(details, OTHER)
    assert found == {("embedding", "deep1"): 0.02, ("deep1", "output"): -0.01}
    assert bars(found) == [Bar("embedding → deep 1", 0.02), Bar("deep 1 → output", -0.01)]
    assert widths(found, 1.0, 5.0, max(found.values())) == {("embedding", "deep1"): 5.0, ("deep1", "output"): 1.0}
    assert widths({("embedding", "deep1"): 0.0}, 1.0, 5.0, 0.0) == {("embedding", "deep1"): 1.0}
    assert importance({}, OTHER) == {}


def test_the_table_has_the_verdicts_and_every_cost() -> None:
    tuned = {"tuning": {"seconds": 12.5, "samples": 3_000}}
    records = [
        *scored("tpe", [0.800, 0.801, 0.802, 0.803], details=tuned, cost={"multiply_adds": 2e6, "latency_ms_1": 0.25}),
        *scored("random", [0.70, 0.701, 0.702, 0.7031]),
        *scored("stacked", [0.75] * 4, "reference"),
    ]
    found = comparison_model(records, seeds=(0, 1, 2, 3))
    rows = {r.summary.strategy: r for r in found.rows}
    columns = [column for group in found.columns for column in group]
    cells = {name: {c.title: c.cells[place] for c in columns} for place, name in enumerate(rows)}
    assert cells["tpe"]["against tpe"] == "reference"
    assert cells["random"]["against tpe"] == "worse -0.1000"
    # the middle half of 4: mean of .801 and .802
    assert cells["tpe"]["interquartile mean"] == ".8015"
    assert cells["tpe"]["tuning, s"] == "12.5"
    assert cells["tpe"]["samples, tuning"] == "3.00 k"
    assert cells["random"]["tuning, s"] == "–"
    assert cells["tpe"]["multiply-adds per row"] == "2.00 M"
    assert cells["tpe"]["ms per batch of 1"] == "0.250"
    assert cells["random"]["ms per batch of 1"] == "–"
    assert cells["stacked"]["search and derive, s"] == "–"
    assert all(found.columns)
    assert [n for n, r in rows.items() if r.is_best] == [n for n, r in rows.items() if r.is_best_found] == ["tpe"]


def test_ranks_over_seeds() -> None:
    records = [*scored("a", [0.9, 0.9, 0.7]), *scored("b", [0.8, 0.8, 0.8]), *scored("c", [0.1, 0.2, 0.3])]
    found = rank_diagram(by_strategy(records))
    assert found is not None
    assert found.strategies == ("a", "b", "c")
    assert found.ranks == pytest.approx((4 / 3, 5 / 3, 3.0))
    assert (found.blocks, found.unit) == (3, "seeds")
    # q(.05, 3) = 2.343; 2.343 · √(3 · 4 / (6 · 3)) = 1.913
    assert found.cd == pytest.approx(1.913, abs=0.002)
    assert found.groups == ((0, 2),)
    # ranks 1 2 3, 1 2 3, 2 1 3: χ² = 12/(3·3·4) · (4² + 5² + 9²) - 3·3·4 = 4.667, p = exp(-4.667 / 2)
    assert found.p_value == pytest.approx(math.exp(-14 / 6))
    assert rank_diagram(by_strategy(scored("a", [0.9, 0.8]))) is None
    assert rank_diagram(by_strategy([*scored("a", [0.9]), *scored("b", [0.8])])) is None
    assert rank_diagram(by_strategy([*scored("a", [0.9, math.nan]), *scored("b", [0.8, 0.7])])) is None


def test_several_data_sets() -> None:
    first = [*scored("a", [0.9, 0.92]), *scored("b", [0.8, 0.81]), *scored("only-here", [0.99, 0.99])]
    second = [*scored("a", [0.7, 0.71]), *scored("b", [0.6, 0.62])]
    models = [comparison_model(records, data="x", seeds=(0, 1)) for records in (first, second)]
    found = SuiteModel(tuple(models))
    assert found.data == ["x (1)", "x (2)"]
    assert [row.strategy for row in found.rows] == ["a", "b"]
    assert [row.rank for row in found.rows] == [1.0, 2.0]
    assert [s.mean for s in found.rows[1].test_auc] == pytest.approx([0.805, 0.61])
    assert found.standings is not None
    assert found.standings.reference == "a"
    assert found.rows[0].call == "reference"
    assert "against a (the best search by its ranks on validation data)" in found.sentence
    assert found.left_out == ("only-here",)
    diagram = found.diagram
    assert diagram is not None
    assert (diagram.blocks, diagram.unit, diagram.p_value) == (2, "data sets", None)
    assert SuiteModel((comparison_model(scored("a", [0.5])),)).standings is None
