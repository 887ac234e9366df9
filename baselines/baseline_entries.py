"""The baselines' entries in the registry of strategies."""

from __future__ import annotations

from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nas_fusion.baselines.handmade_designs import parallel, stacked
from nas_fusion.baselines.model_entries import MODEL_ENTRIES
from nas_fusion.baselines.strategies.autoctr import AutoCTRSearch, Importance
from nas_fusion.baselines.strategies.darts import FusionDARTS, FusionGumbelDARTS
from nas_fusion.baselines.strategies.grid import FusionGridSearch
from nas_fusion.baselines.strategies.nasrec_search import NasRecSearch
from nas_fusion.baselines.strategies.random_oneshot import FusionRandomOneShot
from nas_fusion.baselines.strategies.tpe import FusionTPE
from nas_fusion.bounds import LEARNING_RATE, SHARE, Bound
from nas_fusion.nni_bridge import MendedEvolution, Random
from nas_fusion.search_spaces.interaction import InteractionSpace, interaction_network
from nas_fusion.search_spaces.nasrec import NasRecSpace, nasrec_network
from nas_fusion.strategy import BuildContext, StrategyEntry

DEFAULT_DARTS_LEARNING_RATE = 0.02
"""NNI's default, 3e-4, moves a logit by at most .03 in a hundred steps: too little to tell choices apart."""

RANKING_SHARE = 0.5
"""Random one-shot and NASRec spend at most this share of their budgets on ranking designs."""


_POPULATION = Bound(1, 100_000)
_TOURNAMENT = Bound(0, 1, integer=False, above=True)
_WEIGHT = Bound(0, 1000, integer=False)
_TEMPERATURE = Bound(0, 1000, integer=False, above=True)
_BLOCKS = Bound(1, 64)


def _random(context: BuildContext) -> Any:
    return Random(seed=context.seed)


def _evolution(context: BuildContext, population: int, tournament: float, mutation_prob: float, crossover: bool) -> Any:
    size = max(2, _population(population, context.candidates))
    return MendedEvolution(
        population_size=size,
        sample_size=max(1, round(tournament * size)),
        mutation_prob=mutation_prob,
        crossover=crossover,
        seed=context.seed,
    )


def _tpe(context: BuildContext, startup_share: float) -> FusionTPE:
    return FusionTPE(seed=context.seed, startup=max(2, round(startup_share * context.candidates)))


def _grid(context: BuildContext) -> FusionGridSearch:
    return FusionGridSearch(seed=context.seed)


def _darts(context: BuildContext, arch_learning_rate: float) -> FusionDARTS:
    return FusionDARTS(arch_learning_rate, context.config.gradient_clip)


def _gumbel(
    context: BuildContext, arch_learning_rate: float, temperature_start: float, temperature_end: float
) -> FusionGumbelDARTS:
    end = min(temperature_start, temperature_end)
    return FusionGumbelDARTS(arch_learning_rate, temperature_start, end, context.config.gradient_clip)


def _random_oneshot(context: BuildContext, designs: int) -> FusionRandomOneShot:
    ranked, training = _ranked_and_training(context, designs)
    return FusionRandomOneShot(ranked, context.seed, training, context.watch)


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
    size = _population(population, context.candidates)
    return AutoCTRSearch(space, context.seed, size, tournament, Importance(quality, age, complexity))


def _nasrec(context: BuildContext, designs: int, population: int, tournament: float, blocks: int) -> NasRecSearch:
    space = NasRecSpace.for_budget(context.fields, context.samples, blocks)
    ranked, training = _ranked_and_training(context, designs)
    return NasRecSearch(space, context.seed, ranked, training, _population(population, ranked), tournament)


