"""Run a multi-trial strategy: one candidate design after the other, each trained for its part of the budget."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError, WriteError
from nas_fusion.nni_bridge import (
    BudgetedEngine,
    CandidateSpace,
    ExecutableModelSpace,
    FunctionalEvaluator,
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
from nas_fusion.search.multitrial.rungs import RungPlan, Rungs, equal_shares, plan_rungs
from nas_fusion.search.multitrial.starts import Starts, begin
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.strategy_faults import warn_of_end
from nas_fusion.search.task import SearchTask
from nas_fusion.strategy.abilities import HalvesCandidates
from nas_fusion.system.allowance import current_allowance
from nas_fusion.system.files import sweep, temporary_folder
from nas_fusion.training import TrainConfig


@dataclass
class CandidateTrainer:
    """What NNI calls for every leg of a candidate: train it, report how good it was on validation rows.

    NNI's sequential engine with one Lightning evaluator would train the first model only and reuse the finished
    trainer for the others; here every candidate has its own.

    Args:
        task: the search that the candidates belong to.
        training: how and where a candidate is trained.
        rungs: how far.
        front: told of every candidate that could be trained.
    """

    task: SearchTask
    training: CandidateTraining
    rungs: Rungs
    front: CandidateFront
    samples: int = 0
    tried: list[Any] = field(default_factory=list)
    trace: list[TracePoint] = field(default_factory=list)
    problem: str = ""
    results: dict[int, TrainedCandidate] = field(default_factory=dict)  # the best legs, by the place among those tried
    seen: dict[int, int] = field(default_factory=dict)  # samples, by that place

    def start(self, wave: Sequence[ExecutableModelSpace]) -> None:
        """Start a wave's legs."""
        self.training.start(wave, [self.rungs.leg(candidate) for candidate in wave])

    def __call__(self, candidate: ExecutableModelSpace) -> None:
        """Train one leg of a candidate and report to NNI."""
        leg = self.rungs.leg(candidate)
        if not leg.rung:
            self.tried.append(candidate)
        place = next(at for at, model in enumerate(self.tried) if model is candidate)
        label = f"{self.task.label} {place + 1}/{self.task.candidates}"
        if leg.rung:
            label += f", rung {leg.rung + 1}"
        try:
            result = self.training.train(candidate, leg, label, len(self.trace))
        except OutOfTimeError:
            # It was never trained: the seconds ended before its turn.
            if not leg.rung:
                self.tried.pop()
            self.rungs.failed(candidate)
            raise
        except TrainingError as error:
            self.samples += (leg.samples or leg.seen) - leg.seen  # a leg that failed has spent its part
            self.problem = str(error)
            self.rungs.failed(candidate)
            raise
        best = self._kept(place, result)
        if math.isfinite(best.best_rank.score):
            self.rungs.reached(candidate, best.best_rank)
        # NNI's functional evaluator takes a candidate's result from here.
        nni.report_final_result(best.best_rank.score)

    def _kept(self, place: int, result: TrainedCandidate) -> TrainedCandidate:
        """Count a leg; the best that there is of its candidate now."""
        before = self.samples - self.seen.get(place, 0)
        self.seen[place] = result.samples
        self.trace += [replace(point, samples=before + point.samples) for point in result.trace]
        self.samples = before + result.samples
        earlier = self.results.get(place)
        if earlier is None or result.best_rank > earlier.best_rank:
            design = FusionDesign.from_sample(self.tried[place].sample)
            with self.task.watch.paused():
                self.front.add(design, result.valid_auc, result.best_rank, result.valid_logits)
            self.results[place] = result._replace(valid_logits=None)
        return self.results[place]

    def by_rank(self) -> list[tuple[Any, TrainedCandidate]]:
        """The candidates whose result counts, best first; of equals the first."""
        trained = [
            (model, self.results[place])
            for place, model in enumerate(self.tried)
            if place in self.results and math.isfinite(self.results[place].best_rank.score)
        ]
        return sorted(trained, key=lambda one: one[1].best_rank, reverse=True)

    def valid_auc(self, place: int) -> float | None:
        """Of the candidate with this place among those tried; None where it could not be trained."""
        found = self.results.get(place)
        return None if found is None else found.valid_auc

    def details(self, starts: Starts) -> list[dict[str, Any]]:
        """What is told of every candidate, in the order in which they were proposed."""
        return [self._told(model, place, starts) for place, model in enumerate(self.tried)]

    def _told(self, model: Any, place: int, starts: Starts) -> dict[str, Any]:
        design, several = FusionDesign.from_sample(model.sample), len(self.rungs.plan.steps) > 1
        start = starts.name_of(design, place)
        return {
            "design": str(design),
            "valid_auc": self.valid_auc(place),
            **({"rung": self.rungs.leg(model).rung + 1} if several else {}),
            **({} if start is None else {"start": start}),
        }


