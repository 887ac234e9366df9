"""What looks on while a model is trained: counting, averaging, measuring, drawing."""

from nas_fusion.training.watching.averaged_weights import AveragedWeights, RunningMean, rhythm
from nas_fusion.training.watching.epoch_choice import EpochChoice, SizeRule
from nas_fusion.training.watching.progress_bar import ProgressBar
from nas_fusion.training.watching.sample_meter import SampleMeter
from nas_fusion.training.watching.validation_monitor import EpochRecord, ValidationMonitor
from nas_fusion.training.watching.watcher import RunningTraining, Watcher, overriding

__all__ = [
    "AveragedWeights",
    "EpochChoice",
    "EpochRecord",
    "ProgressBar",
    "RunningMean",
    "RunningTraining",
    "SampleMeter",
    "SizeRule",
    "ValidationMonitor",
    "Watcher",
    "overriding",
    "rhythm",
]
