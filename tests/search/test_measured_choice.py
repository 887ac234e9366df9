"""Deriving by measurement: a design that is worth little alone is not taken, and never in silence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from nas_fusion.data import SearchData, prepare
from nas_fusion.design import OUTPUT, FusionDesign, candidate_connections, fused_blocks
from nas_fusion.nni_bridge import nni
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search import Budget, SearchOutcome, SearchTask, run_search
from nas_fusion.search.oneshot import measured_choice
from nas_fusion.search.oneshot.discretisation_gap import DerivedFigures, is_far_below
from nas_fusion.search.oneshot.measured_choice import MeasuredChoice
from nas_fusion.search_spaces import FusionSpace, Scores
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.training import TrainConfig

LEVELS = 2
PUBLISHED = ("add", "product", "concat", "attention")
START = {"product": 1.0, "concat": 0.8, "add": 0.6, "attention": 0.0}
"""β of every block: the product is the best in every mixture, and alone it is next to nothing."""


@nni.trace
class DeadProducts(OptFusion):
    """A search whose mixtures stay where they are: each design that it derives is made of products."""

    def _replace_node(
        self, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]
    ) -> OptFusionNode | None:
        node = super()._replace_node(module, name, memo, mutate_kwargs)
        if node is not None and node.beta is not None:
            node.beta.data = torch.tensor([START[name] for name in node.operations])
        return node


def dead_products(**options: Any) -> StrategyEntry:
    entry = STRATEGIES.get("optfusion-hard")
    return replace(entry, build=lambda context, **given: DeadProducts(**{**given, **options}))


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SearchTask:
    dataset = prepare("synthetic:8000", cache=tmp_path_factory.mktemp("cache"))
    for file in dataset.path.glob("test_*"):
        file.unlink()
    data: SearchData = dataset.search_view()
    return SearchTask(
        data=data,
        make_space=partial(FusionSpace.for_schema, data.schema, levels=LEVELS, emb_dim=4),
        config=TrainConfig(batch_size=256, learning_rate=0.01, device="cpu", seed=0),
        budget=Budget.parse("3x", len(data.train)),
        label="dead products",
    )


class Warnings(logging.Handler):
    """What was warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture(scope="module")
def warned() -> Iterator[list[str]]:
    handler = Warnings()
    logging.getLogger("nas_fusion").addHandler(handler)
    yield handler.texts
    logging.getLogger("nas_fusion").removeHandler(handler)


@pytest.fixture(scope="module")
def published(task: SearchTask, warned: list[str]) -> SearchOutcome:
    return run_search(dead_products(), task, {"arch_learning_rate": 1e-6})


def test_a_dead_product_is_handed_on_with_a_word(published: SearchOutcome, warned: list[str]) -> None:
    outcome = published
    assert isinstance(outcome.design, FusionDesign)
    assert {operation for _, operation in outcome.design.operations} == {"product"}
    supernet, derived = outcome.details["supernet_valid_auc"], outcome.details["derived_valid_auc"]
    assert supernet > 0.6
    assert supernet - derived > outcome.details["far_below_supernet"] >= 0.005
    word = f"the supernet has a validation AUC of {supernet:.4f}, the design derived from it {derived:.4f}"
    assert any(text.startswith(f"dead products: {word}") for text in warned)


def test_the_next_best_operation_is_chosen_by_measurement(task: SearchTask, published: SearchOutcome) -> None:
    outcome = run_search(dead_products(), task, {"arch_learning_rate": 1e-6, "measured_designs": 24})
    assert isinstance(outcome.design, FusionDesign)
    assert outcome.design.operation(OUTPUT) == "concat", "the next best one, which mends it"
    assert "far_below_supernet" not in outcome.details
    assert outcome.details["derived_valid_auc"] > published.details["derived_valid_auc"] + 0.05
    assert outcome.details["derived"] == str(published.design)
    told = outcome.details["measured"]
    assert 1 < len(told) <= 24
    assert told[0] == {"design": str(published.design), "valid_auc": published.details["derived_valid_auc"]}
    assert max(one["valid_auc"] for one in told) >= outcome.details["derived_valid_auc"]
    assert outcome.design not in outcome.alternatives
    # No account in samples changes; seconds count.
    assert (outcome.samples, outcome.derive_samples, outcome.trace[-1].samples) == (
        published.samples, 0, published.trace[-1].samples,
    )  # fmt: skip
    assert outcome.measure_samples == len(told) * len(task.data.valid)
    assert outcome.measure_seconds == 0.0
    assert 0 < outcome.derive_seconds < outcome.seconds


def test_one_design_has_no_neighbours(task: SearchTask, published: SearchOutcome) -> None:
    outcome = run_search(dead_products(), task, {"arch_learning_rate": 1e-6, "measured_designs": 1})
    assert outcome.design == published.design
    assert [p.valid_auc for p in outcome.trace] == [p.valid_auc for p in published.trace]
    assert outcome.measure_samples == len(task.data.valid)
    assert "measured" not in outcome.details


