"""Run a one-shot strategy: one supernet, one design."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from torch import nn

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StrategyError
from nas_fusion.nni_bridge import ModelSpace, RawFormatModelSpace, SequentialExecutionEngine, Strategy, learners
from nas_fusion.records import TracePoint
from nas_fusion.search.front.candidate_front import CandidateFront, FrontPoint, front_details, marked
from nas_fusion.search.front.design_costs import costs_of_designs
from nas_fusion.search.oneshot.choices_over_epochs import ChoiceRecorder
from nas_fusion.search.oneshot.discretisation_gap import measure_derived
from nas_fusion.search.oneshot.measured_choice import MeasuredChoice
from nas_fusion.search.oneshot.measured_closing import MeasuredClosing
from nas_fusion.search.oneshot.refinement import refine
from nas_fusion.search.outcome import SearchOutcome, trace_of
from nas_fusion.search.strategy_faults import warn_of_end
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace, Scores, SupernetBlock, SupernetNode, scores_of
from nas_fusion.statistics import difference_error, loss_margin
from nas_fusion.strategy import StrategyEntry
from nas_fusion.strategy.abilities import (
    ClosesByMeasure,
    CountsDeriving,
    HearsValidations,
    LeavesSoftStart,
    MeasuresChoices,
    PrefersSmall,
    RankedDesign,
    RanksDesigns,
    RefinesDesigns,
    SharesBudget,
    SoftStart,
    check_abilities,
)
from nas_fusion.system.allowance import current_allowance
from nas_fusion.training import EpochRecord, OneShotRun, Rank, SizeRule, TrainConfig, oneshot_evaluator, seeded
from nas_fusion.training.threads import threads_of
from nas_fusion.training_log import Training


def run_oneshot(entry: StrategyEntry, strategy: Strategy, task: SearchTask) -> SearchOutcome:
    """Train the strategy's supernet within the budget and derive its design.

    Raises:
        OptionError: the strategy has a part of an ability only (`nas_fusion.strategy.abilities`), or is soft and
            leaves nothing.
        TrainingError: the supernet's loss or predictions are not finite.
        StrategyError: the strategy trained or derived nothing.
    """
    # Before anything is trained: a misspelt ability would otherwise only be missing.
    check_abilities(strategy, entry.name)
    if entry.mode == "soft" and not isinstance(strategy, LeavesSoftStart):
        raise OptionError(f"strategy of {entry.name}, which is soft,", "one with soft_start()", type(strategy).__name__)
    with task.training_log.training("search") as training:
        outcome = _run_oneshot(entry, strategy, task, training)
        training.derived(outcome.design)
        training.result(outcome.valid_auc)
    return outcome


def _run_oneshot(entry: StrategyEntry, strategy: Strategy, task: SearchTask, training: Training) -> SearchOutcome:
    choices = ChoiceRecorder()
    run = _evaluator(entry, strategy, task, training, choices)
    space: ModelSpace = task.make_space()
    supernet = RawFormatModelSpace(space, run.evaluator)
    with threads_of(space, task.config):
        ended = current_allowance().run(lambda: strategy(supernet, SequentialExecutionEngine()))
    warn_of_end(task, ended)
    final = run.monitor.final
    closing = None if final is None else _measured_closing(strategy, final, task)
    sample = _derived(entry, strategy)
    if final is None:
        raise StrategyError(entry.name, "it trained no supernet to a validation")
    ranked: Sequence[RankedDesign] = strategy.ranking if isinstance(strategy, RanksDesigns) else ()
    trace = _ranking_trace(ranked, run.meter.samples, task) if ranked else trace_of(run.monitor.history)
    own = strategy.derive_samples if isinstance(strategy, CountsDeriving) else None
    derive_samples = len(ranked) * len(task.data.valid) if own is None else own
    if closing is not None:
        final = replace(final, valid_auc=closing.auc)
    derived, scores = FusionDesign.from_sample(sample).check(), _scores(strategy)
    choice = _measured_choice(strategy, scores, final, task)
    design, points = (
        (derived, _ranked_front(ranked, derived, task)) if choice is None else choice.choose_preferred(derived)
    )
    outcome = SearchOutcome(
        design=design,
        valid_auc=max((p.valid_auc for p in trace), default=None),
        trace=trace,
        samples=run.meter.samples + derive_samples,
        seconds=task.watch.elapsed,
        candidates=len(ranked),
        soft=_soft_start(entry, strategy),
        details={
            **choices.details(),
            **({"ended": ended} if ended else {}),
            "chosen_epoch": final.epoch,
            **({} if closing is None else {"closed": closing.told()}),
            **(front_details(points, None if choice is None else task.prefer) if points else {}),
        },
        derive_samples=derive_samples,
        derive_seconds=0.0 if run.monitor.ended is None else task.watch.now() - run.monitor.ended,
        alternatives=_by_rank(ranked)[1:],
        scores=scores,
    )
    if closing is not None:
        outcome = replace(outcome, measure_samples=closing.passes * len(task.data.valid))
    if choice is not None:
        outcome = _with_choice(outcome, choice, derived)
    _keep_ranked(strategy, ranked, trace, task)
    known = None if choice is None or not isinstance(outcome.design, FusionDesign) else choice.auc_of(outcome.design)
    outcome = measure_derived(outcome, strategy, final, task, known)
    refines = isinstance(strategy, RefinesDesigns) and strategy.refinement > 0
    return _refined(outcome, strategy, task) if refines else outcome


def _derived(entry: StrategyEntry, strategy: Strategy) -> Any:
    derived: list[Any] = []
    ended = current_allowance().run(lambda: derived.extend(islice(strategy.list_models(), 1)))
    if ended is not None:
        raise StrategyError(entry.name, f"it did not end by itself ({ended}), and derived no design")
    if not derived or derived[0].sample is None:
        raise StrategyError(entry.name, "it derived no design")
    return derived[0].sample


def _measured_closing(strategy: Strategy, final: EpochRecord, task: SearchTask) -> MeasuredClosing | None:
    """Close what validation rows do not miss; None where the strategy does not ask for it."""
    supernet = strategy.supernet
    if not isinstance(strategy, ClosesByMeasure) or strategy.measured_closings < 2:
        return None
    # A supernet of another kind is no set of connections.
    if not isinstance(supernet, FusionSpace):
        return None
    closing = MeasuredClosing(strategy, supernet, final.valid_auc, task)
    closing.close()
    return closing


def _measured_choice(
    strategy: Strategy, scores: Scores | None, final: EpochRecord | None, task: SearchTask
) -> MeasuredChoice | None:
    """What holds the derived design against its neighbours; None where the strategy does not ask for it."""
    most = strategy.measured_designs if isinstance(strategy, MeasuresChoices) else 0
    # A supernet of another kind has no weights for single designs.
    if most < 2 or scores is None or not isinstance(strategy.supernet, FusionSpace):
        return None
    return MeasuredChoice(strategy.supernet, scores, None if final is None else final.valid_auc, task, most)


def _ranked_front(ranked: Sequence[RankedDesign], derived: FusionDesign, task: SearchTask) -> list[FrontPoint]:
    """The front of designs that a strategy has ranked itself; their predictions are not known, and it has chosen."""
    if not ranked:
        return []
    front = CandidateFront(costs_of_designs(task), "auc", task.data.valid)
    with task.watch.paused():
        for one in ranked:
            front.add(one.design, one.valid_auc, Rank(one.valid_auc, 0.0))
        return marked(front.choose("best")[1], derived) if front.candidates else []


def _with_choice(outcome: SearchOutcome, choice: MeasuredChoice, derived: FusionDesign) -> SearchOutcome:
    """The outcome of a search whose design was chosen by measurement: passes count in its seconds, not its samples."""
    told = [{"design": str(design), "valid_auc": auc} for design, auc in choice.measured.items() if math.isfinite(auc)]
    return replace(
        outcome,
        alternatives=tuple(design for design in choice.by_auc if design != outcome.design),
        details={**outcome.details, "derived": str(derived), "measured": told},
        measure_samples=outcome.measure_samples + choice.samples,
    )


def _refined(outcome: SearchOutcome, strategy: RefinesDesigns, task: SearchTask) -> SearchOutcome:
    refined = refine(strategy, task, outcome.samples, len(outcome.trace))
    trace = (*outcome.trace, *refined.trace)
    design, front = outcome.design, dict[str, Any]()
    if refined.trained:
        with task.watch.paused():
            design, points = refined.front.choose(task.prefer)
        front = front_details(points, task.prefer)
    return replace(
        outcome,
        design=design,
        valid_auc=max((p.valid_auc for p in trace), default=None),
        trace=trace,
        samples=outcome.samples + refined.samples,
        seconds=task.watch.elapsed,
        candidates=len(refined.designs),
        soft=None,
        details={**outcome.details, **front, "derived": str(outcome.design), "candidates": refined.details},
        derive_samples=outcome.derive_samples + refined.samples,
        derive_seconds=outcome.derive_seconds + refined.seconds,
        alternatives=tuple(known for known in refined.by_rank if known != design),
    )


RESERVED_SHARE = 0.5
"""Of a budget in seconds, a one-shot strategy that derives by passes over the validation rows keeps at most this."""


def _evaluator(
    entry: StrategyEntry, strategy: Strategy, task: SearchTask, training: Training, choices: ChoiceRecorder
) -> OneShotRun:
    shares = strategy if isinstance(strategy, SharesBudget) else None
    samples, left = task.budget.samples, None if task.watch.limit is None else task.watch.left
    if shares is not None:
        samples = None if samples is None else shares.training_samples(samples)
        left = None if left is None else shares.training_seconds(left)
    # Any gain counts for the patience of a search, as published; the recipe's smallest one is the re-training's.
    config = replace(
        task.config,
        max_samples=samples,
        max_seconds=None if left is None else max(left, math.ulp(1.0)),
        patience=entry.patience,
        min_improvement=0.0,
        lr_drop=1.0,
    )
    return oneshot_evaluator(
        task.data, config, description=task.label, console=task.console,
        keep_best=entry.keep_best_epoch, callbacks=(choices,),
        on_validation=partial(_tell, strategy, task, training),
        # Where designs are ranked, they are the models that count, not the supernet.
        on_model=None if isinstance(strategy, RanksDesigns) else partial(_keep_supernet, task),
        clock=task.watch.now, reserve=_reserve(strategy, config), size_rule=_size_rule(strategy, task),
    )  # fmt: skip


def _size_rule(strategy: Strategy, task: SearchTask) -> SizeRule[EpochRecord] | None:
    """When a smaller supernet than the best is kept; None where the strategy does not ask for it."""
    if not isinstance(strategy, PrefersSmall) or not strategy.prefers_small:
        return None
    valid = task.data.valid
    return SizeRule(
        strategy.size, lambda best: difference_error(best.valid_auc, valid.positives, len(valid) - valid.positives)
    )


def _tell(strategy: Strategy, task: SearchTask, training: Training, record: EpochRecord) -> None:
    training.validated(record.valid_auc)
    if isinstance(strategy, HearsValidations):
        valid = task.data.valid
        margin = loss_margin(record.valid_auc, valid.positives, len(valid) - valid.positives)
        strategy.heard_validation(record.valid_auc, margin)


def _keep_supernet(task: SearchTask, supernet: nn.Module, record: EpochRecord) -> None:
    task.keep(supernet, trace_of([record])[0], record.epoch - 1)


def _reserve(strategy: Strategy, config: TrainConfig) -> Callable[[float | None], float]:
    passes, seconds = strategy.derive_passes if isinstance(strategy, SharesBudget) else 0, config.max_seconds
    passes += strategy.measured_designs if isinstance(strategy, MeasuresChoices) else 0
    passes += strategy.measured_closings if isinstance(strategy, ClosesByMeasure) else 0
    if not passes or seconds is None:
        return lambda validation_seconds: 0.0
    most = RESERVED_SHARE * seconds
    passes += 1  # the validation after the stop
    return lambda validation_seconds: most if validation_seconds is None else min(most, passes * validation_seconds)


def _by_rank(ranked: Sequence[RankedDesign]) -> tuple[FusionDesign, ...]:
    usable = [r for r in ranked if math.isfinite(r.valid_auc)]
    return tuple(r.design for r in sorted(usable, key=lambda r: r.valid_auc, reverse=True))


def _scores(strategy: Strategy) -> Scores | None:
    """What a supernet that learns its architecture thinks of every choice."""
    parts = [m for m in learners(strategy.supernet) if isinstance(m, SupernetNode | SupernetBlock)]
    return scores_of(parts) if parts else None


def _ranking_trace(ranked: Sequence[RankedDesign], trained: int, task: SearchTask) -> tuple[TracePoint, ...]:
    rows = len(task.data.valid)
    return tuple(
        TracePoint(r.seconds, trained + i * rows, r.valid_auc)
        for i, r in enumerate(ranked, start=1)
        if math.isfinite(r.valid_auc)
    )


def _keep_ranked(
    strategy: Strategy, ranked: Sequence[RankedDesign], trace: Sequence[TracePoint], task: SearchTask
) -> None:
    """Tell the incumbents of the ranked designs, each as it is in the supernet, whose weights are still the same."""
    finite = [r for r in ranked if math.isfinite(r.valid_auc)]
    best = -math.inf
    for place, (candidate, point) in enumerate(zip(finite, trace, strict=bool(ranked))):
        if candidate.valid_auc > best:
            best = candidate.valid_auc
            with seeded(task.seed):
                model = strategy.supernet.derive(candidate.design, weights=True)
            task.keep(model, point, place)


def _soft_start(entry: StrategyEntry, strategy: Strategy) -> SoftStart | None:
    if not isinstance(strategy, LeavesSoftStart):
        return None
    start = strategy.soft_start()
    if not isinstance(start, SoftStart):
        raise OptionError(f"soft_start() of {entry.name}", "a SoftStart", type(start).__name__)
    # The strategy and its supernet go away; what is kept of them must not hold their memory.
    weights = {name: value.detach().cpu().clone() for name, value in start.weights.items()}
    return SoftStart(weights, start.mixture)
