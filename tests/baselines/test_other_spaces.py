"""The searches over spaces of their own: who survives, who breeds, what is told and spent, what failures cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from nas_fusion.architecture import Architecture, Found
from nas_fusion.baselines.strategies import nasrec_search as _nasrec
from nas_fusion.baselines.strategies.autoctr import (
    AutoCTRSearch,
    Importance,
    Member,
    parent_probabilities,
    survivors,
)
from nas_fusion.baselines.strategies.nasrec_search import NasRecSearch, PathEvolution
from nas_fusion.data import SearchData
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.nn import Fields
from nas_fusion.search import Budget, SearchTask, build_context, new_model, retrain, run_search
from nas_fusion.search.multitrial.candidates import train_candidate
from nas_fusion.search_spaces.interaction import Block, InteractionDesign, InteractionSpace
from nas_fusion.search_spaces.nasrec import NasRecSpace
from nas_fusion.strategy import STRATEGIES, select_strategies
from nas_fusion.testing.small_task import BATCH_SIZE, tiny_data, tiny_task
from nas_fusion.training import TrainConfig, auc_and_logloss, predict_logits, seeded
from nas_fusion.training_log import SilentTraining

pytestmark = pytest.mark.slow

NAMES = ("autoctr", "nasrec")
FIELDS = Fields.of((5, 3, 4), emb_dim=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


class Recorded(SilentTraining):
    """What one training was told."""

    def __init__(self, phase: str, design: Found | None) -> None:
        self.phase, self.design = phase, design
        self.aucs: list[float] = []
        self.final: float | None = None
        self.error = ""

    def validated(self, valid_auc: float, **more: float) -> None:
        self.aucs.append(valid_auc)

    def derived(self, design: Found) -> None:
        self.design = design

    def result(self, valid_auc: float | None, **more: float) -> None:
        self.final = valid_auc


class Log:
    """Remembers every training."""

    def __init__(self) -> None:
        self.trainings: list[Recorded] = []

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: Any) -> Iterator[Recorded]:
        training = Recorded(phase, design)
        self.trainings.append(training)
        try:
            yield training
        except TrainingError as error:
            training.error = str(error)
            raise


# Evolution by age, quality and complexity --------------------------------------------------------------------------


def member(name: int, valid_auc: float = 0.5, weights: int = 1) -> Member:
    return Member(InteractionDesign((Block("mlp", (0,), name),)), valid_auc, weights)


def names(members: list[Member]) -> list[int]:
    return [m.design.blocks[0].width for m in members]


def test_everybody_survives_while_there_is_room() -> None:
    history = [member(i) for i in range(1, 4)]
    assert survivors(history, 3, Importance()) == history


def test_by_age_alone_the_youngest_survive_and_the_first_population_is_of_one_age() -> None:
    age = Importance(quality=0, age=1, complexity=0)
    assert sorted(names(survivors([member(i) for i in range(1, 9)], 3, age))) == [6, 7, 8]
    # 1, 2 and 3 are as old as each other: with one newcomer the order of birth decides, not the age.
    assert names(survivors([member(i) for i in range(1, 5)], 3, age)) == [4, 1, 2]


def test_by_quality_alone_the_best_of_the_youngest_survive() -> None:
    aucs = [0.99, 0.98, 0.6, 0.9, 0.7, 0.8]
    history = [member(i, auc) for i, auc in enumerate(aucs, 1)]
    # The two best are older than the 2 · 2 youngest.
    assert names(survivors(history, 2, Importance(quality=1, age=0, complexity=0))) == [4, 6]


def test_by_complexity_alone_the_smallest_survive() -> None:
    history = [member(i, weights=w) for i, w in enumerate([50, 10, 40, 20], 1)]
    assert names(survivors(history, 2, Importance(quality=0, age=0, complexity=1))) == [2, 4]


def test_the_three_goals_are_weighed_by_their_ranks() -> None:
    """By hand, population 2, all four among the youngest.

    Births 1 2 3 4: ages 3 3 2 1 of 4. AUCs .9 .6 .8 .7: ranks 1 4 2 3. Weights 3 3 1 2: ranks 3.5 3.5 1 2.
    Cost (quality 1, age 1, complexity 1), times 4: 7.5, 10.5, 5, 6.
    """
    history = [member(1, 0.9, 3), member(2, 0.6, 3), member(3, 0.8, 1), member(4, 0.7, 2)]
    assert names(survivors(history, 2, Importance(1, 1, 1))) == [3, 4]
    # With quality five times as heavy: 11.5, 26.5, 13, 18.
    assert names(survivors(history, 2, Importance(5, 1, 1))) == [1, 3]


def test_parents_are_winners_of_tournaments_by_rank() -> None:
    """The closed form against its own counting: the r-th best of 4 wins C(4 - r + 2, 2) of C(6, 3) times."""
    assert parent_probabilities(4, 2) == pytest.approx(np.array([10, 6, 3, 1]) / 20)
    for size, tournament in ((1, 1), (5, 1), (20, 10)):
        found = parent_probabilities(size, tournament)
        assert found.sum() == pytest.approx(1)
        assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("bad", [{"quality": -0.1}, {"age": math.nan}, {"quality": 0, "age": 0, "complexity": 0}])
def test_importance_out_of_range_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        Importance(**bad)


def test_offspring_are_mutations_of_survivors_and_new(data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get("autoctr"), tiny_task(data, candidates=8), {"population": 4})
    tried = [candidate["design"] for candidate in outcome.details["candidates"]]
    assert len(set(tried)) == 8
    task = tiny_task(data, candidates=8)
    search = STRATEGIES.get("autoctr").build(build_context(task), **STRATEGIES.get("autoctr").parameters)
    first = InteractionSpace.for_budget(task.make_space().fields, task.budget.samples)
    rng = np.random.default_rng(task.seed)
    assert isinstance(search, AutoCTRSearch)
    assert tried[:4] == [str(first.sample(rng)) for _ in range(4)]


# Evolution of paths ------------------------------------------------------------------------------------------------


def test_the_oldest_path_dies_and_failed_ones_are_no_members() -> None:
    space = NasRecSpace(FIELDS, (3, 6), (2, 4), blocks=3)
    evolution = PathEvolution(space, population=2, tournament=2, rng=np.random.default_rng(0))
    paths = []
    for valid_auc in (0.9, None, 0.6, 0.7):
        paths.append(evolution.propose())
        evolution.tell(paths[-1], valid_auc)
    assert [auc for _, auc in evolution.members] == [0.6, 0.7]
    child = evolution.propose()
    assert sum(a != b for a, b in zip(child.blocks, paths[3].blocks, strict=True)) == 1, "of the best that lives"
    assert len({*paths, child}) == 5


def test_the_supernet_and_the_ranking_share_the_budget(data: SearchData) -> None:
    task = tiny_task(data)
    rows, budget = len(data.valid), task.budget.samples
    assert budget is not None
    outcome = run_search(STRATEGIES.get("nasrec"), task, {"designs": 5})
    assert outcome.candidates == 5
    trained = outcome.samples - 5 * rows
    assert budget - 5 * rows <= trained < budget - 5 * rows + BATCH_SIZE
    assert [p.samples for p in outcome.trace] == [trained + i * rows for i in range(1, 6)]
    generous = run_search(STRATEGIES.get("nasrec"), task, {"designs": 200})
    assert generous.candidates == int(0.5 * budget / rows), "at most half of the budget"


def test_paths_are_ranked_with_the_last_weights_of_the_supernet(
    data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, float | None, torch.Tensor]] = []
    original = _nasrec._valid_auc

    def watched(supernet: Any, task: SearchTask) -> float | None:
        auc = original(supernet, task)
        logits = predict_logits(supernet.derive(supernet.path), task.data.valid, task.config)
        assert auc == pytest.approx(auc_and_logloss(logits, np.asarray(task.data.valid.labels)).auc, abs=1e-6)
        seen.append((supernet.path, auc, supernet.embedding.table.weight.detach().clone()))
        return auc

    monkeypatch.setattr(_nasrec, "_valid_auc", watched)
    outcome = run_search(STRATEGIES.get("nasrec"), tiny_task(data), {"designs": 4})
    assert outcome.valid_auc == max(auc for _, auc, _ in seen if auc is not None)
    best = max(seen, key=lambda one: one[1] or 0)[0]
    assert outcome.design == best.to_architecture()
    assert all(torch.equal(table, seen[0][2]) for _, _, table in seen)


# What is told, and what failures cost ------------------------------------------------------------------------------


def test_every_candidate_is_a_trial_with_its_architecture(data: SearchData) -> None:
    log = Log()
    outcome = run_search(STRATEGIES.get("autoctr"), replace(tiny_task(data), training_log=log))
    assert [training.phase for training in log.trainings] == ["candidate"] * 4
    assert [str(training.design) for training in log.trainings] == [c["design"] for c in outcome.details["candidates"]]
    assert [training.final for training in log.trainings] == [c["valid_auc"] for c in outcome.details["candidates"]]
    assert all(max(training.aucs) == training.final for training in log.trainings)
    assert [auc for training in log.trainings for auc in training.aucs] == [point.valid_auc for point in outcome.trace]


def test_a_supernet_is_one_trial_that_ends_with_the_architecture(data: SearchData) -> None:
    log = Log()
    outcome = run_search(STRATEGIES.get("nasrec"), replace(tiny_task(data), training_log=log))
    (training,) = log.trainings
    assert training.phase == "search"
    assert training.design == outcome.design
    assert training.final == outcome.valid_auc
    assert training.aucs


def test_a_failed_candidate_has_spent_its_share_and_the_search_goes_on(
    data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def sometimes(*arguments: Any, **options: Any) -> Any:
        calls.append(len(calls))
        if len(calls) in (1, 3):
            raise TrainingError("the training loss of epoch 1 is nan")
        return train_candidate(*arguments, **options)

    monkeypatch.setattr("nas_fusion.search.multitrial.architecture_trainer.train_candidate", sometimes)
    log = Log()
    task = tiny_task(data)
    outcome = run_search(STRATEGIES.get("autoctr"), replace(task, training_log=log))
    monkeypatch.undo()
    assert outcome.candidates == 4
    assert outcome.samples == run_search(STRATEGIES.get("autoctr"), task).samples
    aucs = [candidate["valid_auc"] for candidate in outcome.details["candidates"]]
    assert [auc is None for auc in aucs] == [True, False, True, False]
    assert outcome.valid_auc == max(auc for auc in aucs if auc is not None)
    assert [bool(training.error) for training in log.trainings] == [True, False, True, False]
    share = outcome.samples // 4
    assert all(share < point.samples <= 2 * share or point.samples > 3 * share for point in outcome.trace)


@pytest.mark.parametrize("name", NAMES)
def test_a_search_in_which_nothing_can_be_trained_says_so(
    name: str, data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_task(data)
    # A rate beyond what is allowed, at which every training overflows.
    monkeypatch.setattr(TrainConfig, "__post_init__", lambda config: None)
    task = replace(task, config=replace(task.config, learning_rate=1e30))
    with pytest.raises(TrainingError, match=r"lower( the)? learning rate"):
        run_search(STRATEGIES.get(name), task)


def test_paths_without_finite_predictions_are_counted_and_passed_over(
    data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def sometimes(*arguments: Any) -> Any:
        calls.append(arguments)
        logits = predict_logits(*arguments)
        return logits * np.nan if len(calls) % 2 else logits

    monkeypatch.setattr(_nasrec, "predict_logits", sometimes)
    outcome = run_search(STRATEGIES.get("nasrec"), tiny_task(data), {"designs": 6})
    assert outcome.candidates == 6
    assert len(outcome.trace) == 3
    assert all(math.isfinite(point.valid_auc) for point in outcome.trace)
    monkeypatch.setattr(_nasrec, "predict_logits", lambda *arguments: predict_logits(*arguments) * np.nan)
    with pytest.raises(TrainingError, match="none of 6 paths"):
        run_search(STRATEGIES.get("nasrec"), tiny_task(data), {"designs": 6})


@pytest.mark.parametrize("name", NAMES)
def test_progress_is_drawn_where_there_is_a_console(name: str, data: SearchData) -> None:
    drawn = StringIO()
    console = Console(file=drawn, force_terminal=True, width=120)
    run_search(STRATEGIES.get(name), replace(tiny_task(data), console=console, label="a cell"))
    assert "a cell" in drawn.getvalue()


# End to end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_was_found_predicts_clicks_and_an_untrained_model_does_not(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from nas_fusion.data import prepare

    search_data = prepare("synthetic:4000", cache=tmp_path_factory.mktemp("larger")).search_view()
    task = tiny_task(search_data, seed=1)
    task = replace(
        task,
        config=replace(task.config, batch_size=128, max_epochs=6),
        budget=Budget.parse("4x", len(search_data.train)),
    )
    entry = STRATEGIES.get(name)
    outcome = run_search(entry, task)
    assert isinstance(outcome.design, Architecture)
    trained = retrain(entry, outcome, task, task.config)
    with seeded(0):
        untrained = new_model(entry, outcome.design, task.make_space())
    logits = predict_logits(untrained, search_data.valid, task.config)
    chance = auc_and_logloss(logits, np.asarray(search_data.valid.labels)).auc
    assert trained.fit.best_valid_auc > 0.62
    assert trained.fit.best_valid_auc > chance + 0.05
    assert outcome.valid_auc is not None
    assert outcome.valid_auc > 0.55


@pytest.mark.parametrize("name", NAMES)
def test_they_are_searches_of_all(name: str) -> None:
    entry = STRATEGIES.get(name)
    assert entry.has_own_space
    assert entry in select_strategies("all")
    assert entry in select_strategies("searches")


@pytest.mark.parametrize("options", [{"designs": 0}, {"population": 0}, {"tournament": 0.0}, {"tournament": 1.5}])
def test_nasrec_refuses_options_out_of_range(options: dict[str, Any]) -> None:
    space = NasRecSpace(FIELDS, (3, 6), (2, 4), blocks=2)
    good = {"designs": 4, "training_samples": 9, "population": 2, "tournament": 0.5}
    with pytest.raises(OptionError, match=next(iter(options))):
        NasRecSearch(space, 0, **{**good, **options})


@pytest.mark.parametrize("options", [{"population": 0}, {"tournament": 0.0}, {"tournament": 1.5}])
def test_autoctr_refuses_options_out_of_range(options: dict[str, Any]) -> None:
    space = InteractionSpace(FIELDS, (3, 6), blocks=2)
    with pytest.raises(OptionError, match=next(iter(options))):
        AutoCTRSearch(space, 0, **{"population": 4, "tournament": 0.5, "importance": Importance(), **options})
