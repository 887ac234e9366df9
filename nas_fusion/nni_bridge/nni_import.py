"""NNI, imported once, in the right order and quietly.

- ``nni.nas.strategy`` must be imported before anything of ``nni.nas.oneshot``: the other way round a circular import
  turns every built-in one-shot strategy into an ``ImportFailedStrategy``.
- With a torch newer than NNI 3.0 the import warns about classes that it does not wrap; nas-fusion uses none of them.
- Lightning's metrics import matplotlib wherever it is installed (CatBoost brings it): half a second, and a cache of
  fonts in the user's home. Nothing here draws with it, so they are told that it is not there, unless it is imported.
- ``nni`` replaces its own log handler's level on import; only its errors are of interest to users of nas-fusion.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lightning_utilities.core.imports import RequirementCache

_ASK = "_check_available"


@contextmanager
def _without_matplotlib() -> Iterator[None]:
    ask = getattr(RequirementCache, _ASK)

    def answer(cache: RequirementCache) -> None:
        if cache.requirement == "matplotlib":
            cache.available, cache.message = False, "nas-fusion draws nothing with it"
        ask(cache)

    if "matplotlib" not in sys.modules:
        setattr(RequirementCache, _ASK, answer)
    try:
        yield
    finally:
        setattr(RequirementCache, _ASK, ask)


with warnings.catch_warnings(), _without_matplotlib():
    warnings.filterwarnings("ignore", message=".*found to be not a nn.Module.*", category=RuntimeWarning)
    import nni
    import nni.nas.strategy
    import nni.nas.strategy.oneshot
    from nni.mutable import MutableDict, SampleValidationError, ensure_frozen, label_scope
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.evaluator.pytorch import Lightning, LightningModule, Trainer
    from nni.nas.execution import SequentialExecutionEngine
    from nni.nas.execution.event import FinalMetricEvent, ModelEventType
    from nni.nas.nn.pytorch import ModelSpace, MutableModule
    from nni.nas.oneshot.pytorch.base_lightning import BaseOneShotLightningModule
    from nni.nas.oneshot.pytorch.differentiable import DartsLightningModule, GumbelDartsLightningModule
    from nni.nas.oneshot.pytorch.sampling import RandomSamplingLightningModule
    from nni.nas.oneshot.pytorch.strategy import OneShotStrategy, no_default_hook
    from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
    from nni.nas.space import (
        ExecutableModelSpace,
        ModelStatus,
        RawFormatModelSpace,
        SimplifiedModelSpace,
        current_model,
        model_context,
    )
    from nni.nas.strategy import DARTS, GridSearch, GumbelDARTS, Random, RandomOneShot, RegularizedEvolution
    from nni.nas.strategy.base import Strategy

logging.getLogger("nni").setLevel(logging.ERROR)
for _chatty in ("nni.nas.execution.sequential", "nni.nas.strategy.base"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)  # we report failed candidates and searches ourselves

__all__ = [
    "DARTS",
    "BaseOneShotLightningModule",
    "BaseSuperNetModule",
    "DartsLightningModule",
    "ExecutableModelSpace",
    "FinalMetricEvent",
    "FunctionalEvaluator",
    "GridSearch",
    "GumbelDARTS",
    "GumbelDartsLightningModule",
    "Lightning",
    "LightningModule",
    "ModelEventType",
    "ModelSpace",
    "ModelStatus",
    "MutableDict",
    "MutableModule",
    "OneShotStrategy",
    "Random",
    "RandomOneShot",
    "RandomSamplingLightningModule",
    "RawFormatModelSpace",
    "RegularizedEvolution",
    "SampleValidationError",
    "SequentialExecutionEngine",
    "SimplifiedModelSpace",
    "Strategy",
    "Trainer",
    "current_model",
    "ensure_frozen",
    "label_scope",
    "model_context",
    "nni",
    "no_default_hook",
]
