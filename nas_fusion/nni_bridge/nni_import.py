"""NNI, imported once, in the right order and quietly.

- ``nni.nas.strategy`` must be imported before anything of ``nni.nas.oneshot``: the other way round a circular import
  turns every built-in one-shot strategy into an ``ImportFailedStrategy``.
- With a torch newer than NNI 3.0 the import warns about classes that it does not wrap; nas-fusion uses none of them.
- ``nni`` replaces its own log handler's level on import; only its errors are of interest to users of nas-fusion.
"""

from __future__ import annotations

import logging
import warnings

with warnings.catch_warnings():
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