def run_multitrial(strategy: Strategy, task: SearchTask) -> SearchOutcome:
    """Let the strategy propose candidates until the budget is spent; return the one that the task prefers.

    That is the cheapest of those that validation rows cannot tell from the best, or the best (`SearchTask.prefer`).
    Candidates get equal shares of the budget, unless the strategy says otherwise (`HalvesCandidates`); of a budget in
    seconds see `TimeShares`.

    Raises:
        TrainingError: no candidate could be trained.
        StudyError: NNI's service cannot run trials.
    """
    config, plan = candidate_recipe(task), _plan(strategy, task)
    shares = time_shares(task, plan)
    own_space = task.make_space()
    starts = Starts.of(task, own_space)
    starts.warn_if_all(task)
    with _training(task, config, shares) as training, _files(training, plan) as folder:
        rungs = Rungs(plan, task.candidates, shares.fits, folder)
        front = CandidateFront(costs_of_designs(task), config.select, task.data.valid)
        trainer = CandidateTrainer(task, training, rungs, front)
        engine = BudgetedEngine(
            rungs.room, task.candidates, task.engine.concurrency, trainer.start, rungs.enter, rungs.going_on
        )
        space = CandidateSpace.from_model(own_space, FunctionalEvaluator(trainer))
        begin(strategy, starts, space, engine)
        ended = current_allowance().run(lambda: strategy(space, engine))
        engine.finish()
    warn_of_end(task, ended)
    ranked = trainer.by_rank()
    if not ranked:
        problem = f"none of {len(trainer.tried)} candidates could be trained; lower the learning rate?"
        raise TrainingError(f"{problem} The last one: {trainer.problem}" if trainer.problem else problem)
    with task.watch.paused():
        chosen, points = front.choose(task.prefer)
    by_rank = [FusionDesign.from_sample(model.sample).check() for model, _ in ranked]
    return SearchOutcome(
        design=chosen,
        valid_auc=ranked[0][1].valid_auc,
        trace=tuple(trainer.trace),
        samples=trainer.samples,
        seconds=task.watch.elapsed,
        candidates=len(trainer.tried),
        details={
            "candidates": trainer.details(starts),
            **starts.details(),
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


def time_shares(task: SearchTask, plan: RungPlan) -> TimeShares:
    """The shares of a search's candidates, or of its waves where the candidates of a wave are trained side by side."""
    at_once = 1 if isinstance(task.engine, InProcess) else task.engine.concurrency
    # Side by side the candidates of a wave take the time of one.
    return TimeShares(task.watch, math.ceil(plan.shares / at_once))


def _plan(strategy: Strategy, task: SearchTask) -> RungPlan:
    samples = task.budget.samples
    if isinstance(strategy, HalvesCandidates):
        most = task.config.max_epochs * len(task.data.train)
        plan = plan_rungs(strategy.halving, task.candidates, samples, task.config.batch_size, most)
        if plan is not None:
            return plan
    return equal_shares(task.candidates, candidate_recipe(task).max_samples)


@contextmanager
def _files(training: CandidateTraining, plan: RungPlan) -> Iterator[Path | None]:
    """A folder for interrupted trainings, which is gone afterwards; None where there are none."""
    if len(plan.steps) == 1 or isinstance(training, LookedUp):
        yield None
        return
    if isinstance(training, TrainingAsTrials):
        parent = training.run.folder  # its processes see it
    else:
        parent = Path(tempfile.gettempdir(), f"nas-fusion-{os.getuid()}")
        try:
            parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise WriteError(parent, error.strerror or error) from error
        sweep(parent)  # of searches that were killed
    with temporary_folder(parent, "interrupted") as folder:
        yield folder


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
