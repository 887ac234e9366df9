"""The front of a search, and what is handed on: hand-made cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas_fusion.architecture import Architecture, Found
from nas_fusion.data import EncodedSplit, SearchData
from nas_fusion.errors import OptionError
from nas_fusion.search import run_search
from nas_fusion.search.front.candidate_front import FRONT, PREFER, CandidateFront, is_tied, marked
from nas_fusion.search.front.design_costs import Costs, costs_of_designs
from nas_fusion.search_spaces import multiply_add_table, parameter_table
from nas_fusion.statistics import auc_samples, rows_error
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import Rank
from nas_fusion.training.quality import FloatArray

COSTS = {
    "dear": Costs(900, 90), "middle": Costs(600, 80), "cheap": Costs(300, 70), "light": Costs(600, 60),
    "same": Costs(300, 70),
}  # fmt: skip
LABELS = np.tile(np.array([1, 0], np.float32), 50)


def named(name: str) -> Architecture:
    return Architecture.build(name, {})


def costs_of(design: Found) -> Costs:
    assert isinstance(design, Architecture)
    return COSTS[design.model]


def rows(labels: FloatArray = LABELS) -> EncodedSplit:
    ids = np.zeros((len(labels), 1), np.int32)
    return EncodedSplit(ids, None, np.asarray(labels, np.float32), int(labels.sum()))


def front_of(*found: tuple[str, float], select: str = "auc", tie: float = 0.0) -> CandidateFront:
    front = CandidateFront(costs_of, select, rows())
    for name, score in found:
        front.add(named(name), score, Rank(score, tie))
    return front


def names(front: CandidateFront) -> list[str]:
    return [one.design.model for one in front.candidates if isinstance(one.design, Architecture)]


def test_what_another_one_is_at_least_as_good_and_as_cheap_as_is_not_on_the_front() -> None:
    assert names(front_of(("dear", 0.8), ("middle", 0.7), ("cheap", 0.75))) == ["dear", "cheap"]
    # In whatever order they come.
    assert names(front_of(("cheap", 0.75), ("middle", 0.7), ("dear", 0.8))) == ["cheap", "dear"]
    assert names(front_of(("dear", 0.8), ("cheap", 0.8))) == ["cheap"]
    assert names(front_of(("dear", 0.7), ("middle", 0.8), ("cheap", 0.9))) == ["cheap"]


def test_fewer_weights_at_equal_multiply_adds_are_cheaper_and_weights_alone_keep_one() -> None:
    assert names(front_of(("middle", 0.8), ("light", 0.8))) == ["light"]
    # More multiply-adds, fewer weights: neither is as cheap as the other.
    assert names(front_of(("cheap", 0.8), ("light", 0.8))) == ["cheap", "light"]


def test_of_equals_in_everything_the_first_stays() -> None:
    assert names(front_of(("cheap", 0.8), ("same", 0.8))) == ["cheap"]
    assert names(front_of(("same", 0.8), ("cheap", 0.8))) == ["same"]


def test_what_is_not_finite_is_not_looked_at() -> None:
    assert names(front_of(("cheap", float("nan")), ("dear", float("-inf")), ("middle", 0.6))) == ["middle"]


def test_a_single_design_is_a_front_of_one() -> None:
    design, points = front_of(("middle", 0.6)).choose("cheap")
    assert design == named("middle")
    (point,) = points
    assert (point.behind, point.error, point.chosen, point.valid_auc) == (0.0, None, True, 0.6)
    assert (point.multiply_adds, point.parameters) == COSTS["middle"]


def test_of_equally_good_ones_the_first_is_the_best_and_the_cheaper_one_is_handed_on() -> None:
    front = front_of(("dear", 0.8), ("cheap", 0.8))
    assert front.choose("best")[0] == front.handed_on("best").design == named("dear")
    assert front.choose("cheap")[0] == named("cheap")


@pytest.mark.parametrize(
    ("cheap", "handed_on"),
    [(0.8, "cheap"), (0.79951, "cheap"), (0.79949, "dear")],
)
def test_without_predictions_what_no_verdict_would_call_a_difference_is_none(cheap: float, handed_on: str) -> None:
    front = front_of(("dear", 0.8), ("cheap", cheap))
    assert front.choose("cheap")[0] == named(handed_on)


def test_the_best_is_handed_on_where_it_is_preferred() -> None:
    front = front_of(("dear", 0.8), ("cheap", 0.79999))
    design, points = front.choose("best")
    assert design == named("dear")
    assert [(point.design, point.chosen) for point in points] == [("cheap", False), ("dear", True)]
    assert [(point.design, point.chosen) for point in front.choose("cheap")[1]] == [("cheap", True), ("dear", False)]


def test_by_logloss_every_difference_counts_that_is_not_noise() -> None:
    assert front_of(("dear", -0.5), ("cheap", -0.5001), select="logloss").choose("cheap")[0] == named("dear")


def predictions(signal: float, own: int, rows: int = 100) -> FloatArray:
    shared, noise = np.random.default_rng(0).normal(size=rows), np.random.default_rng(own).normal(size=rows)
    return np.asarray(signal * LABELS + shared + 0.5 * noise, np.float32)


@pytest.mark.parametrize(("signal", "handed_on"), [(0.9, "cheap"), (0.7, "dear")])
def test_within_one_standard_error_by_pairs_of_rows_is_a_tie(signal: float, handed_on: str) -> None:
    front = CandidateFront(costs_of, "auc", rows())
    dear, cheap = (auc_samples(LABELS, logits) for logits in (predictions(1.0, 1), predictions(signal, 2)))
    front.add(named("dear"), dear[0].mean, Rank(dear[0].mean, 0.0), predictions(1.0, 1))
    front.add(named("cheap"), cheap[0].mean, Rank(cheap[0].mean, 0.0), predictions(signal, 2))
    behind, error = dear[0].mean - cheap[0].mean, rows_error(dear, cheap)
    assert (behind <= error) == (handed_on == "cheap")
    assert behind > 0.0005, "which would be a tie without predictions, too"
    design, points = front.choose("cheap")
    assert design == front.handed_on("cheap").design == named(handed_on)
    assert points[0].behind == pytest.approx(behind)
    assert points[0].error == pytest.approx(error)
    assert points[1].error is None, "the best is compared with nothing"


def test_the_rule_itself() -> None:
    assert is_tied(0.003, 0.003, "auc")
    assert not is_tied(0.0031, 0.003, "auc")
    assert is_tied(0.0004, 0.0001, "auc")
    assert not is_tied(0.0004, 0.0001, "logloss")
    assert is_tied(0.0, None, "logloss")


def test_a_candidate_that_leaves_the_front_is_forgotten() -> None:
    front = CandidateFront(costs_of, "auc", rows())
    front.add(named("dear"), 0.7, Rank(0.7, 0.0), predictions(1.0, 1))
    front.add(named("cheap"), 0.8, Rank(0.8, 0.0), predictions(1.0, 2))
    assert [one.valid_logits is not None for one in front.candidates] == [True]


def test_one_that_is_not_on_the_front_is_not_marked() -> None:
    _, points = front_of(("dear", 0.8), ("cheap", 0.7)).choose("best")
    assert not any(point.chosen for point in marked(points, named("middle")))
    assert [point.chosen for point in marked(points, named("cheap"))] == [True, False]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("data"))


def test_costs_are_those_of_the_tables_and_nothing_random_is_used_up(data: SearchData) -> None:
    task = tiny_task(data)
    space, rng = task.make_space(), np.random.default_rng(0)
    adds, weights, costs = multiply_add_table(space), parameter_table(space), costs_of_designs(task)
    for design in (space.designs.sample(rng) for _ in range(4)):
        assert costs(design) == (adds.of(design), weights.of(design))


def test_an_unknown_preference_is_refused(data: SearchData) -> None:
    with pytest.raises(OptionError, match="prefer must be one of cheap, best, got 'dear'"):
        replace(tiny_task(data), prefer="dear")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "autoctr"])
def test_a_search_hands_on_what_the_rule_says(name: str, data: SearchData, tmp_path: Path) -> None:
    task = tiny_task(data, candidates=6, budget="6x")
    cheap, best = (run_search(STRATEGIES.get(name), replace(task, prefer=prefer)) for prefer in ("cheap", "best"))
    # The search is the same; only what it hands on is not.
    assert [point.valid_auc for point in cheap.trace] == [point.valid_auc for point in best.trace]
    assert cheap.details["candidates"] == best.details["candidates"]
    assert cheap.valid_auc == best.valid_auc == max(one["valid_auc"] for one in best.details["candidates"])
    for outcome, prefer in ((cheap, "cheap"), (best, "best")):
        points = outcome.details[FRONT]
        assert outcome.details[PREFER] == prefer
        assert [point["multiply_adds"] for point in points] == sorted(point["multiply_adds"] for point in points)
        (chosen,) = (point for point in points if point["chosen"])
        assert chosen["design"] == str(outcome.design)
        assert outcome.design not in outcome.alternatives
    tied = [p for p in cheap.details[FRONT] if is_tied(p["behind"], p["error"], "auc")]
    assert next(p for p in cheap.details[FRONT] if p["chosen"]) == tied[0]
    again = run_search(STRATEGIES.get(name), task)
    assert (again.design, again.details[FRONT]) == (cheap.design, cheap.details[FRONT])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["optfusion-hard", "optfusion-soft", "darts", "random-oneshot"])
def test_published_searches_hand_on_what_they_derive(name: str, data: SearchData) -> None:
    task = tiny_task(data, budget="1x")
    cheap, best = (run_search(STRATEGIES.get(name), replace(task, prefer=prefer)) for prefer in ("cheap", "best"))
    assert cheap.design == best.design
    assert [point.valid_auc for point in cheap.trace] == [point.valid_auc for point in best.trace]
    assert PREFER not in cheap.details
    points = cheap.details[FRONT]
    (chosen,) = (point for point in points if point["chosen"])
    assert chosen["design"] == str(cheap.design)
    if name == "random-oneshot":  # the best of those that it ranked itself, whatever it costs
        assert chosen["valid_auc"] == max(point["valid_auc"] for point in points)
    else:
        assert [point["valid_auc"] for point in points] == [cheap.details["derived_valid_auc"]]
