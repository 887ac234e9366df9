"""One training routine, on Lightning, for candidates, supernets and final training."""

from nas_fusion.settings import TrainConfig
from nas_fusion.training.ctr_module import CTRModule
from nas_fusion.training.fit import FitResult, Metrics, evaluate, evaluating, fit, predict, predict_logits
from nas_fusion.training.metrics import METRICS, AucLogloss, Metric, Quality, auc_and_logloss, quality_of
from nas_fusion.training.oneshot_evaluator import OneShotRun, oneshot_evaluator
from nas_fusion.training.optimizers import TouchedRowsAdam, parameter_groups
from nas_fusion.training.progress_bar import ProgressBar
from nas_fusion.training.sample_meter import SampleMeter
from nas_fusion.training.seeds import seeded
from nas_fusion.training.trainer import make_trainer, torch_device
from nas_fusion.training.validation_monitor import EpochRecord, ValidationMonitor

__all__ = [
    "METRICS",
    "AucLogloss",
    "CTRModule",
    "EpochRecord",
    "FitResult",
    "Metric",
    "Metrics",
    "OneShotRun",
    "ProgressBar",
    "Quality",
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
    "quality_of",
    "seeded",
    "torch_device",
]
