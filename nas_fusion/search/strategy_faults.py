"""What a strategy does wrong, in the project's own errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nas_fusion.errors import NasFusionError, StrategyError, is_of_the_machine
from nas_fusion.search.task import SearchTask
from nas_fusion.strategy import StrategyEntry
from nas_fusion.system.allowance import SearchStopped
from nas_fusion.system.interrupts import exit_codes
from nas_fusion.training_log import StoppedEarly

logger = logging.getLogger("nas_fusion")


@contextmanager
def faults_of(entry: StrategyEntry) -> Iterator[None]:
    """Inside the block code of a strategy runs, or a model of it.

    Raises:
        StrategyError: it raised something that is none of the project's errors, or had to be ended and found nothing.
    """
    try:
        yield
    except (NasFusionError, StoppedEarly):
        raise
    except SearchStopped as stop:
        raise StrategyError(entry.name, f"it did not end by itself ({stop}), and found nothing") from stop
    except SystemExit as end:
        if end.code in exit_codes():
            raise
        raise StrategyError(entry.name, f"it called sys.exit({end.code!r})") from end
    except Exception as error:
        if is_of_the_machine(error):
            raise
        raise StrategyError(entry.name, error) from error


def warn_of_end(task: SearchTask, ended: str | None) -> None:
    """Tell of a strategy that had to be ended, if it had to be.

    Args:
        task: its search.
        ended: why; None if it ended by itself.
    """
    if ended is not None:
        words = "%s: the strategy did not end by itself: %s; what it had found until then counts"
        logger.warning(words, task.label, ended)
