"""Going on from a supernet: candidates that it proposes are trained, and the best is changed bit by bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np

from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.records import TracePoint
from nas_fusion.search._candidates import fit_candidate
from nas_fusion.search._shares import samples_per_candidate
from nas_fusion.search._task import SearchTask
from nas_fusion.search._trace import trace_of
from nas_fusion.search_spaces import DesignSet
from nas_fusion.training import TrainConfig

ANNEAL_FROM = 0.0
"""A candidate's learning rate falls over its whole training: short as it is, it ends as a full training does."""


class Refinable(Protocol):
    """A one-shot strategy with an attribute `refinement` goes on after its supernet."""

    refinement: int
    """How many candidates share what the supernet left of the budget."""

    proposed_share: float
    """The share of the candidates that the supernet proposes; the others are changes of the best one."""

    def proposals(self, designs: DesignSet, rng: np.random.Generator) -> Iterator[FusionDesign]:
        """Designs as the supernet's choices weigh them, the derived one first; without end, repetitions allowed."""


@dataclass
class Refined:
    """What the refinement spent and found.

    Args:
        samples: rows that candidates were trained on.
        trace: their validations, behind the supernet's.
        designs: every candidate and its validation AUC (None: it could not be trained).
    """

    samples: int = 0
    trace: list[TracePoint] = field(default_factory=list)
    designs: list[tuple[FusionDesign, float | None]] = field(default_factory=list)

    @property
    def best(self) -> tuple[FusionDesign, float] | None:
        """The best candidate; of equals the first."""
        trained = [(design, auc) for design, auc in self.designs if auc is not None]
        return max(trained, key=lambda item: item[1], default=None)

    @property
    def details(self) -> list[dict[str, Any]]:
        """The candidates as JSON-able values, in their order."""
        return [{"design": str(design), "valid_auc": auc} for design, auc in self.designs]


def refine(strategy: Refinable, task: SearchTask, spent: int, start_time: float) -> Refined:
    """Train candidates with what is left of the budget, equal shares each.

    The first candidates are proposals of the supernet, the derived design among them; each of the others is the best
    one so far with one choice changed. Every candidate is trained from scratch, its learning rate falling to zero.

    Args:
        strategy: whose supernet is trained.
        task: the search.
        spent: samples that the supernet has seen.
        start_time: of the search.
    """
    left, batch = task.budget.samples - spent, task.config.batch_size
    count = min(strategy.refinement, left // batch)
    found = Refined()
    if count < 1:
        return found
    config = replace(
        task.config, max_samples=samples_per_candidate(left, count, batch), patience=0, lr_drop=1.0,
        anneal_from=ANNEAL_FROM,
    )  # fmt: skip
    rng = np.random.default_rng([task.seed, 1])
    proposed = max(1, round(strategy.proposed_share * count))
    for number, design in enumerate(islice(_order(strategy, task, found, rng, proposed), count), start=1):
        _try(design, task, config, found, spent, start_time, f"{task.label} {number}/{count}")
    return found


def _order(
    strategy: Refinable, task: SearchTask, found: Refined, rng: np.random.Generator, proposed: int
) -> Iterator[FusionDesign]:
    designs = task.make_space().designs
    seen: set[FusionDesign] = set()
    for design in islice(strategy.proposals(designs, rng), 100 * proposed):
        if design.pruned() not in seen and len(seen) < proposed:
            seen.add(design.pruned())
            yield design
    while True:
        base = found.best[0] if found.best else designs.sample(rng)
        design = designs.change(base, rng)
        if design.pruned() not in seen:
            seen.add(design.pruned())
            yield design


def _try(
    design: FusionDesign, task: SearchTask, config: TrainConfig, found: Refined, spent: int, start: float, label: str
) -> None:
    seconds, before = time.perf_counter() - start, spent + found.samples
    try:
        with task.trials.trial("candidate", design) as trial:
            result = fit_candidate(
                lambda: task.make_space().derive(design, weights=False), task.data, config,
                lambda record: trial.validated(record.valid_auc), label=label, console=task.console,
            )  # fmt: skip
            trial.result(result.best_valid_auc)
    except TrainingError:
        found.samples += config.max_samples or 0  # a failed candidate has spent its share
        found.designs.append((design, None))
        return
    points = trace_of(result.history, seconds=seconds)
    found.trace += [replace(point, samples=before + point.samples) for point in points]
    found.samples += result.samples
    found.designs.append((design, result.best_valid_auc))
