"""Run a one-shot strategy: one supernet, one design."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from torch import nn

from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import ModelSpace, RawFormatModelSpace, SequentialExecutionEngine
from nas_fusion.records import TracePoint
from nas_fusion.search._choices import ChoiceRecorder
from nas_fusion.search._task import SearchOutcome, SearchTask, SoftStart
from nas_fusion.search._trace import trace_of
from nas_fusion.search_spaces import Scores, SupernetNode, scores_of
from nas_fusion.strategy import StrategyEntry
from nas_fusion.training import oneshot_evaluator
from nas_fusion.trials import Trial


def run_oneshot(entry: StrategyEntry, strategy: Any, task: SearchTask) -> SearchOutcome:
    """Train the strategy's supernet within the budget and derive its design.

    Raises:
        TrainingError: the supernet's loss or predictions are not finite.
    """
    with task.trials.trial("search") as trial:
        outcome = _run_oneshot(entry, strategy, task, trial)
        trial.found(outcome.design)
        trial.result(outcome.valid_auc)
    return outcome


def _run_oneshot(entry: StrategyEntry, strategy: Any, task: SearchTask, trial: Trial) -> SearchOutcome:
    start = time.perf_counter()
    samples = getattr(strategy, "training_samples", task.budget.samples)
    config = replace(task.config, max_samples=samples, patience=entry.patience, lr_drop=1.0)
    choices = ChoiceRecorder()
    run = oneshot_evaluator(
        task.data, config, description=task.label, console=task.console,
        keep_best=entry.keep_best_epoch, callbacks=(choices,),
        on_validation=lambda record: trial.validated(record.valid_auc),
    )  # fmt: skip
    space: ModelSpace = task.make_space()
    strategy(RawFormatModelSpace(space, run.evaluator), SequentialExecutionEngine())
    ranked: Sequence[RankedDesign] = getattr(strategy, "ranking", ())
    sample = next(iter(strategy.list_models())).sample
    if sample is None:
        raise TrainingError(f"{entry.name} derived no design")
    trace = _ranking_trace(ranked, run.meter.samples, task) if ranked else trace_of(run.monitor.history)
    return SearchOutcome(
        design=FusionDesign.from_sample(sample).check(),
        valid_auc=max((p.valid_auc for p in trace), default=None),
        trace=trace,
        samples=run.meter.samples + len(ranked) * len(task.data.valid),
        seconds=time.perf_counter() - start,
        candidates=len(ranked),
        soft=_soft_start(strategy),
        details=choices.details(),
        alternatives=_by_rank(ranked)[1:],
        scores=_scores(strategy),
    )


class RankedDesign(Protocol):
    """A one-shot strategy may rank designs with its supernet's weights and list them in an attribute `ranking`."""

    design: FusionDesign
    valid_auc: float
    seconds: float


def _by_rank(ranked: Sequence[RankedDesign]) -> tuple[FusionDesign, ...]:
    usable = [r for r in ranked if math.isfinite(r.valid_auc)]
    return tuple(r.design for r in sorted(usable, key=lambda r: r.valid_auc, reverse=True))


def _scores(strategy: Any) -> Scores | None:
    """What a supernet that learns its architecture thinks of every choice."""
    nodes = [m for m in strategy.supernet.modules() if isinstance(m, SupernetNode) and hasattr(m, "arch_parameters")]
    return scores_of(nodes) if nodes else None


def _ranking_trace(ranked: Sequence[RankedDesign], trained: int, task: SearchTask) -> tuple[TracePoint, ...]:
    rows = len(task.data.valid)
    return tuple(
        TracePoint(r.seconds, trained + i * rows, r.valid_auc)
        for i, r in enumerate(ranked, start=1)
        if math.isfinite(r.valid_auc)
    )


def _soft_start(strategy: Any) -> SoftStart | None:
    if not hasattr(strategy, "mixture"):
        return None
    supernet: nn.Module = strategy.supernet
    weights = {name: value.detach().cpu().clone() for name, value in supernet.state_dict().items()}
    return SoftStart(weights, strategy.mixture())
