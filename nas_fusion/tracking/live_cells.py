"""Telling trackers of a cell while it trains: a training log that passes everything on, and hands validations over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from nas_fusion.architecture import Found
from nas_fusion.tracking.tracked_cell import RETRAIN, SEARCH
from nas_fusion.training_log import Training, TrainingLog

Run = TypeVar("Run")

PHASES = {"search": SEARCH, "re-train": RETRAIN}
"""Phases of a training log, as trackers know them. Candidates of a search are told of when it is over."""

CELL = {"strategy", "seed"}
"""What a cell's trainings are labelled by; those of tunings and recipes have more."""


class LivePoint(NamedTuple):
    """A validation of a cell that is still training.

    Args:
        cell: its name.
        phase: `SEARCH` or `RETRAIN`; empty where the cell has failed.
        step: which validation of the phase it is, from 1.
        figures: what was measured, by name.
    """

    cell: str
    phase: str
    step: int
    figures: Mapping[str, float]


@runtime_checkable
class LiveTracker(Protocol):
    """A tracker that also takes what a cell says while it trains."""

    def live(self, point: LivePoint) -> None:
        """A cell was validated, or has failed. When it ends, `tell` is called as always, and what was told stays."""


@dataclass(frozen=True)
class LiveRun(Generic[Run]):
    """A run of a tracker that is open while its cell trains.

    Args:
        run: the package's own.
        told: phase and step of the points that it has.
    """

    run: Run
    told: set[tuple[str, int]]


class LiveRuns(Generic[Run]):
    """The open runs of a tracker, by cell.

    Args:
        begin: opens the run of a cell.
    """

    def __init__(self, begin: Callable[[str], Run]) -> None:
        self._begin = begin
        self._open: dict[str, LiveRun[Run]] = {}

    def add(self, point: LivePoint) -> Run:
        """The run to which a point belongs, opened with its first one."""
        if point.cell not in self._open:
            self._open[point.cell] = LiveRun(self._begin(point.cell), set())
        found = self._open[point.cell]
        found.told.add((point.phase, point.step))
        return found.run

    def end(self, cell: str) -> LiveRun[Run] | None:
        """The open run of a cell, which is given away; None if there is none."""
        return self._open.pop(cell, None)


class LiveLog:
    """A training log that passes everything on to another one, and hands the validations of cells over.

    Args:
        log: the other one.
        hear: takes a point; it must not wait for anybody.
    """

    def __init__(self, log: TrainingLog, hear: Callable[[LivePoint], None]) -> None:
        self._log, self._hear = log, hear

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: object) -> Iterator[Training]:
        """See `nas_fusion.training_log.TrainingLog`."""
        with self._log.training(phase, design, **parameters) as inner:
            if phase not in PHASES or set(parameters) != CELL:
                yield inner
                return
            cell = f"{parameters['strategy']}-{parameters['seed']}"
            try:
                yield _LiveTraining(inner, cell, PHASES[phase], self._hear)
            except BaseException:
                self._hear(LivePoint(cell, "", 0, {}))
                raise


class _LiveTraining:
    def __init__(self, inner: Training, cell: str, phase: str, hear: Callable[[LivePoint], None]) -> None:
        self._inner, self._cell, self._phase, self._hear, self._step = inner, cell, phase, hear, 0

    def validated(self, valid_auc: float, **more: float) -> None:
        """Pass it on, and hand it over."""
        self._inner.validated(valid_auc, **more)
        self._step += 1
        self._hear(LivePoint(self._cell, self._phase, self._step, {"valid_auc": valid_auc, **more}))

    def derived(self, design: Found) -> None:
        """Pass it on."""
        self._inner.derived(design)

    def result(self, valid_auc: float | None, **more: float) -> None:
        """Pass it on."""
        self._inner.result(valid_auc, **more)
