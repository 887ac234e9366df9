"""NNI's sequential engine, made honest.

- Its own error log of a failed model is a page long and it stops at the first; a candidate that cannot be trained (a
  non-finite loss, say) is a fact about that design, and the search goes on.
- NaN compares as the best model in NNI's ``sorted(..., reverse=True)`` and is never below a tournament's winner: a
  final metric that is not finite makes the model fail, and no strategy sees it.
- It counts models, not samples, and takes more of them than it has budget for; here a strategy that submits one more,
  without having asked, is ended.
- A model's first weights come from whatever state torch's generator is in, so from the models that were trained before
  it: `CandidateSpace` leaves making the model to the evaluator.

Candidates are run in *waves*: as many as there may be at once are proposed before the first is run, and their results
come in the order of the proposals. So a strategy proposes the same, however the candidates of a wave are run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.random import RandomState

from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.nni_bridge.nni_import import (
    ExecutableModelSpace,
    FinalMetricEvent,
    ModelEventType,
    ModelStatus,
    SequentialExecutionEngine,
    SimplifiedModelSpace,
)
from nas_fusion.system.allowance import SearchStopped, current_allowance

logger = logging.getLogger("nas_fusion")


@runtime_checkable
class DrawsSamples(Protocol):
    """Choices (an NNI `MutableDict`) that know how to draw a sample where drawing again and again may find none."""

    def draw(self, random_state: RandomState | None) -> dict[str, Any] | None:
        """A random sample, by label; None where NNI may draw as ever. `random_state` is NumPy's, or None."""


class CandidateSpace(SimplifiedModelSpace):
    """NNI's simplified space, which hands the evaluator the candidate itself, not a model of it."""

    def execute(self) -> Any:
        """Evaluate the candidate; its model is made by its `executable_model`, by whoever needs one."""
        return self.evaluator.evaluate(self)

    def draw(self, random_state: RandomState | None) -> dict[str, Any] | None:
        """A sample as the space draws it, where it does (`DrawsSamples`)."""
        return self.mutables.draw(random_state) if isinstance(self.mutables, DrawsSamples) else None

    def random(self, memo: Any = None, random_state: RandomState | None = None) -> Any:
        """A random candidate; a space that can draw one where limits refuse nearly all (`draw`) is asked to."""
        sample = self.draw(random_state)
        if sample is None:
            return super().random(memo, random_state)
        if memo is not None:
            memo.update(sample)
        return self.freeze(sample)


class BudgetedEngine(SequentialExecutionEngine):
    """Run candidates, wave by wave, until a budget is spent.

    Args:
        budget_left: whether another candidate may be started.
        max_models: the most candidates, however cheap they are.
        concurrency: candidates of a wave.
        start_wave: called with the candidates of a wave before the evaluator is, one after the other.
        submitted: called with every candidate that the strategy submits.
        going_on: asked, where there is room in a wave, which candidates that were run are to be run once more, at most
            so many; the second argument is whether the strategy has ended, so that nobody new comes.

    Raises:
        OptionError: `concurrency` is less than 1.
    """

    def __init__(
        self,
        budget_left: Callable[[], bool],
        max_models: int | None = None,
        concurrency: int = 1,
        start_wave: Callable[[Sequence[Any]], None] | None = None,
        submitted: Callable[[Any], None] = lambda model: None,
        going_on: Callable[[int, bool], Sequence[Any]] = lambda at_once, ended: (),
    ) -> None:
        super().__init__(max_model_count=max_models)
        if concurrency < 1:
            raise OptionError("concurrency", "a positive integer", concurrency)
        self.concurrency = concurrency
        self._budget_left, self._start_wave = budget_left, start_wave
        self._submitted, self._going_on = submitted, going_on
        self._wave: list[Any] = []
        self._promised = False
        self.register_model_event_callback(ModelEventType.FinalMetric, refuse_non_finite)

    def budget_available(self) -> bool:
        """Whether another candidate may be started."""
        self._promised = bool(super().budget_available()) and self._budget_left()
        return self._promised

    def submit_models(self, *models: ExecutableModelSpace) -> None:
        """Take candidates; a wave that is complete is run.

        Raises:
            SearchStopped: there is no budget for another candidate.
        """
        for model in models:
            # Seconds may be spent between the answer and the candidate; then it is refused where it would be trained.
            if not self._promised and not self.budget_available():
                raise SearchStopped("it submitted another candidate though its budget was spent")
            self._promised = False
            self._model_count += 1
            self._history.append(model)
            self._wave.append(model)
            self._submitted(model)
            if len(self._wave) >= self.concurrency:
                self.wait_models()

    def wait_models(self, *models: ExecutableModelSpace) -> None:
        """Run what has been proposed and not been run; then those that go on, as long as they fill a wave.

        If they do not, they wait for proposals that fill it.
        """
        self._run_wave()
        while self._fill(ended=False) >= self.concurrency:
            self._run_wave()

    def finish(self) -> None:
        """The strategy has ended: run what has not been run, and all that still goes on."""
        self._run_wave()
        while self._fill(ended=True):
            self._run_wave()

    def _fill(self, *, ended: bool) -> int:
        """Put those that go on into the wave; how many candidates it has then."""
        if len(self._wave) < self.concurrency:
            for model in self._going_on(self.concurrency - len(self._wave), ended):
                self._wave.append(model)
        return len(self._wave)

    def _run_wave(self) -> None:
        wave, self._wave = self._wave, []
        with current_allowance().we_run():
            if wave and self._start_wave is not None:
                self._start_wave(wave)
            for model in wave:
                model.metrics.clear()  # NNI warns of a second final metric
                self._run_single_model(model)

    def _run_single_model(self, model: ExecutableModelSpace) -> None:
        try:
            super()._run_single_model(model)
        except TrainingError as error:
            # The engine has told its listeners that the model failed; the budget it used is counted.
            logger.info("candidate failed: %s", error)

    def best_model(self) -> Any | None:
        """The trained model with the best finite metric; the first of equals; None if there is none."""
        trained = [m for m in self.list_models(ModelStatus.Trained) if m.metric is not None and math.isfinite(m.metric)]
        return max(trained, key=lambda m: m.metric) if trained else None


def refuse_non_finite(event: FinalMetricEvent) -> None:
    """Listener for an engine's final metrics: NaN and infinity become a failure of the model.

    Raises:
        TrainingError: the metric is not finite.
    """
    if not math.isfinite(event.metric):
        raise TrainingError(f"the final metric must be finite, got {event.metric!r}")
