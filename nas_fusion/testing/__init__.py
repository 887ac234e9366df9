"""Contract tests for authors of strategies.

Inherit `StrategyContract` in a test class and name the strategy; pytest does the rest::

    from nas_fusion.testing import StrategyContract

    class TestMine(StrategyContract):
        strategy_name = "mine"                        # as registered by the entry point
        # strategy_name = "my_package.strategy:ENTRY"  # or where the entry stands, installed or not

Every search of the contract takes a fraction of a second: it runs on a log of 2,000 rows and a space of two levels.
"""

try:
    import pytest
except ImportError as error:
    raise ImportError("nas_fusion.testing needs pytest: pip install pytest") from error

pytest.register_assert_rewrite("nas_fusion.testing.contract")

from nas_fusion.testing.contract import StrategyContract  # noqa: E402 - after its asserts are registered
from nas_fusion.testing.fresh_process import designs_in_fresh_process  # noqa: E402
from nas_fusion.testing.small_task import resolve_entry, tiny_data, tiny_space, tiny_task  # noqa: E402

__all__ = [
    "StrategyContract",
    "designs_in_fresh_process",
    "resolve_entry",
    "tiny_data",
    "tiny_space",
    "tiny_task",
]
