"""Running a strategy: what it may spend, what it gets, what it returns; and the registry of all strategies.

The contract of a strategy is `StrategyEntry`; see `nas_fusion.search._entry` for how a third party adds one.
"""

from nas_fusion.search._budget import Budget
from nas_fusion.search._entry import STRATEGIES, BuildContext, StrategyEntry, select_strategies

__all__ = [
    "STRATEGIES",
    "Budget",
    "BuildContext",
    "Retrained",
    "SearchOutcome",
    "SearchTask",
    "SoftStart",
    "StrategyEntry",
    "retrain",
    "run_search",
    "select_strategies",
]

_HOME = {
    "Retrained": "_run",
    "SearchOutcome": "_task",
    "SearchTask": "_task",
    "SoftStart": "_task",
    "retrain": "_run",
    "run_search": "_run",
}


def __getattr__(name: str) -> object:
    # The entries of the strategies import this package for `StrategyEntry`; running one imports the strategies.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nas_fusion.search.{_HOME[name]}"), name)
