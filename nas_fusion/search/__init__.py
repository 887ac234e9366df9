"""Running a strategy: what it may spend, what it gets, what it returns; and re-training what it found.

The contract of a strategy is `nas_fusion.strategy.StrategyEntry`.
"""

from nas_fusion.abilities import SoftStart
from nas_fusion.search._architectures import ArchitectureTrainer
from nas_fusion.search._budget import Budget
from nas_fusion.search._engines import Engine, InProcess, TrainingService
from nas_fusion.search._faults import faults_of
from nas_fusion.search._incumbents import Incumbents, NoIncumbents
from nas_fusion.search._keep_limits import LATENCY, Clock, KeptLimits, keep_limits
from nas_fusion.search._run import Retrained, build_context, model_to_train, new_model, retrain, run_search
from nas_fusion.search._saved import load_search, save_search
from nas_fusion.search._task import SearchOutcome, SearchTask

__all__ = [
    "LATENCY",
    "ArchitectureTrainer",
    "Budget",
    "Clock",
    "Engine",
    "InProcess",
    "Incumbents",
    "KeptLimits",
    "NoIncumbents",
    "Retrained",
    "SearchOutcome",
    "SearchTask",
    "SoftStart",
    "TrainingService",
    "build_context",
    "faults_of",
    "keep_limits",
    "load_search",
    "model_to_train",
    "new_model",
    "retrain",
    "run_search",
    "save_search",
]
