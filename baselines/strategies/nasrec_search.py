"""NASRec-like search: a supernet of choice blocks, then evolution of paths ranked with its weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from rich.console import Console
from rich.progress import Progress

from nas_fusion.baselines.strategies.candidate_counts import (
    BLOCKS,
    POPULATION,
    TOURNAMENT,
    population_for,
    ranked_and_training,
)
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.records import TracePoint
from nas_fusion.search import SearchOutcome, SearchTask
from nas_fusion.search_spaces.nasrec import NasRecDesign, NasRecSpace, NasRecSupernet, nasrec_network
from nas_fusion.strategy import BuildContext, StrategyEntry
from nas_fusion.training import FitResult, auc_and_logloss, fit, predict_logits
from nas_fusion.training_log import Training

MOST_DRAWS = 100
"""So often a mutation is drawn again that gave a path of before; then that path is ranked once more."""


@dataclass(frozen=True)
class RankedPath:
    """A path and its validation AUC with the supernet's weights; None where its predictions are not finite."""

    design: NasRecDesign
    valid_auc: float | None
    seconds: float


@dataclass
class PathEvolution:
    """Regularised evolution of paths (Real et al., AAAI 2019): the oldest dies, whatever it is worth.

    Args:
        space: the paths.
        population: members.
        tournament: draws for a parent, of which the best breeds.
        rng: source of randomness.
    """

    space: NasRecSpace
    population: int
    tournament: int
    rng: np.random.Generator
    members: deque[tuple[NasRecDesign, float]] = field(default_factory=deque)
    seen: set[NasRecDesign] = field(default_factory=set)

    def propose(self) -> NasRecDesign:
        """A random path while the population is not full, else a mutated winner of a tournament."""
        design = self._draw()
        for _ in range(MOST_DRAWS):
            if design not in self.seen:
                break
            design = self._draw()
        self.seen.add(design)
        return design

    def tell(self, design: NasRecDesign, valid_auc: float | None) -> None:
        """Take in a ranked path; one that could not be ranked is no member."""
        if valid_auc is None:
            return
        self.members.append((design, valid_auc))
        if len(self.members) > self.population:
            self.members.popleft()

    def _draw(self) -> NasRecDesign:
        if len(self.members) < self.population:
            return self.space.sample(self.rng)
        drawn = self.rng.choice(len(self.members), min(self.tournament, len(self.members)), replace=False)
        parent, _ = max((self.members[i] for i in sorted(drawn)), key=lambda member: member[1])
        return self.space.mutate(parent, self.rng)


TRAINING_SHARE = 0.5
"""Of a budget in seconds, the supernet's training takes so much; the ranking takes the rest."""


