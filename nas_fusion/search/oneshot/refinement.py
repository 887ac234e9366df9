"""Going on from a supernet: candidates that it proposes are trained, and the best is changed bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.records import TracePoint
from nas_fusion.search.front.candidate_front import CandidateFront
from nas_fusion.search.front.design_costs import costs_of_designs
from nas_fusion.search.multitrial.budget_shares import TimeShares, samples_per_candidate
from nas_fusion.search.multitrial.candidates import TrainedCandidate, train_candidate
from nas_fusion.search.task import SearchTask
from nas_fusion.strategy.abilities import RefinesDesigns
from nas_fusion.training import TrainConfig


@dataclass
class Refined:
    """What the refinement spent and found.

    Args:
        front: of the candidates that could be trained.
        samples, seconds: what candidates took; samples are the rows that they were trained on.
        trace: their validations, after the supernet's.
        designs: every candidate and its validation AUC (None: it could not be trained).
        before: how many points the search's trace has before these.
        trained: the candidates that could be trained.
    """

    front: CandidateFront
    samples: int = 0
    seconds: float = 0.0
    trace: list[TracePoint] = field(default_factory=list)
    designs: list[tuple[FusionDesign, float | None]] = field(default_factory=list)
    before: int = 0
    trained: list[tuple[FusionDesign, TrainedCandidate]] = field(default_factory=list)

    @property
    def best(self) -> tuple[FusionDesign, float] | None:
        """The best candidate and its validation AUC; of equals the first."""
        found = max(self.trained, key=lambda item: item[1].best_rank, default=None)
        return None if found is None else (found[0], found[1].valid_auc)

    @property
    def by_rank(self) -> tuple[FusionDesign, ...]:
        """The trained candidates, best first; of equals the first."""
        ranked = sorted(self.trained, key=lambda item: item[1].best_rank, reverse=True)
        return tuple(design for design, _ in ranked)

    @property
    def details(self) -> list[dict[str, Any]]:
        """The candidates as JSON-able values, in their order."""
        return [{"design": str(design), "valid_auc": auc} for design, auc in self.designs]


def refine(strategy: RefinesDesigns, task: SearchTask, spent: int, place: int) -> Refined:
    """Train candidates with what is left of the budget, by the recipe that re-training uses.

    The first candidates are proposals of the supernet, the derived design among them; each of the others is the best
    one so far with one choice changed. Every candidate is trained from scratch, learning-rate drops and early stop
    included, for at most its share of what is left; what an early stop saves goes to those that follow.

    Args:
        strategy: whose supernet is trained.
        task: the search.
        spent: samples that the supernet has seen.
        place: how many points the search's trace has before the candidates'.
    """
    front = CandidateFront(costs_of_designs(task), task.config.select, task.data.valid)
    refined, start = Refined(front, before=place), task.watch.elapsed
    count = _affordable(strategy, task, spent)
    if count < 1:
        return refined
    shares = TimeShares(task.watch, count)
    # A stream of its own, apart from the cell's: what the supernet drew does not move the candidates.
    rng = np.random.default_rng([task.seed, 1])
    proposed = max(1, round(strategy.proposed_share * count))
    for number, design in enumerate(islice(_order(strategy, task, refined, rng, proposed), count)):
        if not shares.fits():
            break
        config = _recipe(task, spent + refined.samples, count - number)
        with shares.round() as limit:
            _try(design, task, replace(config, max_seconds=limit), refined, spent, f"{task.label} {number + 1}/{count}")
    refined.seconds = task.watch.elapsed - start
    return refined


def _affordable(strategy: RefinesDesigns, task: SearchTask, spent: int) -> int:
    samples = task.budget.samples
    if samples is None:
        return strategy.refinement
    return min(strategy.refinement, (samples - spent) // task.config.batch_size)


def _recipe(task: SearchTask, spent: int, count: int) -> TrainConfig:
    samples = task.budget.samples
    share = None if samples is None else samples_per_candidate(samples - spent, count, task.config.batch_size)
    return replace(task.config, max_samples=share)


def _order(
    strategy: RefinesDesigns, task: SearchTask, refined: Refined, rng: np.random.Generator, proposed: int
) -> Iterator[FusionDesign]:
    designs = task.make_space().designs
    seen: set[FusionDesign] = set()
    # Proposals repeat themselves where a supernet is sure; it is asked a bounded number of times.
    for design in islice(strategy.proposals(designs, rng), 100 * proposed):
        # Pruned: two designs that differ in dead blocks only would be the same training.
        if design.pruned() not in seen and len(seen) < proposed and designs.problem(design) is None:
            seen.add(design.pruned())
            yield design
    while True:
        base = refined.best[0] if refined.best else designs.sample(rng)
        design = designs.change(base, rng)
        if design.pruned() not in seen:
            seen.add(design.pruned())
            yield design


def _try(design: FusionDesign, task: SearchTask, config: TrainConfig, refined: Refined, spent: int, label: str) -> None:
    before = spent + refined.samples
    try:
        with task.training_log.training("candidate", design) as training:
            result = train_candidate(
                task, config, lambda: task.make_space().derive(design, weights=False),
                lambda record: training.validated(record.valid_auc), label, place=refined.before + len(refined.trace),
            )  # fmt: skip
            training.result(result.valid_auc)
    except TrainingError:
        refined.samples += config.max_samples or 0  # a failed candidate has spent its share
        refined.designs.append((design, None))
        return
    refined.trace += [replace(point, samples=before + point.samples) for point in result.trace]
    refined.samples += result.samples
    refined.designs.append((design, result.valid_auc))
    with task.watch.paused():
        refined.front.add(design, result.valid_auc, result.best_rank, result.valid_logits)
    refined.trained.append((design, result._replace(valid_logits=None)))
