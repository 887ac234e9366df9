"""Run a multi-trial strategy: one candidate design after the other, each trained for a share of the budget."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import (
    BudgetedEngine,
    CandidateSpace,
    ExecutableModelSpace,
    FunctionalEvaluator,
    ModelStatus,
    Strategy,
    nni,
)
from nas_fusion.records import TracePoint
from nas_fusion.search.engines import InProcess, KnownTrainings
from nas_fusion.search.front.candidate_front import CandidateFront, front_details
from nas_fusion.search.front.design_costs import costs_of_designs
from nas_fusion.search.multitrial.budget_shares import OutOfTimeError, TimeShares, samples_per_candidate
from nas_fusion.search.multitrial.candidates import (
    CandidateTraining,
    LookedUp,
    TrainedCandidate,
    TrainingAsTrials,
    TrainingHere,
)
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.strategy_faults import warn_of_end
from nas_fusion.search.task import SearchTask
from nas_fusion.system.allowance import current_allowance
from nas_fusion.training import TrainConfig


@dataclass
class CandidateTrainer:
    """What NNI calls for every candidate: train it for its share, report how good it was on validation rows.

    NNI's sequential engine with one Lightning evaluator would train the first model only and reuse the finished
    trainer for the others; here every candidate has its own.

    Args:
        task: the search that the candidates belong to.
        config: the recipe of one candidate, with its share of the budget.
        training: how and where a candidate is trained.
        shares: of the seconds, if there is a limit.
        front: told of every candidate that could be trained.
    """

    task: SearchTask
    config: TrainConfig
    training: CandidateTraining
    shares: TimeShares
    front: CandidateFront
    samples: int = 0
    tried: list[Any] = field(default_factory=list)
    trace: list[TracePoint] = field(default_factory=list)
    problem: str = ""
    results: dict[int, TrainedCandidate] = field(default_factory=dict)  # by the place among those tried

    def __call__(self, candidate: ExecutableModelSpace) -> None:
        """Train one candidate and report to NNI."""
        self.tried.append(candidate)
        label = f"{self.task.label} {len(self.tried)}/{self.task.candidates}"
        try:
            result = self.training.train(candidate, label, len(self.trace))
        except OutOfTimeError:
            # It was never trained: the seconds ended before its turn.
            self.tried.pop()
            raise
        except TrainingError as error:
            self.samples += self.config.max_samples or 0  # a failed candidate has spent its share
            self.problem = str(error)
            raise
        self.trace += [replace(point, samples=self.samples + point.samples) for point in result.trace]
        self.samples += result.samples
        design = FusionDesign.from_sample(candidate.sample)
        with self.task.watch.paused():
            self.front.add(design, result.valid_auc, result.best_rank, result.valid_logits)
        self.results[len(self.tried) - 1] = result._replace(valid_logits=None)
        # NNI's functional evaluator takes a candidate's result from here.
        nni.report_final_result(result.best_rank.score)

    def by_rank(self) -> list[tuple[Any, TrainedCandidate]]:
        """The candidates whose result counts, best first; of equals the first."""
        trained = [
            (model, self.results[place])
            for place, model in enumerate(self.tried)
            if place in self.results and model.status == ModelStatus.Trained and math.isfinite(model.metric)
        ]
        return sorted(trained, key=lambda one: one[1].best_rank, reverse=True)

    def valid_auc(self, place: int) -> float | None:
        """Of the candidate with this place among those tried; None where it could not be trained."""
        found = self.results.get(place)
        return None if found is None else found.valid_auc

    def share_left(self) -> bool:
        """Whether the budget pays for another candidate."""
        return len(self.tried) < self.task.candidates and self.shares.fits()


def run_multitrial(strategy: Strategy, task: SearchTask) -> SearchOutcome:
    """Let the strategy propose candidates until the budget is spent; return the one that the task prefers.

    That is the cheapest of those that validation rows cannot tell from the best, or the best (`SearchTask.prefer`).
    Candidates get equal shares of the budget; of a budget in seconds see `TimeShares`.

    Raises:
        TrainingError: no candidate could be trained.
        StudyError: NNI's service cannot run trials.
    """
    config = candidate_recipe(task)
    shares = time_shares(task)
    with _training(task, config, shares) as training:
        front = CandidateFront(costs_of_designs(task), config.select, task.data.valid)
        trainer = CandidateTrainer(task, config, training, shares, front)
        engine = BudgetedEngine(trainer.share_left, task.candidates, task.engine.concurrency, training.start)
        space = CandidateSpace.from_model(task.make_space(), FunctionalEvaluator(trainer))
        ended = current_allowance().run(lambda: strategy(space, engine))
        engine.wait_models()
    warn_of_end(task, ended)
    ranked = trainer.by_rank()
    if not ranked:
        problem = f"none of {len(trainer.tried)} candidates could be trained; lower the learning rate?"
        raise TrainingError(f"{problem} The last one: {trainer.problem}" if trainer.problem else problem)
    with task.watch.paused():
        chosen, points = front.choose(task.prefer)
    by_rank = [FusionDesign.from_sample(model.sample).check() for model, _ in ranked]
    models = [
        {"design": str(FusionDesign.from_sample(model.sample)), "valid_auc": trainer.valid_auc(place)}
        for place, model in enumerate(trainer.tried)
    ]
    return SearchOutcome(
        design=chosen,
        valid_auc=ranked[0][1].valid_auc,
        trace=tuple(trainer.trace),
        samples=trainer.samples,
        seconds=task.watch.elapsed,
        candidates=len(trainer.tried),
        details={
            "candidates": models,
            **front_details(points, task.prefer),
            **({"ended": ended} if ended else {}),
        },
        alternatives=tuple(design for design in by_rank if design != chosen),
    )


def candidate_recipe(task: SearchTask) -> TrainConfig:
    """The recipe of one candidate: its share of the samples, without early stop; `TimeShares` limit the seconds."""
    samples = task.budget.samples
    share = None if samples is None else samples_per_candidate(samples, task.candidates, task.config.batch_size)
    return replace(task.config, max_samples=share, patience=0, lr_drop=1.0)


def time_shares(task: SearchTask) -> TimeShares:
    """The shares of a search's candidates, or of its waves where the candidates of a wave are trained side by side."""
    at_once = 1 if isinstance(task.engine, InProcess) else task.engine.concurrency
    # Side by side the candidates of a wave take the time of one.
    return TimeShares(task.watch, math.ceil(task.candidates / at_once))


@contextmanager
def _training(task: SearchTask, config: TrainConfig, shares: TimeShares) -> Iterator[CandidateTraining]:
    if isinstance(task.engine, InProcess):
        yield TrainingHere(task, config, shares)
        return
    if isinstance(task.engine, KnownTrainings):
        yield LookedUp(task, config, task.engine)
        return
    with task.engine.running() as run, ExitStack() as until:
        yield TrainingAsTrials(task, config, shares, task.engine, run, until)