class NasRecSearch:
    """Weight-sharing search over choice blocks (Zhang et al., WWW 2023).

    The supernet is trained on one random path per step (single-operator any-connection sampling), then paths are
    evolved by their validation AUC with its weights. Left out: the warm-up on full paths, and tuning the head again
    for every path that is ranked.

    Args:
        space: the paths.
        seed: of the training's paths and of the evolution.
        designs: how many paths to rank; each costs the validation rows.
        training_samples: samples to train the supernet on; None: half of a budget in seconds.
        population: members of the evolution's population, at least 1.
        tournament: draws for a parent, as a share of the population.
    """

    def __init__(
        self,
        space: NasRecSpace,
        seed: int,
        designs: int,
        training_samples: int | None,
        population: int,
        tournament: float,
    ) -> None:
        for name, value in (("designs", designs), ("population", population)):
            if value < 1:
                raise OptionError(name, "a positive integer", value)
        if not 0 < tournament <= 1:
            raise OptionError("tournament", "in (0, 1]", tournament)
        self.space, self.seed, self.designs, self.training_samples = space, seed, designs, training_samples
        self.population, self.tournament = population, max(1, round(tournament * population))

    def search(self, task: SearchTask) -> SearchOutcome:
        """Train the supernet, rank paths, return the best.

        Raises:
            TrainingError: the supernet's loss or predictions are not finite, or those of all ranked paths.
        """
        with task.training_log.training("search") as training:
            outcome = self._search(task, training)
            training.derived(outcome.design)
            training.result(outcome.valid_auc)
        return outcome

    def _search(self, task: SearchTask, training: Training) -> SearchOutcome:
        supernet = NasRecSupernet(self.space, self.seed)
        trained = self._train(supernet, task, training)
        start = task.watch.elapsed
        ranking = self._rank(supernet, task)
        usable = [(path.design, path.valid_auc) for path in ranking if path.valid_auc is not None]
        if not usable:
            raise TrainingError(f"none of {len(ranking)} paths gave finite predictions with the supernet's weights")
        best, valid_auc = max(usable, key=lambda path: path[1])
        rows = len(task.data.valid)
        return SearchOutcome(
            design=best.to_architecture(),
            valid_auc=valid_auc,
            trace=tuple(
                TracePoint(path.seconds, trained.samples + i * rows, path.valid_auc)
                for i, path in enumerate(ranking, 1)
                if path.valid_auc is not None
            ),
            samples=trained.samples + len(ranking) * rows,
            seconds=task.watch.elapsed,
            derive_samples=len(ranking) * rows,
            derive_seconds=task.watch.elapsed - start,
            candidates=len(ranking),
            details={"candidates": [{"design": str(path.design), "valid_auc": path.valid_auc} for path in ranking]},
        )

    def _train(self, supernet: NasRecSupernet, task: SearchTask, training: Training) -> FitResult:
        seconds = None if task.watch.limit is None else TRAINING_SHARE * task.watch.limit
        config = replace(
            task.config, max_samples=self.training_samples, max_seconds=seconds, patience=0, lr_drop=1.0, averaging=0.0
        )  # fmt: skip
        return fit(
            supernet, task.data, config, description=task.label, console=task.console, keep_best=False,
            on_validation=lambda record: training.validated(record.valid_auc), clock=task.watch.now,
        )  # fmt: skip

    def _rank(self, supernet: NasRecSupernet, task: SearchTask) -> list[RankedPath]:
        # Numbers of its own, so that how long the supernet was trained does not move them.
        rng = np.random.default_rng([self.seed, 1])
        evolution = PathEvolution(self.space, self.population, self.tournament, rng)
        ranking = []
        for _ in _tracked(self.designs, f"{task.label} ranking", task.console):
            supernet.path = evolution.propose()
            valid_auc = _valid_auc(supernet, task)
            evolution.tell(supernet.path, valid_auc)
            ranking.append(RankedPath(supernet.path, valid_auc, task.watch.elapsed))
            if task.watch.left <= 0:
                break
        return ranking


def _valid_auc(supernet: NasRecSupernet, task: SearchTask) -> float | None:
    valid = task.data.valid
    logits = predict_logits(supernet, valid, task.config)
    if not np.isfinite(logits).all():
        return None
    return auc_and_logloss(logits, np.asarray(valid.labels), valid.weights).auc


def _tracked(steps: int, description: str, console: Console | None) -> Iterator[int]:
    """Count to `steps`, with a progress bar if there is a console."""
    if console is None:
        yield from range(steps)
        return
    with Progress(console=console, transient=True) as progress:
        yield from progress.track(range(steps), description=description)


def _nasrec(context: BuildContext, designs: int, population: int, tournament: float, blocks: int) -> NasRecSearch:
    space = NasRecSpace.for_budget(context.fields, context.samples, blocks)
    ranked, training = ranked_and_training(context, designs)
    return NasRecSearch(space, context.seed, ranked, training, population_for(population, ranked), tournament)


NASREC_ENTRY = StrategyEntry(
    "nasrec",
    "one-shot",
    "supernet of dense and sparse operators, then evolution of its paths, after NASRec (Zhang et al., WWW 2023)",
    _nasrec,
    parameters={"designs": 24, "population": 12, "tournament": 0.5, "blocks": 7},
    bounds={
        "designs": POPULATION,
        "population": POPULATION,
        "tournament": TOURNAMENT,
        "blocks": BLOCKS,
    },
    distributions=lambda: {
        "designs": IntDistribution(4, 200, log=True),
        "population": IntDistribution(4, 100, log=True),
        "tournament": FloatDistribution(0.1, 1.0),
        "blocks": IntDistribution(2, 10),
    },
    make_model=nasrec_network,
)
