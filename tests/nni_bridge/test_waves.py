"""Candidates of a wave: breeding waits for results, and nobody's first weights come from those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas_fusion.nni_bridge import (
    BudgetedEngine,
    CandidateSpace,
    FunctionalEvaluator,
    MendedEvolution,
    RegularizedEvolution,
    SequentialExecutionEngine,
    SimplifiedModelSpace,
    nni,
)
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import seeded


class Scores:
    """Evaluator that reports the given metrics, one per candidate, and keeps what it was given."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values, self.seen = list(values), list[Any]()

    def __call__(self, candidate: Any) -> None:
        self.seen.append(candidate)
        nni.report_final_result(self.values[len(self.seen) - 1])


def small_space() -> FusionSpace:
    return FusionSpace(field_sizes=[3, 4], levels=1, emb_dim=2)


def test_nni_alone_breeds_from_nobody() -> None:
    """If this fails, `MendedEvolution` is not needed any more."""
    strategy = RegularizedEvolution(population_size=2, sample_size=1, seed=0)
    engine = BudgetedEngine(lambda: True, max_models=6, concurrency=4)
    with pytest.raises(ValueError, match="empty"):
        strategy(CandidateSpace.from_model(small_space(), FunctionalEvaluator(Scores([0.5] * 6))), engine)


def test_evolution_waits_until_there_is_somebody_to_breed_from() -> None:
    scores = Scores([0.5, 0.6, 0.7, 0.5, 0.5, 0.5])
    waves: list[int] = []
    engine = BudgetedEngine(lambda: True, 6, concurrency=4, start_wave=lambda wave: waves.append(len(wave)))
    strategy = MendedEvolution(population_size=2, sample_size=1, mutation_prob=0.5, seed=0)
    strategy(CandidateSpace.from_model(small_space(), FunctionalEvaluator(scores)), engine)
    assert waves == [2, 4]
    best = engine.best_model()
    assert best is not None
    assert best.metric == 0.7


def test_nni_alone_draws_a_candidates_first_weights_from_wherever_the_generator_is() -> None:
    """If this fails, `CandidateSpace` need not leave making the model to the evaluator."""

    def first_weights(kind: Any) -> list[Any]:
        scores = Scores([0.5, 0.6])
        space = kind.from_model(small_space(), FunctionalEvaluator(scores))
        with seeded(0):
            for _ in range(2):
                SequentialExecutionEngine().submit_models(space.freeze(sample))
        return scores.seen

    sample = small_space().designs.sample(np.random.default_rng(0)).to_sample()
    one, two = (model.network.head.weight for model in first_weights(SimplifiedModelSpace))
    assert not (one == two).all()
    assert all(isinstance(candidate, CandidateSpace) for candidate in first_weights(CandidateSpace))
