"""Training the candidates of a multi-trial search: here, or as trials of an NNI service."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from rich.console import Console
from torch import nn

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import ExecutableModelSpace, TrainingServiceRun, TrialEnd
from nas_fusion.records import TracePoint
from nas_fusion.search.engines import KnownTrainings, TrainingService
from nas_fusion.search.multitrial.budget_shares import TimeShares
from nas_fusion.search.multitrial.rungs import Leg
from nas_fusion.search.outcome import trace_of
from nas_fusion.search.service.orders import failure_of, taken_logits, task_order, trial_parameters
from nas_fusion.search.task import SearchTask
from nas_fusion.training import EpochRecord, FitResult, Rank, TrainConfig, fit, seeded
from nas_fusion.training.quality import FloatArray
from nas_fusion.training_log import Training


class TrainedCandidate(NamedTuple):
    """What a candidate's training, or a leg of it, gave; the trace counts seconds of the search and samples of the
    candidate.

    `rank`: by what validation chooses; by the AUC if not given. `valid_logits`: of the validation rows ``[rows]``,
    where they are at hand.
    """

    valid_auc: float
    samples: int
    trace: tuple[TracePoint, ...]
    rank: Rank | None = None
    valid_logits: FloatArray | None = None

    @property
    def best_rank(self) -> Rank:
        """How good it is."""
        return self.rank or Rank(self.valid_auc, 0.0)


@runtime_checkable
class CandidateTraining(Protocol):
    """A way to train candidates: a wave is started, then each of its candidates is asked for, in the same order."""

    def start(self, wave: Sequence[ExecutableModelSpace], legs: Sequence[Leg]) -> None:
        """Start training these candidates, each a leg."""

    def train(self, candidate: ExecutableModelSpace, leg: Leg, label: str, place: int) -> TrainedCandidate:
        """The next candidate's result; the search's trace has `place` points before it.

        Raises:
            TrainingError: it could not be trained.
        """


def fit_candidate(
    make_model: Callable[[], nn.Module],
    data: SearchData,
    config: TrainConfig,
    on_validation: Callable[[EpochRecord], None],
    *,
    label: str = "",
    console: Console | None = None,
    **watching: Any,
) -> FitResult:
    """Train a candidate from first weights that depend on the seed alone, not on what was trained before it.

    Args:
        make_model: makes it.
        data, config, label, console, on_validation: as for `fit`.
        watching: `fit`'s `on_model`, `clock`, `start` and `leave`.

    Raises:
        TrainingError: the loss or a prediction is not finite.
    """
    with seeded(config.seed):
        model = make_model()
    return fit(model, data, config, description=label, console=console, on_validation=on_validation, **watching)


def train_candidate(
    task: SearchTask,
    config: TrainConfig,
    make_model: Callable[[], nn.Module],
    on_validation: Callable[[EpochRecord], None],
    label: str = "",
    *,
    place: int,
    leg: Leg | None = None,
) -> TrainedCandidate:
    """Train a candidate of a search in this process, by the search's watch; its incumbents are told.

    Args:
        task, config, make_model, on_validation, label: the search, and as for `fit_candidate`.
        place: how many points the search's trace has before this candidate's.
        leg: which part of its training, whose samples and seconds are in `config`; None: all of it.

    Raises:
        TrainingError: the loss or a prediction is not finite; then no incumbent came of it.
    """
    seconds, places = task.watch.elapsed, count(place)
    leg = leg or Leg()

    def keep(model: nn.Module, record: EpochRecord) -> None:
        task.keep(model, trace_of([record], seconds=seconds)[0], next(places))

    with task.incumbents.attempt():
        result = fit_candidate(
            make_model, task.data, config, on_validation,
            label=label, console=task.console, on_model=keep, clock=task.watch.now, start=leg.start, leave=leg.leave,
        )  # fmt: skip
    trace = trace_of(result.history, seconds=seconds)
    return TrainedCandidate(result.best_valid_auc, result.samples, trace, result.best_rank, result.valid_logits)


@dataclass
class TrainingHere:
    """One candidate after the other, in this process.

    Args:
        task: the search.
        config: the recipe of one candidate.
        shares: of the seconds, if there is a limit: one for each candidate.
    """

    task: SearchTask
    config: TrainConfig
    shares: TimeShares

    def start(self, wave: Sequence[ExecutableModelSpace], legs: Sequence[Leg]) -> None:
        """Nothing yet."""

    def train(self, candidate: ExecutableModelSpace, leg: Leg, label: str, place: int) -> TrainedCandidate:
        """See `CandidateTraining`.

        Raises:
            OutOfTimeError: the seconds were spent before it came to this candidate of a wave.
        """
        with self.shares.round(leg.shares) as limit:
            config = replace(self.config, max_samples=leg.samples, max_seconds=limit)
            with self.task.training_log.training("candidate", FusionDesign.from_sample(candidate.sample)) as training:
                result = train_candidate(
                    self.task, config, candidate.executable_model,
                    lambda record: training.validated(record.valid_auc), label, place=place, leg=leg,
                )  # fmt: skip
                training.result(result.valid_auc)
        return result


@dataclass
class LookedUp:
    """No candidate is trained: what its training gives is known.

    Args:
        task: the search.
        config: the recipe of one candidate.
        engine: knows.
    """

    task: SearchTask
    config: TrainConfig
    engine: KnownTrainings

    def start(self, wave: Sequence[ExecutableModelSpace], legs: Sequence[Leg]) -> None:
        """Nothing to be done."""

    def train(self, candidate: ExecutableModelSpace, leg: Leg, label: str, place: int) -> TrainedCandidate:
        """See `CandidateTraining`."""
        design, seconds = FusionDesign.from_sample(candidate.sample), self.task.watch.elapsed
        with self.task.training_log.training("candidate", design) as training:
            history = self.engine.history(design, replace(self.config, max_samples=leg.samples), leg.seen)
            best = max(history, key=lambda record: record.rank(self.config.select))
            training.result(best.valid_auc)
        trace = trace_of(history, seconds=seconds)
        return TrainedCandidate(best.valid_auc, history[-1].samples, trace, best.rank(self.config.select))


@dataclass
class _Sent:
    """A candidate that was sent to NNI's service."""

    outcome: Path
    told: ExitStack
    training: Training
    trace: list[TracePoint] = field(default_factory=list)
    end: TrialEnd = field(default_factory=TrialEnd)


