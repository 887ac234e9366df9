"""NNI's import: the order that breaks it, what it warns of, what it logs. Each is still so, and mended."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import (
    DARTS,
    BudgetedEngine,
    FunctionalEvaluator,
    GumbelDARTS,
    OneShotStrategy,
    Random,
    RandomOneShot,
    SimplifiedModelSpace,
)
from nas_fusion.search_spaces import FusionSpace

IMPORT_ONESHOT_FIRST = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import nni.nas.oneshot.pytorch.strategy
    import nni.nas.strategy
sys.stdout.write(json.dumps([nni.nas.strategy.DARTS.__name__, sorted({w.category.__name__ for w in caught})]))
"""


IMPORT_THE_BRIDGE = """
import sys
import nas_fusion.nni_bridge
sys.exit("matplotlib" in sys.modules)
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bridge_alone() -> subprocess.CompletedProcess[str]:
    """A fresh process that has imported the bridge, where every warning is an error."""
    return python("-W", "error", "-c", IMPORT_THE_BRIDGE)


@pytest.mark.slow
def test_nni_alone_breaks_its_strategies_by_import_order_and_warns() -> None:
    """If this fails, `_nni` may import in any order, or needs no filter any more."""
    name, warned = json.loads(python("-c", IMPORT_ONESHOT_FIRST).stdout)
    assert name == "ImportFailedStrategy"
    assert warned == ["RuntimeWarning"]


@pytest.mark.slow
def test_the_bridge_imports_without_a_warning_or_a_word(bridge_alone: subprocess.CompletedProcess[str]) -> None:
    assert (bridge_alone.stdout, bridge_alone.stderr) == ("", "")


def test_one_shot_strategies_are_usable() -> None:
    for strategy in (DARTS, GumbelDARTS, RandomOneShot):
        assert issubclass(strategy, OneShotStrategy)


CHATTY = ("nni.nas.execution.sequential", "nni.nas.strategy.base")


@pytest.fixture
def nni_records() -> Iterator[list[logging.LogRecord]]:
    """What NNI's loggers let through."""

    class Keep(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self.records: list[logging.LogRecord] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.records.append(record)

    handler, logger = Keep(), logging.getLogger("nni")
    logger.addHandler(handler)
    yield handler.records
    logger.removeHandler(handler)


def fail_always(model: Any) -> None:
    raise TrainingError("cannot be trained")


def search_that_fails() -> None:
    space = FusionSpace(field_sizes=[3, 4], levels=1, emb_dim=2)
    engine = BudgetedEngine(lambda: True, max_models=2)
    Random(seed=0)(SimplifiedModelSpace.from_model(space, FunctionalEvaluator(fail_always)), engine)


def strategy_that_fails() -> None:
    class Fails(Random):
        def _run(self) -> None:
            raise ArithmeticError

    space = FusionSpace(field_sizes=[3, 4], levels=1, emb_dim=2)
    with pytest.raises(ArithmeticError):
        Fails(seed=0)(SimplifiedModelSpace.from_model(space, FunctionalEvaluator(fail_always)), BudgetedEngine(bool))


def test_failures_are_not_logged_by_nni(nni_records: list[logging.LogRecord]) -> None:
    search_that_fails()
    strategy_that_fails()
    assert nni_records == []


@pytest.fixture
def as_nni_has_it() -> Iterator[None]:
    """The two loggers without a level of their own."""
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("as_nni_has_it")
def test_nni_alone_logs_every_failure(nni_records: list[logging.LogRecord]) -> None:
    """If this fails, the two loggers need not be silenced any more."""
    search_that_fails()
    strategy_that_fails()
    assert {record.name for record in nni_records} == set(CHATTY)


def test_nni_shows_errors_only() -> None:
    assert logging.getLogger("nni").level == logging.ERROR


@pytest.mark.slow
def test_matplotlib_is_not_imported_for_metrics_that_nobody_draws(
    bridge_alone: subprocess.CompletedProcess[str],
) -> None:
    """CatBoost installs it, Lightning's metrics import it: half a second of every start."""
    assert bridge_alone.returncode == 0