def _population(wanted: int, candidates: int) -> int:
    """Few candidates still have to leave some for mutation: at most half of them are the first population."""
    return max(1, min(wanted, candidates // 2))


def _ranked_and_training(context: BuildContext, designs: int) -> tuple[int, int | None]:
    """How many designs to rank, and the samples that are left for training the supernet (None: a budget in seconds)."""
    if context.samples is None:  # the training is stopped so early that the ranking has time
        return designs, None
    affordable = int(RANKING_SHARE * context.samples / context.valid_rows)
    ranked = max(1, min(designs, affordable))
    return ranked, max(1, context.samples - ranked * context.valid_rows)


ENTRIES = (
    StrategyEntry("random", "multi-trial", "random search (NNI's Random)", _random),
    StrategyEntry(
        "evolution",
        "multi-trial",
        "regularised evolution (NNI's RegularizedEvolution)",
        _evolution,
        parameters={"population": 20, "tournament": 0.5, "mutation_prob": 0.1, "crossover": False},
        bounds={"population": _POPULATION, "tournament": _TOURNAMENT, "mutation_prob": SHARE},
        distributions=lambda: {
            "population": IntDistribution(4, 50),
            "tournament": FloatDistribution(0.2, 1.0),
            "mutation_prob": FloatDistribution(0.02, 0.5, log=True),
            "crossover": CategoricalDistribution([False, True]),
        },
    ),
    StrategyEntry(
        "tpe",
        "multi-trial",
        "tree-structured Parzen estimator (Optuna's TPESampler)",
        _tpe,
        parameters={"startup_share": 0.4},
        bounds={"startup_share": SHARE},
        distributions=lambda: {"startup_share": FloatDistribution(0.1, 0.8)},
    ),
    StrategyEntry(
        "darts",
        "one-shot",
        "DARTS, first order (NNI's DARTS): architecture on validation batches",
        _darts,
        parameters={"arch_learning_rate": DEFAULT_DARTS_LEARNING_RATE},
        bounds={"arch_learning_rate": LEARNING_RATE},
        distributions=lambda: {"arch_learning_rate": FloatDistribution(3e-4, 0.3, log=True)},
    ),
    StrategyEntry(
        "gumbel-darts",
        "one-shot",
        "DARTS with Gumbel softmax (NNI's GumbelDARTS)",
        _gumbel,
        parameters={
            "arch_learning_rate": DEFAULT_DARTS_LEARNING_RATE,
            "temperature_start": 1.0,
            "temperature_end": 0.33,
        },
        bounds={
            "arch_learning_rate": LEARNING_RATE,
            "temperature_start": _TEMPERATURE,
            "temperature_end": _TEMPERATURE,
        },
        distributions=lambda: {
            "arch_learning_rate": FloatDistribution(3e-4, 0.3, log=True),
            "temperature_start": FloatDistribution(0.5, 5.0, log=True),
            "temperature_end": FloatDistribution(0.1, 0.5, log=True),
        },
    ),
    StrategyEntry(
        "random-oneshot",
        "one-shot",
        "one-shot with random paths (NNI's RandomOneShot), then random designs ranked with its weights",
        _random_oneshot,
        parameters={"designs": 24},
        bounds={"designs": _POPULATION},
        distributions=lambda: {"designs": IntDistribution(4, 100, log=True)},
    ),
    StrategyEntry(
        "autoctr",
        "multi-trial",
        "evolution over a space of interactions, after AutoCTR (Song et al., KDD 2020)",
        _autoctr,
        parameters={"population": 20, "tournament": 0.5, "quality": 0.1, "age": 1.0, "complexity": 0.1, "blocks": 7},
        bounds={
            "population": _POPULATION,
            "tournament": _TOURNAMENT,
            **dict.fromkeys(("quality", "age", "complexity"), _WEIGHT),
            "blocks": _BLOCKS,
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
    ),
    StrategyEntry(
        "nasrec",
        "one-shot",
        "supernet of dense and sparse operators, then evolution of its paths, after NASRec (Zhang et al., WWW 2023)",
        _nasrec,
        parameters={"designs": 24, "population": 12, "tournament": 0.5, "blocks": 7},
        bounds={
            "designs": _POPULATION,
            "population": _POPULATION,
            "tournament": _TOURNAMENT,
            "blocks": _BLOCKS,
        },
        distributions=lambda: {
            "designs": IntDistribution(4, 200, log=True),
            "population": IntDistribution(4, 100, log=True),
            "tournament": FloatDistribution(0.1, 1.0),
            "blocks": IntDistribution(2, 10),
        },
        make_model=nasrec_network,
    ),
    StrategyEntry("grid", "multi-trial", "grid search (NNI's GridSearch), for small spaces", _grid, in_all=False),
    StrategyEntry("stacked", "reference", "hand-made: crosses, then deep blocks on top of them", stacked),
    StrategyEntry("parallel", "reference", "hand-made: a tower of crosses beside a tower of deep blocks", parallel),
    *MODEL_ENTRIES,
)
