"""Running a strategy: what it may spend, what it gets, what it returns; and re-training what it found.

The contract of a strategy is `nas_fusion.strategy.StrategyEntry`.
"""

from nas_fusion.search._architectures import ArchitectureTrainer
from nas_fusion.search._budget import Budget
from nas_fusion.search._engines import Engine, InProcess, TrainingService
from nas_fusion.search._incumbents import Incumbents, NoIncumbents
from nas_fusion.search._run import Retrained, build_context, new_model, retrain, run_search
from nas_fusion.search._task import SearchOutcome, SearchTask, SoftStart

__all__ = [
    "ArchitectureTrainer",
    "Budget",
    "Engine",
    "InProcess",
    "Incumbents",
    "NoIncumbents",
    "Retrained",
    "SearchOutcome",
    "SearchTask",
    "SoftStart",
    "TrainingService",
    "build_context",
    "new_model",
    "retrain",
    "run_search",
]
