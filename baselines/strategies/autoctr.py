"""AutoCTR-like search: evolution over a space of interactions, by age, quality and complexity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution

from nas_fusion.baselines.strategies.candidate_counts import BLOCKS, POPULATION, TOURNAMENT, population_for
from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError
from nas_fusion.search import ArchitectureTrainer, SearchOutcome, SearchTask
from nas_fusion.search_spaces.interaction import InteractionDesign, InteractionSpace, interaction_network
from nas_fusion.strategy import BuildContext, StrategyEntry

MOST_DRAWS = 100
"""So often a mutation is drawn again that gave a design of before; then that design is trained once more."""


@dataclass(frozen=True)
class Member:
    """A trained design.

    Args:
        design: what was trained.
        valid_auc: its quality.
        weights: its complexity.
    """

    design: InteractionDesign
    valid_auc: float
    weights: int


@dataclass(frozen=True)
class Importance:
    """How much each goal weighs when survivors are chosen; the defaults are those of the authors' code.

    Args:
        quality: the rank of the validation AUC.
        age: the rank of the birth.
        complexity: the rank of the number of weights.

    Raises:
        OptionError: one is negative, or all are zero.
    """

    quality: float = 0.1
    age: float = 1.0
    complexity: float = 0.1

    def __post_init__(self) -> None:
        for name in ("quality", "age", "complexity"):
            if not getattr(self, name) >= 0:
                raise OptionError(name, "zero or a positive number", getattr(self, name))
        if self.quality + self.age + self.complexity == 0:
            raise OptionError("quality, age and complexity", "positive, at least one", (0, 0, 0))


def survivors(history: Sequence[Member], size: int, importance: Importance) -> list[Member]:
    """The population: of the ``2 · size`` youngest, the `size` with the smallest weighted sum of ranks.

    Ranks are divided by how many are ranked, 1 is best: the highest AUC, the latest birth, the fewest weights. The
    first `size` members count as of one age.

    Args:
        history: all that were trained, in the order of their births; one that was dropped may come back.
        size: of the population.
        importance: of the three goals.
    """
    if len(history) <= size:
        return list(history)
    # The old are not even ranked: a population moves on, whatever they were worth.
    young = history[-2 * size :]
    ages = np.array([len(history) - max(birth, size - 1) for birth in range(len(history))][-2 * size :])
    quality, complexity = _ranks([-m.valid_auc for m in young]), _ranks([m.weights for m in young])
    cost = (importance.quality * quality + importance.complexity * complexity) / len(young)
    cost += importance.age * ages / len(history)
    return [young[i] for i in np.argsort(cost, kind="stable")[:size]]


def parent_probabilities(size: int, tournament: int) -> np.ndarray:
    """How likely each of `size` members, best first, is to win a tournament of ``tournament + 1``.

    The r-th best wins with probability ``C(size - r + t, t) / C(size + t, t + 1)``: a tournament of t + 1 draws, by
    rank and without drawing (the authors' code).
    """
    total = comb(size + tournament, tournament + 1)
    return np.array([comb(size - rank + tournament, tournament) / total for rank in range(1, size + 1)])


class AutoCTRSearch:
    """Evolution of interaction designs (Song et al., KDD 2020).

    The first population is random. Then a parent is drawn by its rank, mutated in one place, trained for a share of
    the budget, and the survivors are chosen by age, quality and complexity. Left out: the gradient-boosted ranker that
    picks among many mutations of a parent, which a few dozen candidates cannot train, and training on sub-sampled data
    with smaller hash tables: candidates are trained as those of every other strategy.

    Args:
        space: the designs.
        seed: of the proposals.
        population: members of the population, at least 1.
        tournament: draws of a tournament besides the first, as a share of the population.
        importance: of the three goals.
    """

    def __init__(
        self, space: InteractionSpace, seed: int, population: int, tournament: float, importance: Importance
    ) -> None:
        if population < 1:
            raise OptionError("population", "a positive integer", population)
        if not 0 < tournament <= 1:
            raise OptionError("tournament", "in (0, 1]", tournament)
        self.space, self.seed, self.population = space, seed, population
        self.tournament, self.importance = max(1, round(tournament * population)), importance

    def search(self, task: SearchTask) -> SearchOutcome:
        """Train candidates until the budget is spent; the best on validation rows wins.

        Raises:
            TrainingError: no candidate could be trained.
        """
        rng = np.random.default_rng(self.seed)
        trainer = ArchitectureTrainer(task, interaction_network)
        history: list[Member] = []
        seen: set[InteractionDesign] = set()
        while trainer.share_left():
            design = self._propose(history, seen, rng)
            seen.add(design)
            valid_auc = trainer.train(design.to_architecture())
            if valid_auc is not None:
                history.append(Member(design, valid_auc, self.space.weights(design)))
        return trainer.outcome()

    def _propose(
        self, history: Sequence[Member], seen: set[InteractionDesign], rng: np.random.Generator
    ) -> InteractionDesign:
        design = self._draw(history, rng)
        for _ in range(MOST_DRAWS):
            if design not in seen:
                break
            design = self._draw(history, rng)
        return design

    def _draw(self, history: Sequence[Member], rng: np.random.Generator) -> InteractionDesign:
        if len(history) < self.population:
            return self.space.sample(rng)
        ranked = sorted(survivors(history, self.population, self.importance), key=lambda m: -m.valid_auc)
        chances = parent_probabilities(len(ranked), self.tournament)
        return self.space.mutate(ranked[rng.choice(len(ranked), p=chances)].design, rng)


def _ranks(values: Sequence[float]) -> np.ndarray:
    """Ranks from 1, smallest first; equal values share the mean of theirs."""
    numbers = np.asarray(values, dtype=np.float64)
    return (numbers[None] < numbers[:, None]).sum(1) + ((numbers[None] == numbers[:, None]).sum(1) + 1) / 2


def _autoctr(
    context: BuildContext,
    population: int,
    tournament: float,
    quality: float,
    age: float,
    complexity: float,
    blocks: int,
) -> AutoCTRSearch:
    space = InteractionSpace.for_budget(context.fields, context.samples, blocks)
    size = population_for(population, context.candidates)
    return AutoCTRSearch(space, context.seed, size, tournament, Importance(quality, age, complexity))


_WEIGHT = Bound(0, 1000, integer=False)

AUTOCTR_ENTRY = StrategyEntry(
    "autoctr",
    "multi-trial",
    "evolution over a space of interactions, after AutoCTR (Song et al., KDD 2020)",
    _autoctr,
    parameters={"population": 20, "tournament": 0.5, "quality": 0.1, "age": 1.0, "complexity": 0.1, "blocks": 7},
    bounds={
        "population": POPULATION,
        "tournament": TOURNAMENT,
        **dict.fromkeys(("quality", "age", "complexity"), _WEIGHT),
        "blocks": BLOCKS,
    },
    distributions=lambda: {
        "population": IntDistribution(4, 50),
        "tournament": FloatDistribution(0.1, 1.0),
        "quality": FloatDistribution(0.0, 2.0),
        "age": FloatDistribution(0.1, 2.0),
        "complexity": FloatDistribution(0.0, 1.0),
        "blocks": IntDistribution(2, 10),
    },
    make_model=interaction_network,
)
