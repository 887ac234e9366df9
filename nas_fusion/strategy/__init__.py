"""The contract of a strategy, the registry that holds every known one, and what a strategy may be able to do beyond it.

To add a strategy, write an NNI `Strategy` (one-shot or multi-trial) and an entry, and name the entry in your own
``pyproject.toml``::

    # my_package/strategy.py
    from nas_fusion.strategy import StrategyEntry

    ENTRY = StrategyEntry(
        name="mine", kind="multi-trial", summary="what it does, in a line",
        build=lambda context, **parameters: MyStrategy(seed=context.seed, **parameters),
    )

    # pyproject.toml
    [project.entry-points."nas_fusion.strategies"]
    mine = "my_package.strategy:ENTRY"

It then stands in ``nasfusion strategies`` and in ``--strategies all``. What a one-shot strategy may offer beyond that
stands in `nas_fusion.strategy.abilities`. `nas_fusion.testing` has the contract tests.
"""

from nas_fusion.strategy.known_strategies import GROUPS, STRATEGIES, select_strategies
from nas_fusion.strategy.strategy_entry import (
    ALWAYS_COMPARED,
    BuildContext,
    Kind,
    Mode,
    StrategyEntry,
    WholeFit,
    WholeOpening,
)

__all__ = [
    "ALWAYS_COMPARED",
    "GROUPS",
    "STRATEGIES",
    "BuildContext",
    "Kind",
    "Mode",
    "StrategyEntry",
    "WholeFit",
    "WholeOpening",
    "select_strategies",
]
