"""One training routine, on Lightning, for candidates, supernets and final training."""

from nas_fusion.training._config import TrainConfig
from nas_fusion.training._fit import FitResult, Metrics, evaluate, evaluating, fit, predict, predict_logits
from nas_fusion.training._meter import SampleMeter
from nas_fusion.training._metrics import AucLogloss, auc_and_logloss
from nas_fusion.training._module import CTRModule
from nas_fusion.training._monitor import EpochRecord, ValidationMonitor
from nas_fusion.training._oneshot import OneShotRun, oneshot_evaluator
from nas_fusion.training._optimizers import TouchedRowsAdam, parameter_groups
from nas_fusion.training._progress import ProgressBar
from nas_fusion.training._seeds import seeded
from nas_fusion.training._trainer import make_trainer, torch_device

__all__ = [
    "AucLogloss",
    "CTRModule",
    "EpochRecord",
    "FitResult",
    "Metrics",
    "OneShotRun",
    "ProgressBar",
    "SampleMeter",
    "TouchedRowsAdam",
    "TrainConfig",
    "ValidationMonitor",
    "auc_and_logloss",
    "evaluate",
    "evaluating",
    "fit",
    "make_trainer",
    "oneshot_evaluator",
    "parameter_groups",
    "predict",
    "predict_logits",
    "seeded",
    "torch_device",
]
