"""Telling every tracker of every cell, whatever a tracker does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from nas_fusion.errors import words_of
from nas_fusion.records import CellRecord
from nas_fusion.tracking.known_trackers import open_tracker
from nas_fusion.tracking.told_cells import ToldCells
from nas_fusion.tracking.tracked_cell import TrackedCell, TrackedStudy, Tracker

logger = logging.getLogger("nas_fusion")

RECORD = "cell.json"
"""A cell's record; its time is when the cell ended."""


class Telling:
    """Tells trackers of finished cells. A tracker that fails is warned of, once, and is not told of any more.

    Args:
        names: the trackers.
        study: whose cells they are.
        told: who knows of what already.
        cell_folder: strategy and seed → the cell's folder.
        opener: opens a tracker by its name.
    """

    def __init__(
        self,
        names: Iterable[str],
        study: TrackedStudy,
        told: ToldCells,
        cell_folder: Callable[[str, int], Path],
        opener: Callable[[str, TrackedStudy], Tracker] = open_tracker,
    ) -> None:
        self._waiting, self._study, self._told = list(names), study, told
        self._cell_folder, self._opener = cell_folder, opener
        self._open: dict[str, Tracker] = {}

    def tell(self, record: CellRecord) -> None:
        """A cell has ended, now or before this process began.

        Raises:
            WriteError: who was told cannot be written down.
        """
        self._open_all()
        if not self._open:
            return
        folder = self._cell_folder(record.strategy, record.seed)
        cell = TrackedCell(record, folder, (folder / RECORD).stat().st_mtime)
        for name, tracker in tuple(self._open.items()):
            if not self._told.knows(name, tracker.place, cell) and self._succeeds(name, partial(tracker.tell, cell)):
                self._told.add(name, tracker.place, cell)

    def _open_all(self) -> None:
        """Open what is not open yet: when the first cell has ended, so that nothing waits for a tracker before."""
        while self._waiting:
            name = self._waiting.pop(0)
            self._succeeds(name, partial(self._open_one, name))

    def _open_one(self, name: str) -> None:
        self._open[name] = self._opener(name, self._study)

    def _succeeds(self, name: str, action: Callable[[], None]) -> bool:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever a tracker raises must not end the study
            self._open.pop(name, None)
            logger.warning(
                "tracker %s: %s; the study goes on without it, and the same command tells it what it has missed",
                name, words_of(error),
            )  # fmt: skip
            return False
        return True
