"""One recipe of training: our loop on Lightning Fabric; supernets, which NNI trains, in Lightning's trainer."""

from nas_fusion.settings import TrainConfig
from nas_fusion.training.devices import torch_device
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
from nas_fusion.training.oneshot import CTRModule, LightningWatching, OneShotRun, make_trainer, oneshot_evaluator
from nas_fusion.training.optimizers import TouchedRowsAdam, parameter_groups
from nas_fusion.training.quality import Predictions, Rank, probabilities
from nas_fusion.training.seeds import member_seed, seeded
from nas_fusion.training.training_loop import TrainingLoop
from nas_fusion.training.watching import (
    AveragedWeights,
    EpochRecord,
    ProgressBar,
    RunningTraining,
    SampleMeter,
    SizeRule,
    ValidationMonitor,
    Watcher,
)
from nas_fusion.training.whole_model import WholeModel, WholeState

__all__ = [
    "METRICS",
    "AucLogloss",
    "AveragedWeights",
    "CTRModule",
    "EpochRecord",
    "FitResult",
    "LightningWatching",
    "Metric",
    "Metrics",
    "OneShotRun",
    "Predictions",
    "ProgressBar",
    "Quality",
    "Rank",
    "RunningTraining",
    "SampleMeter",
    "SizeRule",
    "TouchedRowsAdam",
    "TrainConfig",
    "TrainingLoop",
    "ValidationMonitor",
    "Watcher",
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
