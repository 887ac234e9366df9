"""One training routine, on Lightning, for candidates, supernets and final training."""

from nas_fusion.settings import TrainConfig
from nas_fusion.training.ctr_module import CTRModule
from nas_fusion.training.fit import (
    FitResult,
    Metrics,
    evaluate,
    evaluate_auc,
    evaluating,
    fit,
    metrics_of,
    predict,
    predict_logits,
    predictions_of,
)
from nas_fusion.training.metrics import METRICS, AucLogloss, Metric, Quality, auc_and_logloss, quality_of
from nas_fusion.training.oneshot_evaluator import OneShotRun, oneshot_evaluator
from nas_fusion.training.optimizers import TouchedRowsAdam, parameter_groups
from nas_fusion.training.progress_bar import ProgressBar
from nas_fusion.training.quality import Predictions, Rank, probabilities
from nas_fusion.training.sample_meter import SampleMeter
from nas_fusion.training.seeds import member_seed, seeded
from nas_fusion.training.trainer import make_trainer, torch_device
from nas_fusion.training.validation_monitor import EpochRecord, ValidationMonitor
from nas_fusion.training.whole_model import WholeModel, WholeState

__all__ = [
    "METRICS",
    "AucLogloss",
    "CTRModule",
    "EpochRecord",
    "FitResult",
    "Metric",
    "Metrics",
    "OneShotRun",
    "Predictions",
    "ProgressBar",
    "Quality",
    "Rank",
    "SampleMeter",
    "TouchedRowsAdam",
    "TrainConfig",
    "ValidationMonitor",
    "WholeModel",
    "WholeState",
    "auc_and_logloss",
    "evaluate",
    "evaluate_auc",
    "evaluating",
    "fit",
    "make_trainer",
    "member_seed",
    "metrics_of",
    "oneshot_evaluator",
    "parameter_groups",
    "predict",
    "predict_logits",
    "predictions_of",
    "probabilities",
    "quality_of",
    "seeded",
    "torch_device",
]