@dataclass
class TrainingAsTrials:
    """A wave of candidates at once, each a trial of an NNI service.

    Validations are told as they come, results in the order of the candidates. The models stay in their processes:
    incumbents are not told.

    Args:
        task: the search.
        config: the recipe of one candidate.
        shares: of the seconds, if there is a limit: one for each wave.
        service: its engine.
        run: the running service.
        until: tells the end of trials that are still open when the search ends with an error.
    """

    task: SearchTask
    config: TrainConfig
    shares: TimeShares
    service: TrainingService
    run: TrainingServiceRun
    until: ExitStack
    _wave: list[_Sent] = field(default_factory=list)

    def start(self, wave: Sequence[ExecutableModelSpace], legs: Sequence[Leg]) -> None:
        """Train all of them; returns when the last one has ended."""
        designs = [FusionDesign.from_sample(candidate.sample) for candidate in wave]
        with self.shares.round(max(leg.shares for leg in legs)) as limit:
            config = replace(self.config, max_seconds=limit)
            order = task_order(self.task, config, wave[0].model, self.service)
            self._wave = [self._sent(design) for design in designs]
            parameters = [
                trial_parameters("candidate", order, sent.outcome, design, **_leg_order(config, leg))
                for sent, design, leg in zip(self._wave, designs, legs, strict=True)
            ]
            ends = self.run.run(parameters, self._on_metric)
        for sent, end in zip(self._wave, ends, strict=True):
            sent.end = end

    def train(self, candidate: ExecutableModelSpace, leg: Leg, label: str, place: int) -> TrainedCandidate:
        """See `CandidateTraining`."""
        sent = self._wave.pop(0)
        with sent.told:
            if not sent.end.succeeded:
                raise failure_of(sent.end, sent.outcome, self.run.folder)
            final = sent.end.final
            valid_auc, rank = _auc_in(final), Rank(float(final["default"]), float(final.get("tie", 0.0)))
            if not all(math.isfinite(auc) for auc in (*rank, valid_auc, *(point.valid_auc for point in sent.trace))):
                raise TrainingError(f"trial {sent.end.name} reported a validation AUC of {valid_auc}")
            sent.training.result(valid_auc)
        logits = taken_logits(sent.outcome)
        return TrainedCandidate(valid_auc, int(final["samples"]), tuple(sent.trace), rank, logits)

    def _sent(self, design: FusionDesign) -> _Sent:
        told = self.until.enter_context(ExitStack())
        training = told.enter_context(self.task.training_log.training("candidate", design))
        return _Sent(self.run.new_outcome(), told, training)

    def _on_metric(self, position: int, value: Any) -> None:
        sent, valid_auc = self._wave[position], _auc_in(value)
        seconds = self.task.watch.elapsed
        sent.trace.append(TracePoint(seconds, int(value["samples"]), valid_auc))
        sent.training.validated(valid_auc)


def _leg_order(config: TrainConfig, leg: Leg) -> dict[str, Any]:
    """The parts of a trial's order that are those of one candidate: to where it is trained, and from where."""
    files = {name: None if path is None else str(path) for name, path in (("start", leg.start), ("leave", leg.leave))}
    return {"config": asdict(replace(config, max_samples=leg.samples)), **files}


def _auc_in(metric: Mapping[str, Any]) -> float:
    """The validation AUC that a trial reported; where it reported one number alone, that is it."""
    return float(metric.get("valid_auc", metric["default"]))
