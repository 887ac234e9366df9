"""Telling every tracker of every cell, whatever a tracker does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Lock, Thread

from nas_fusion.errors import words_of
from nas_fusion.records import CellRecord
from nas_fusion.tracking.known_trackers import open_tracker
from nas_fusion.tracking.live_cells import LiveLog, LivePoint, LiveTracker
from nas_fusion.tracking.told_cells import ToldCells
from nas_fusion.tracking.tracked_cell import Tracked, TrackedCell, TrackedStudy, Tracker
from nas_fusion.training_log import TrainingLog

logger = logging.getLogger("nas_fusion")

RECORD = "cell.json"
"""A cell's record; its time is when the cell ended."""


def tell_once(
    names: Iterable[str],
    study: TrackedStudy,
    run: Tracked,
    opener: Callable[[str, TrackedStudy], Tracker] = open_tracker,
) -> None:
    """Tell trackers of a run by itself; one that fails is warned of.

    Args:
        names: the trackers.
        study: what stands for its study.
        run: has ended.
        opener: opens a tracker by its name.
    """
    for name in names:
        try:
            opener(name, study).tell(run)
        except Exception as error:  # noqa: BLE001 - what was computed is there, whatever a tracker raises
            logger.warning("tracker %s: %s; it does not know of %s", name, words_of(error), run.name)


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
        self._heard: Queue[LivePoint] = Queue()
        self._listens = False
        self._lock = Lock()

    def live(self, log: TrainingLog) -> TrainingLog:
        """A training log by which trackers are told of cells of this process while they train.

        A thread of its own tells them, so that no training waits for a tracker.

        Args:
            log: is told of everything, too.
        """
        return LiveLog(log, self._hear) if self._waiting or self._open else log

    def tell(self, record: CellRecord) -> None:
        """A cell has ended, now or before this process began.

        Raises:
            WriteError: who was told cannot be written down.
        """
        folder = self._cell_folder(record.strategy, record.seed)
        if self._waiting or self._open:
            self.tell_run(TrackedCell(record, folder, (folder / RECORD).stat().st_mtime))

    def tell_run(self, run: Tracked) -> None:
        """The same of anything that trackers are told of.

        Raises:
            WriteError: who was told cannot be written down.
        """
        self._heard.join()  # what was heard of it while it trained comes first
        with self._lock:
            self._open_all()
            self._tell_all(run)

    def _tell_all(self, run: Tracked) -> None:
        for name, tracker in tuple(self._open.items()):
            if not self._told.knows(name, tracker.place, run) and self._succeeds(name, partial(tracker.tell, run)):
                self._told.add(name, tracker.place, run)

    def _hear(self, point: LivePoint) -> None:
        if not self._listens:
            self._listens = True
            Thread(target=self._tell_live, name="trackers", daemon=True).start()
        self._heard.put(point)

    def _tell_live(self) -> None:
        while True:
            point = self._heard.get()
            try:
                with self._lock:
                    self._open_all()
                    for name, tracker in tuple(self._open.items()):
                        if isinstance(tracker, LiveTracker):
                            self._succeeds(name, partial(tracker.live, point))
            finally:
                self._heard.task_done()

    def _open_all(self) -> None:
        """Open what is not open yet: when there is something to tell, so that nothing waits for a tracker before."""
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
