"""Run a multi-trial strategy: one candidate design after the other, each trained for a share of the budget."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import BudgetedEngine, FunctionalEvaluator, SimplifiedModelSpace, nni
from nas_fusion.records import TracePoint
from nas_fusion.search._task import SearchOutcome, SearchTask
from nas_fusion.search._trace import trace_of
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import FitResult, TrainConfig, fit


def samples_per_candidate(budget: int, candidates: int, batch_size: int) -> int:
    """A candidate's share of the budget in whole batches, at least one."""
    return max(1, math.floor(budget / candidates / batch_size)) * batch_size


@dataclass
class CandidateTrainer:
    """What NNI calls for every candidate: train it for its share, report its best validation AUC.

    NNI's sequential engine with one Lightning evaluator would train the first model only and reuse the finished
    trainer for the others; here every candidate has its own.

    Args:
        task: the search that the candidates belong to.
        config: the recipe of one candidate, with its share of the budget.
    """

    task: SearchTask
    config: TrainConfig
    samples: int = 0
    started: int = 0
    trace: list[TracePoint] = field(default_factory=list)
    start: float = field(default_factory=time.perf_counter)

    def __call__(self, model: FusionSpace) -> None:
        """Train one candidate and report to NNI."""
        self.started += 1
        seconds, before = time.perf_counter() - self.start, self.samples
        label = f"{self.task.label} {self.started}/{self.task.candidates}"
        try:
            result = self._fit(model, label)
        except TrainingError:
            self.samples += self.config.max_samples or 0  # a failed candidate has spent its share
            raise
        self.samples += result.samples
        self.trace += trace_of(result.history, seconds=seconds, samples=before)
        nni.report_final_result(result.best_valid_auc)

    def _fit(self, model: FusionSpace, label: str) -> FitResult:
        with self.task.trials.trial("candidate", model.design) as trial:
            result = fit(
                model, self.task.data, self.config, description=label, console=self.task.console,
                on_validation=lambda record: trial.validated(record.valid_auc),
            )  # fmt: skip
            trial.result(result.best_valid_auc)
        return result

    def share_left(self) -> bool:
        """Whether the budget pays for another candidate."""
        return self.started < self.task.candidates


def run_multitrial(strategy: Any, task: SearchTask) -> SearchOutcome:
    """Let the strategy propose candidates until the budget is spent; return the best on validation data.

    Raises:
        TrainingError: no candidate could be trained.
    """
    start = time.perf_counter()
    share = samples_per_candidate(task.budget.samples, task.candidates, task.config.batch_size)
    trainer = CandidateTrainer(task, replace(task.config, max_samples=share, patience=0, lr_drop=1.0))
    engine = BudgetedEngine(trainer.share_left, max_models=task.candidates)
    space = SimplifiedModelSpace.from_model(task.make_space(), FunctionalEvaluator(trainer))
    strategy(space, engine)
    best = engine.best_model()
    if best is None:
        raise TrainingError(f"none of {trainer.started} candidates could be trained; lower the learning rate?")
    models = [{"design": str(FusionDesign.from_sample(m.sample)), "valid_auc": m.metric} for m in engine.list_models()]
    return SearchOutcome(
        design=FusionDesign.from_sample(best.sample).check(),
        valid_auc=float(best.metric),
        trace=tuple(trainer.trace),
        samples=trainer.samples,
        seconds=time.perf_counter() - start,
        candidates=trainer.started,
        details={"candidates": models},
    )
