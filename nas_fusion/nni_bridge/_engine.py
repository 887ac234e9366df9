"""NNI's sequential engine, made honest.

- Its own error log of a failed model is a page long and it stops at the first; a candidate that cannot be trained (a
  non-finite loss, say) is a fact about that design, and the search goes on.
- NaN compares as the best model in NNI's ``sorted(..., reverse=True)`` and is never below a tournament's winner: a
  final metric that is not finite makes the model fail, and no strategy sees it.
- It counts models, not samples.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge._nni import FinalMetricEvent, ModelEventType, ModelStatus, SequentialExecutionEngine

logger = logging.getLogger("nas_fusion")


class BudgetedEngine(SequentialExecutionEngine):
    """Run one candidate after the other in this process until a budget is spent.

    Args:
        budget_left: whether another candidate may be started.
        max_models: the most candidates, however cheap they are.
    """

    def __init__(self, budget_left: Callable[[], bool], max_models: int | None = None) -> None:
        super().__init__(max_model_count=max_models)
        self._budget_left = budget_left
        self.register_model_event_callback(ModelEventType.FinalMetric, refuse_non_finite)

    def budget_available(self) -> bool:
        """Whether another candidate may be started."""
        return bool(super().budget_available()) and self._budget_left()

    def _run_single_model(self, model: Any) -> None:
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
