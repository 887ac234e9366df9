"""Running a strategy: what it may spend, what it gets, what it returns; and re-training what it found.

The contract of a strategy is `nas_fusion.strategy.StrategyEntry`.
"""

from nas_fusion.budget import Budget
from nas_fusion.search.engines import Engine, InProcess, KnownTrainings, TrainingService
from nas_fusion.search.keep_limits import LATENCY, DesignClock, KeptLimits, keep_limits
from nas_fusion.search.multitrial.architecture_trainer import ArchitectureTrainer
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search.retraining import Retrained, model_to_train, new_model, retrain
from nas_fusion.search.run import build_context, run_search
from nas_fusion.search.saved_search import load_search, save_search
from nas_fusion.search.strategy_faults import faults_of
from nas_fusion.search.task import Incumbents, NoIncumbents, SearchTask
from nas_fusion.strategy.abilities import SoftStart

__all__ = [
    "LATENCY",
    "ArchitectureTrainer",
    "Budget",
    "DesignClock",
    "Engine",
    "InProcess",
    "Incumbents",
    "KeptLimits",
    "KnownTrainings",
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