EVERYTHING = FusionDesign.build(LEVELS, candidate_connections(LEVELS), "product")
SCORES = Scores(
    {c: 0.1 * place for place, c in enumerate(candidate_connections(LEVELS), start=1)},
    {b: {"add": 0.1, "product": 0.5, "concat": 0.3, "attention": 0.1} for b in fused_blocks(LEVELS)},
)


def chosen(
    task: SearchTask,
    auc_of: Callable[[FusionDesign], float | None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    most: int = 100,
    supernet: float = 0.8,
    start: FusionDesign = EVERYTHING,
) -> tuple[FusionDesign, MeasuredChoice]:
    """What is chosen where designs have made-up AUCs."""

    def figures(supernet: nn.Module, design: FusionDesign, task: SearchTask) -> DerivedFigures | None:
        auc = auc_of(design)
        return None if auc is None else DerivedFigures(auc)

    monkeypatch.setattr(measured_choice, "derived_figures", figures)
    choice = MeasuredChoice(task.make_space(), SCORES, supernet, task, most)
    return choice.choose(start), choice


def test_noise_changes_nothing(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    design, choice = chosen(task, lambda design: 0.8 if design == EVERYTHING else 0.8005, monkeypatch)
    assert design == EVERYTHING
    # Derived, the next best operation of each block, and the least sure connections; nothing is wrong, so no more.
    assert len(choice.measured) == 1 + len(fused_blocks(LEVELS)) + measured_choice.UNSURE_CONNECTIONS
    tried = list(choice.measured)
    assert all("concat" in dict(d.operations).values() for d in tried[1:6])
    assert [set(EVERYTHING.connections) ^ set(d.connections) for d in tried[6:]] == [
        {c} for c in candidate_connections(LEVELS)[: measured_choice.UNSURE_CONNECTIONS]
    ]


def test_an_unsure_connection_is_closed_where_that_is_better(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = candidate_connections(LEVELS)[2]
    design, _ = chosen(task, lambda design: 0.7 if bad in design.connections else 0.8, monkeypatch)
    assert design == FusionDesign.build(LEVELS, set(EVERYTHING.connections) - {bad}, "product")


def test_far_below_every_other_operation_is_tried(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only attention helps, which is nobody's next best; and then a second block is mended."""

    def auc_of(design: FusionDesign) -> float | None:
        if design == EVERYTHING:
            return None  # not finite
        return 0.5 + 0.1 * sum(design.operation(b) == "attention" for b in (OUTPUT, "deep2"))

    design, choice = chosen(task, auc_of, monkeypatch)
    assert [b for b, operation in design.operations if operation == "attention"] == ["deep2", OUTPUT]
    assert choice.by_auc[0] == design
    few, fewer = chosen(task, auc_of, monkeypatch, most=7)
    assert len(fewer.measured) == 7
    assert few != EVERYTHING


def test_a_dead_block_is_not_measured_and_nothing_twice(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    start = FusionDesign.build(LEVELS, [("embedding", OUTPUT), ("embedding", "deep1")], "add")
    _, choice = chosen(task, lambda design: 0.8, monkeypatch, start=start)
    assert len({d.pruned() for d in choice.measured}) == len(choice.measured)
    assert not any(d.operation("deep1") != "add" for d in choice.measured)


def test_designs_above_the_limits_are_not_measured(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = FusionDesign.build(LEVELS, EVERYTHING.connections, {**dict(EVERYTHING.operations), OUTPUT: "concat"})
    space = task.make_space()
    monkeypatch.setattr(type(space.designs), "problem", lambda self, design: "dear" if design == refused else None)
    _, choice = chosen(task, lambda design: 0.9 if design == refused else 0.8, monkeypatch)
    assert refused not in choice.measured


def test_seconds_end_it(task: SearchTask, monkeypatch: pytest.MonkeyPatch) -> None:
    over = replace(task, watch=Stopwatch().restarted(1e-9))
    design, choice = chosen(over, lambda design: 0.8, monkeypatch)
    assert (design, choice.measured) == (EVERYTHING, {})


def test_far_below_is_beyond_the_noise_of_these_rows(task: SearchTask) -> None:
    assert is_far_below(0.727, 0.615, task)
    assert not is_far_below(0.727, 0.725, task)
    assert not is_far_below(None, 0.5, task)


def test_the_recommended_one_measures_and_the_published_ones_do_not() -> None:
    assert STRATEGIES.get("optfusion").parameters["measured_designs"] > 1
    for name in ("optfusion-hard", "optfusion-soft", "darts", "gumbel-darts"):
        assert STRATEGIES.get(name).parameters["measured_designs"] == 0


@pytest.mark.parametrize("name", ["darts", "gumbel-darts"])
def test_darts_may_measure_too(name: str, task: SearchTask) -> None:
    small = replace(task, budget=Budget.parse("0.5x", len(task.data.train)))
    outcome = run_search(STRATEGIES.get(name), small, {"measured_designs": 3})
    assert len(outcome.details["measured"]) == 3
    assert outcome.measure_samples == 3 * len(task.data.valid)
