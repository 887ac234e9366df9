"""A bar in a notebook, where nobody gave a console: how many cells are done, and what is being done."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nas_fusion.errors import harmless
from nas_fusion.records import CellRecord
from nas_fusion.system.told import STAGES

if TYPE_CHECKING:
    from tqdm.std import tqdm

KERNEL = "ZMQInteractiveShell"
"""The shell of a Jupyter kernel; that of a terminal is called otherwise."""

WIDTH = 110
"""Characters, so that a bar of text keeps to its line."""


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel; imports nothing."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and type(ipython.get_ipython()).__name__ == KERNEL


class NotebookBar:
    """Draws how many cells are done, and behind it what began last. It is tqdm's: widgets where Jupyter has them, else
    text.

    Args:
        shown: whether nothing else shows it; outside of notebooks there is no bar.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and in_notebook()
        self._bar: tqdm[Any] | None = None

    def listening(
        self, listener: Callable[[CellRecord, int, int], None] | None
    ) -> Callable[[CellRecord, int, int], None]:
        """A listener that is told of cells, and tells the bar, and another listener if there is one."""

        def told(record: CellRecord, done: int, total: int) -> None:
            if self._bar is not None:
                self._bar.total = total
                self._bar.update(done - self._bar.n)
            if listener is not None:
                listener(record, done, total)

        return told

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Inside the block it is drawn."""
        if not self._shown:
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are no widgets
            from tqdm.auto import tqdm

            bar = self._bar = tqdm(unit="cell", file=sys.stdout, ncols=WIDTH, mininterval=0)
        stages = _Stages(bar)
        STAGES.addHandler(stages)
        try:
            yield
        finally:
            STAGES.removeHandler(stages)
            bar.set_postfix_str("")
            bar.close()


class _Stages(logging.Handler):
    """What begins stands behind the bar."""

    def __init__(self, bar: tqdm[Any]) -> None:
        super().__init__()
        self._bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        """Show it."""
        self._bar.set_postfix_str(harmless(record.getMessage()))
