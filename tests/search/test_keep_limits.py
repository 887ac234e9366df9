"""Searches under limits: what is trained, what is found, what the clock says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign, candidate_connections
from nas_fusion.errors import OptionError
from nas_fusion.measures import CostTable, Limit, Limits
from nas_fusion.nni_bridge import model_context
from nas_fusion.optfusion import OptFusion
from nas_fusion.optfusion.cost_penalty import CostPenalty
from nas_fusion.search import LATENCY, SearchOutcome, SearchTask, TrainingService, keep_limits, run_search
from nas_fusion.search.saved_search import load_search, save_search
from nas_fusion.search.service.orders import make_space, read_task, task_order
from nas_fusion.search_spaces import FusionSpace, Scores, multiply_add_table, parameter_table
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_space, tiny_task

pytestmark = pytest.mark.slow

ALL_OPEN = FusionDesign.build(2, candidate_connections(2), "attention")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def limits(data: SearchData) -> Limits:
    """A twentieth of the way from the cheapest to the dearest design: nearly every random design is above it."""
    found = []
    for option, make in (("max-parameters", parameter_table), ("max-multiply-adds", multiply_add_table)):
        table = make(tiny_space(data))
        least = table.of(table.cheapest(2))
        found.append(Limit(option, least + 0.05 * (table.of(ALL_OPEN) - least), table))
    return Limits(tuple(found))


def limited_space(data: SearchData, limits: Limits) -> FusionSpace:
    space = tiny_space(data)
    space.limit(limits)
    return space


def limited_task(data: SearchData, limits: Limits, **options: Any) -> SearchTask:
    return replace(tiny_task(data, **options), make_space=partial(limited_space, data, limits))


SEARCHES = ["random", "evolution", "tpe", "darts", "gumbel-darts", "random-oneshot", "optfusion-hard"]


@pytest.mark.parametrize("name", SEARCHES)
def test_every_strategy_finds_an_affordable_design(
    name: str, data: SearchData, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[FusionDesign] = []

    def watched(self: Any) -> Any:
        trained.append(FusionDesign.from_sample(self.sample))
        with model_context(self.sample):
            return self.model.trace_copy().get(traceable=False)

    monkeypatch.setattr(
        "nas_fusion.nni_bridge.sequential_engine.CandidateSpace.executable_model", watched, raising=False
    )
    outcome = run_search(STRATEGIES.get(name), limited_task(data, limits))
    assert isinstance(outcome.design, FusionDesign)
    assert limits.problem(outcome.design) is None
    if STRATEGIES.get(name).kind == "multi-trial":
        assert len(trained) == outcome.candidates == 4
    assert all(limits.problem(design) is None for design in (*trained, *outcome.alternatives))


def test_a_reference_is_there_whatever_it_costs(data: SearchData, limits: Limits) -> None:
    outcome = run_search(STRATEGIES.get("parallel"), limited_task(data, limits))
    assert isinstance(outcome.design, FusionDesign)
    assert limits.problem(outcome.design) is not None


def test_limits_travel_to_the_trials_of_a_service(data: SearchData, limits: Limits, tmp_path: Path) -> None:
    task = limited_task(data, limits)
    order = task_order(task, task.config, task.make_space(), TrainingService(tmp_path))
    assert make_space(order).designs == read_task(order).make_space().designs == task.make_space().designs


def test_a_saved_search_can_be_derived_again(data: SearchData, limits: Limits, tmp_path: Path) -> None:
    outcome = run_search(STRATEGIES.get("optfusion-hard"), limited_task(data, limits))
    assert outcome.scores is not None
    save_search(tmp_path / "search", outcome)
    loaded = load_search(tmp_path / "search")
    assert loaded is not None
    assert (loaded.scores, loaded.alternatives) == (outcome.scores, ())


# Latency: the clock has the last word ---------------------------------------------------------------------------------

TABLE = CostTable(
    "milliseconds per batch", 1.0, 1.0, 1.0,
    {name: tuple(float(k) for k in range(7)) for name in ("add", "product", "concat", "attention")},
    tuple(float(4 * k) for k in range(7)), tuple(float(4 * k) for k in range(7)),
)  # fmt: skip


def wrong_by(factor: float, asked: list[FusionDesign] | None = None) -> Callable[[FusionDesign], float]:
    """A clock on which every design takes longer than the table says."""

    def clock(design: FusionDesign) -> float:
        if asked is not None:
            asked.append(design)
        return TABLE.of(design) * factor

    return clock


def found(design: FusionDesign, *alternatives: FusionDesign, scores: Scores | None = None) -> SearchOutcome:
    return SearchOutcome(design, 0.7, (), 0, 0.0, 0, alternatives=alternatives, scores=scores)


def at_most(ms: float) -> Limits:
    return Limits((Limit(LATENCY, ms, TABLE, 1.1),))


def test_a_design_that_keeps_the_limit_stays() -> None:
    kept = keep_limits(found(ALL_OPEN), at_most(100.0), wrong_by(1.0))
    assert (kept.outcome.design, kept.measured_ms, kept.derivations) == (ALL_OPEN, TABLE.of(ALL_OPEN), 0)


@pytest.mark.parametrize("factor", [1.0, 1.2, 1.5, 2.0, 5.0])
def test_the_design_found_under_a_latency_limit_keeps_it(factor: float, caplog: pytest.LogCaptureFixture) -> None:
    most = 12.0
    kept = keep_limits(found(ALL_OPEN), at_most(most), wrong_by(factor), label="optfusion-hard")
    design = kept.outcome.design
    assert isinstance(design, FusionDesign)
    assert kept.measured_ms == TABLE.of(design) * factor
    assert kept.measured_ms <= 0.95 * most
    assert kept.limits == at_most(most)
    assert ("deriving again" in caplog.text) == (kept.derivations > 0) == (factor > 1.1)
    assert kept.details({LATENCY: 99.0})[LATENCY] == {"limit": most, "cost": kept.measured_ms, "kept": True}


def test_a_design_just_below_a_latency_limit_is_derived_again_for_it_will_be_measured_again() -> None:
    most = TABLE.of(ALL_OPEN) * 1.12
    kept = keep_limits(found(ALL_OPEN), at_most(most), wrong_by(1.1))
    assert kept.derivations == 1
    assert kept.measured_ms is not None
    assert 0.7 * most < kept.measured_ms <= 0.95 * most


def test_the_cheapest_design_may_be_just_below() -> None:
    cheapest = TABLE.cheapest(2)
    kept = keep_limits(found(cheapest), at_most(TABLE.of(cheapest) * 1.3), wrong_by(1.28))
    assert kept.outcome.design == cheapest


def test_the_next_best_candidate_is_taken_before_one_that_nobody_trained() -> None:
    small = FusionDesign.build(2, [("embedding", "deep1"), ("deep1", "output")], "add")
    middle = FusionDesign.build(2, [("embedding", "deep1"), ("deep1", "output"), ("embedding", "output")], "add")
    asked: list[FusionDesign] = []
    kept = keep_limits(found(middle, small), at_most(6.0), wrong_by(1.3, asked))
    assert asked == [middle, small]
    assert (kept.outcome.design, kept.derivations) == (small, 1)


def test_scores_say_what_is_given_up() -> None:
    unwanted = [c for c in ALL_OPEN.connections if c[1] == "output" and c[0].startswith("cross")]
    scores = Scores({c: -9.0 if c in unwanted else 9.0 for c in ALL_OPEN.connections}, {})
    kept = keep_limits(found(ALL_OPEN, scores=scores), at_most(TABLE.of(ALL_OPEN) * 1.1 - 1), wrong_by(1.0))
    assert isinstance(kept.outcome.design, FusionDesign)
    (closed,) = set(ALL_OPEN.connections) - set(kept.outcome.design.connections)
    assert closed in unwanted


def test_what_cannot_be_kept_is_an_error_with_the_cheapest_designs_latency() -> None:
    cheapest = TABLE.of(TABLE.cheapest(2))
    with pytest.raises(OptionError, match=rf"max-latency must be at least {20 * cheapest:.4g} ms.*got 12"):
        keep_limits(found(ALL_OPEN), at_most(12.0), wrong_by(20.0))


def test_a_soft_re_training_is_held_to_what_it_costs_itself() -> None:
    hard = keep_limits(found(ALL_OPEN), at_most(30.0), wrong_by(1.0))
    limits = at_most(30.0)
    soft = keep_limits(hard.outcome, limits, lambda d: TABLE.of(d, "soft"), mode="soft")
    assert isinstance(soft.outcome.design, FusionDesign)
    assert limits.problem(soft.outcome.design, "soft") is None
    assert len(soft.outcome.design.connections) < len(ALL_OPEN.connections)


# OptFusion's penalty --------------------------------------------------------------------------------------------------


def supernet(data: SearchData, limits: Limits) -> FusionSpace:
    torch.manual_seed(0)
    space = limited_space(data, limits)
    OptFusion().mutate_model(space)
    return space


def penalty_of(space: FusionSpace, weight: float = 1.0) -> CostPenalty:
    penalty = CostPenalty.of(space, weight)
    assert penalty is not None
    return penalty


def set_choices(penalty: CostPenalty, design: FusionDesign) -> None:
    """Gates and (nearly) one-hot mixtures of a design."""
    for block, node in penalty.nodes.items():
        node.alpha.data = torch.tensor([1.0 if s in design.sources(block) else -1.0 for s in node.sources])
        if node.beta is not None:
            chosen = list(node.operations).index(design.operation(block))
            node.beta.data = torch.tensor([200.0 if o == chosen else 0.0 for o in range(len(node.beta))])


def test_the_expected_cost_of_a_decided_supernet_is_the_designs_cost(data: SearchData, limits: Limits) -> None:
    penalty = penalty_of(supernet(data, limits))
    for seed in range(20):
        design = tiny_space(data).designs.sample(seed)
        set_choices(penalty, design)
        for limit in limits.limits:
            assert penalty.expected_costs()[limit.option] == pytest.approx(limit.table.of(design), rel=1e-5)


def test_the_penalty_is_a_hinge_and_pushes_gates_and_operations(data: SearchData, limits: Limits) -> None:
    penalty = penalty_of(supernet(data, limits), weight=2.0)
    set_choices(penalty, ALL_OPEN)
    expected = 2.0 * sum(li.table.of(ALL_OPEN) / li.most - 1 for li in limits.limits)
    value = penalty()
    assert value.item() == pytest.approx(expected, rel=1e-4)
    value.backward()
    node = penalty.nodes["output"]
    assert node.alpha.grad is not None
    assert (node.alpha.grad > 0).all(), "every gate costs something"
    for block in penalty.nodes.values():
        block.alpha.grad = None
    set_choices(penalty, FusionDesign.build(2, [("embedding", "output")], "add"))
    below = penalty()
    below.backward()
    assert below.item() == 0
    assert node.alpha.grad is None or not node.alpha.grad.any()


def test_without_limits_there_is_no_penalty(data: SearchData, limits: Limits) -> None:
    space = tiny_space(data)
    OptFusion().mutate_model(space)
    assert CostPenalty.of(space, 1.0) is None
    assert CostPenalty.of(supernet(data, limits), 0.0) is None


def test_the_penalty_leaves_deriving_less_to_do(data: SearchData, limits: Limits) -> None:
    """The supernet that was pushed has a cheaper design of its own, before it is made affordable."""
    costs = []
    for weight in (0.0, 3.0):
        task = limited_task(data, replace(limits, cost_penalty=weight), budget="5x")
        outcome = run_search(STRATEGIES.get("optfusion-hard"), task, {"arch_learning_rate": 0.1})
        assert outcome.scores is not None
        is_open = [c for c, score in outcome.scores.connections.items() if score > 0]
        best = {block: max(s, key=lambda name: s[name]) for block, s in outcome.scores.operations.items()}
        own = FusionDesign.build(2, is_open, best)
        costs.append(limits.limits[1].table.of(own))
    assert costs[1] < costs[0]


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(OptionError, match="cost_penalty must be zero or a positive number"):
        OptFusion(cost_penalty=-1.0)
