"""NNI's sequential engine: what it does wrong, and what ours does instead."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import (
    BudgetedEngine,
    FunctionalEvaluator,
    ModelStatus,
    Random,
    RegularizedEvolution,
    SequentialExecutionEngine,
    SimplifiedModelSpace,
    nni,
)
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.testing import tiny_data, tiny_space
from nas_fusion.training import TrainConfig, oneshot_evaluator

NAN = math.nan


class Metrics:
    """Evaluator that reports the given metrics, one per candidate; None stands for a training that fails."""

    def __init__(self, values: Sequence[float | None]) -> None:
        self.values: Iterator[float | None] = iter(values)

    def __call__(self, model: Any) -> None:
        value = next(self.values)
        if value is None:
            raise TrainingError("cannot be trained")
        nni.report_final_result(value)


def small_space(values: Sequence[float | None]) -> Any:
    space = FusionSpace(field_sizes=[3, 4], levels=1, emb_dim=2)
    return SimplifiedModelSpace.from_model(space, FunctionalEvaluator(Metrics(values)))


def ours(values: Sequence[float | None], strategy: Any | None = None) -> tuple[BudgetedEngine, Any]:
    engine, strategy = BudgetedEngine(lambda: True, max_models=len(values)), strategy or Random(seed=0)
    strategy(small_space(values), engine)
    return engine, strategy


def test_nni_alone_ranks_nan_first() -> None:
    """If this fails, `refuse_non_finite` is not needed any more."""
    strategy = Random(seed=0)
    strategy(small_space([0.6, NAN, 0.7]), SequentialExecutionEngine(max_model_count=3))
    ranked = [model.metric for model in strategy.list_models(sort=True)]
    assert ranked != [0.7, 0.6]
    assert any(math.isnan(metric) for metric in ranked)


@pytest.mark.parametrize("bad", [NAN, math.inf, -math.inf, None])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_candidate_without_a_finite_metric_failed(bad: float | None, position: int) -> None:
    values: list[float | None] = [0.6, 0.7]
    values.insert(position, bad)
    engine, strategy = ours(values)
    statuses = [model.status for model in engine.list_models()]
    assert statuses[position] == ModelStatus.Failed
    assert statuses.count(ModelStatus.Trained) == 2
    best = engine.best_model()
    assert best is not None
    assert best.metric == 0.7
    assert [model.metric for model in strategy.list_models(sort=True)] == [0.7, 0.6]


def test_evolution_never_breeds_from_nan() -> None:
    evolution = RegularizedEvolution(population_size=3, sample_size=3, mutation_prob=0.5, seed=0)
    ours([NAN, 0.6, 0.7, None, 0.5, 0.5], evolution)
    assert all(math.isfinite(individual.y) for individual in evolution._population)


def test_the_first_of_equals_is_best() -> None:
    engine, _ = ours([0.5, 0.7, 0.7])
    assert engine.best_model() is list(engine.list_models())[1]


def test_nothing_trained_has_no_best() -> None:
    engine, _ = ours([None, NAN])
    assert engine.best_model() is None


def test_nni_alone_stops_at_the_first_failure() -> None:
    """If this fails, `BudgetedEngine._run_single_model` is not needed any more."""
    engine = SequentialExecutionEngine(max_model_count=3)
    with pytest.raises(TrainingError):
        Random(seed=0)(small_space([0.6, None, 0.7]), engine)
    assert len(list(engine.list_models())) == 2


def test_a_failure_is_told_to_the_projects_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="nas_fusion"):
        ours([0.6, None])
    assert [record.message for record in caplog.records] == ["candidate failed: cannot be trained"]


def test_a_bug_is_no_failed_candidate() -> None:
    class Broken:
        def __call__(self, model: Any) -> None:
            raise KeyError("a bug")

    space = FusionSpace(field_sizes=[3, 4], levels=1, emb_dim=2)
    wrapped = SimplifiedModelSpace.from_model(space, FunctionalEvaluator(Broken()))
    with pytest.raises(KeyError, match="a bug"):
        Random(seed=0)(wrapped, BudgetedEngine(lambda: True, max_models=3))


def test_the_search_ends_when_the_budget_is_spent() -> None:
    left = iter([True, True, False])
    engine = BudgetedEngine(lambda: next(left))
    Random(seed=0)(small_space([0.5] * 9), engine)
    assert len(list(engine.list_models())) == 2


def test_nni_alone_trains_only_the_first_candidate_with_a_lightning_evaluator(tmp_path: Path) -> None:
    """If this fails, candidates could share one Lightning evaluator, and need no trainer of their own."""
    data = tiny_data(tmp_path)
    run = oneshot_evaluator(data, TrainConfig(batch_size=512, max_epochs=1, device="cpu"), keep_best=False)
    space = SimplifiedModelSpace.from_model(tiny_space(data), run.evaluator)
    engine = SequentialExecutionEngine(max_model_count=3)
    Random(seed=0)(space, engine)
    assert [model.status for model in engine.list_models()] == [ModelStatus.Trained] * 3
    assert run.meter.samples == len(data.train), "one training, not three"
