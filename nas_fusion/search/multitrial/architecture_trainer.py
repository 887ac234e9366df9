"""Training the candidates of a search over a space of its own, within the budget of a multi-trial strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from nas_fusion.architecture import Architecture
from nas_fusion.errors import TrainingError
from nas_fusion.nn import Fields
from nas_fusion.records import TracePoint
from nas_fusion.search.front.candidate_front import CandidateFront, front_details
from nas_fusion.search.front.design_costs import costs_of_architectures
from nas_fusion.search.multitrial.budget_shares import TimeShares
from nas_fusion.search.multitrial.candidates import TrainedCandidate, train_candidate
from nas_fusion.search.multitrial.run_multitrial import candidate_recipe
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.task import SearchTask


@dataclass
class ArchitectureTrainer:
    """Trains one architecture after the other, each from scratch for the same share of the budget, in this process.

    Call `train` while `share_left()`, then `outcome()`. The rules are those of the multi-trial strategies over the
    fusion space: whole batches, the same recipe, first weights that depend on the seed alone, the best validation AUC
    of a candidate's epochs counts, and a candidate that cannot be trained has spent its share.

    Args:
        task: the search.
        make_model: makes the model of an architecture (`StrategyEntry.make_model`).
    """

    task: SearchTask
    make_model: Callable[[Architecture, Fields], nn.Module]
    samples: int = 0
    tried: list[tuple[Architecture, float | None]] = field(default_factory=list)
    trace: list[TracePoint] = field(default_factory=list)
    problem: str = ""

    def __post_init__(self) -> None:
        self._config, self._shares = candidate_recipe(self.task), TimeShares(self.task.watch, self.task.candidates)
        self._fields = self.task.make_space().fields
        self._trained: list[tuple[Architecture, TrainedCandidate]] = []
        costs_of = costs_of_architectures(self.task, self.make_model)
        self._front = CandidateFront(costs_of, self._config.select, self.task.data.valid)

    def share_left(self) -> bool:
        """Whether the budget pays for another candidate."""
        return len(self.tried) < self.task.candidates and self._shares.fits()

    def train(self, architecture: Architecture) -> float | None:
        """How good an architecture is on validation rows, the higher the better; None where it could not be trained.

        That is its best validation AUC, or what `TrainConfig.select` chooses by instead.
        """
        try:
            result = self._train(architecture)
        except TrainingError as error:
            self.samples += self._config.max_samples or 0
            self.problem = str(error)
            self.tried.append((architecture, None))
            return None
        self.tried.append((architecture, result.valid_auc))
        with self.task.watch.paused():
            self._front.add(architecture, result.valid_auc, result.best_rank, result.valid_logits)
        self._trained.append((architecture, result._replace(valid_logits=None)))
        return result.best_rank.score

    def outcome(self, details: dict[str, Any] | None = None) -> SearchOutcome:
        """The one of them that the task prefers (`SearchTask.prefer`), and what all of them cost.

        Args:
            details: facts besides the list of candidates.

        Raises:
            TrainingError: none could be trained.
        """
        if not self._trained:
            problem = f"none of {len(self.tried)} candidates could be trained; lower the learning rate?"
            raise TrainingError(f"{problem} The last one: {self.problem}" if self.problem else problem)
        _, best = max(self._trained, key=lambda one: one[1].best_rank)
        with self.task.watch.paused():
            chosen, points = self._front.choose(self.task.prefer)
        candidates = [{"design": str(architecture), "valid_auc": auc} for architecture, auc in self.tried]
        return SearchOutcome(
            design=chosen,
            valid_auc=best.valid_auc,
            trace=tuple(self.trace),
            samples=self.samples,
            seconds=self.task.watch.elapsed,
            candidates=len(self.tried),
            details={"candidates": candidates, **front_details(points, self.task.prefer), **(details or {})},
        )

    def _train(self, architecture: Architecture) -> TrainedCandidate:
        label = f"{self.task.label} {len(self.tried) + 1}/{self.task.candidates}"
        with self._shares.round() as limit, self.task.training_log.training("candidate", architecture) as training:
            result = train_candidate(
                self.task, replace(self._config, max_seconds=limit),
                lambda: self.make_model(architecture, self._fields),
                lambda record: training.validated(record.valid_auc), label, place=len(self.trace),
            )  # fmt: skip
            training.result(result.valid_auc)
        self.trace += [replace(point, samples=self.samples + point.samples) for point in result.trace]
        self.samples += result.samples
        return result
