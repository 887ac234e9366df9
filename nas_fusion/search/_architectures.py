"""Training the candidates of a search over a space of its own, within the budget of a multi-trial strategy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from nas_fusion.architecture import Architecture
from nas_fusion.errors import TrainingError
from nas_fusion.nn import Fields
from nas_fusion.records import TracePoint
from nas_fusion.search._candidates import fit_candidate
from nas_fusion.search._multitrial import samples_per_candidate
from nas_fusion.search._task import SearchOutcome, SearchTask
from nas_fusion.search._trace import trace_of
from nas_fusion.training import TrainConfig


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
        self._start = time.perf_counter()
        task = self.task
        share = samples_per_candidate(task.budget.samples, task.candidates, task.config.batch_size)
        self._config: TrainConfig = replace(task.config, max_samples=share, patience=0, lr_drop=1.0)
        self._fields = task.make_space().fields

    def share_left(self) -> bool:
        """Whether the budget pays for another candidate."""
        return len(self.tried) < self.task.candidates

    def train(self, architecture: Architecture) -> float | None:
        """The best validation AUC of an architecture; None where it could not be trained."""
        try:
            valid_auc: float | None = self._train(architecture)
        except TrainingError as error:
            self.samples += self._config.max_samples or 0
            self.problem, valid_auc = str(error), None
        self.tried.append((architecture, valid_auc))
        return valid_auc

    def outcome(self, details: dict[str, Any] | None = None) -> SearchOutcome:
        """The best of them, and what all of them cost.

        Args:
            details: facts beside the list of candidates.

        Raises:
            TrainingError: none could be trained.
        """
        trained = [(architecture, auc) for architecture, auc in self.tried if auc is not None]
        if not trained:
            problem = f"none of {len(self.tried)} candidates could be trained; lower the learning rate?"
            raise TrainingError(f"{problem} The last one: {self.problem}" if self.problem else problem)
        best, valid_auc = max(trained, key=lambda one: one[1])
        candidates = [{"design": str(architecture), "valid_auc": auc} for architecture, auc in self.tried]
        return SearchOutcome(
            design=best,
            valid_auc=valid_auc,
            trace=tuple(self.trace),
            samples=self.samples,
            seconds=time.perf_counter() - self._start,
            candidates=len(self.tried),
            details={"candidates": candidates, **(details or {})},
        )

    def _train(self, architecture: Architecture) -> float:
        seconds = time.perf_counter() - self._start
        label = f"{self.task.label} {len(self.tried) + 1}/{self.task.candidates}"
        with self.task.trials.trial("candidate", architecture) as trial:
            result = fit_candidate(
                lambda: self.make_model(architecture, self._fields), self.task.data, self._config,
                lambda record: trial.validated(record.valid_auc), label=label, console=self.task.console,
            )  # fmt: skip
            trial.result(result.best_valid_auc)
        self.trace += trace_of(result.history, seconds=seconds, samples=self.samples)
        self.samples += result.samples
        return result.best_valid_auc
