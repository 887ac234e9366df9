"""NNI's own multi-trial strategies, as they are: random search, and regularised evolution."""

from __future__ import annotations

from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nas_fusion.baselines.strategies.candidate_counts import POPULATION, TOURNAMENT, population_for
from nas_fusion.bounds import SHARE
from nas_fusion.nni_bridge import MendedEvolution, Random
from nas_fusion.strategy import BuildContext, StrategyEntry


def _random(context: BuildContext) -> Any:
    return Random(seed=context.seed)


def evolution_of(
    context: BuildContext, population: int, tournament: float, mutation_prob: float, crossover: bool
) -> dict[str, Any]:
    """Arguments of NNI's `RegularizedEvolution` under a budget."""
    size = max(2, population_for(population, context.candidates))
    return {
        "population_size": size,
        "sample_size": max(1, round(tournament * size)),
        "mutation_prob": mutation_prob,
        "crossover": crossover,
        "seed": context.seed,
    }


def _evolution(context: BuildContext, **parameters: Any) -> Any:
    return MendedEvolution(**evolution_of(context, **parameters))


RANDOM_ENTRY = StrategyEntry("random", "multi-trial", "random search (NNI's Random)", _random)

EVOLUTION_ENTRY = StrategyEntry(
    "evolution",
    "multi-trial",
    "regularised evolution (NNI's RegularizedEvolution)",
    _evolution,
    parameters={"population": 20, "tournament": 0.5, "mutation_prob": 0.1, "crossover": False},
    bounds={"population": POPULATION, "tournament": TOURNAMENT, "mutation_prob": SHARE},
    distributions=lambda: {
        "population": IntDistribution(4, 50),
        "tournament": FloatDistribution(0.2, 1.0),
        "mutation_prob": FloatDistribution(0.02, 0.5, log=True),
        "crossover": CategoricalDistribution([False, True]),
    },
)
