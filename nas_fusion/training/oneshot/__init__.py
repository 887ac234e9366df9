"""Training a supernet, which NNI's one-shot strategies do with Lightning's trainer."""

from nas_fusion.training.oneshot.ctr_module import CTRModule
from nas_fusion.training.oneshot.lightning_watching import LightningWatching
from nas_fusion.training.oneshot.oneshot_evaluator import OneShotRun, oneshot_evaluator
from nas_fusion.training.oneshot.trainer import make_trainer

__all__ = ["CTRModule", "LightningWatching", "OneShotRun", "make_trainer", "oneshot_evaluator"]
