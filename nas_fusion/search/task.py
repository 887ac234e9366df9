"""What goes into a search, and who is told of its best models while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from rich.console import Console
from torch import nn

from nas_fusion.bounds import PREFERENCES, one_of
from nas_fusion.budget import Budget
from nas_fusion.data import SearchData
from nas_fusion.records import TracePoint
from nas_fusion.search.engines import Engine, InProcess
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.settings import ComparisonSettings, LimitSettings, StartFrom
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.training import TrainConfig
from nas_fusion.training_log import SilentLog, TrainingLog


@runtime_checkable
class Incumbents(Protocol):
    """Keeps models while a search runs, so that they can be measured after it. It changes nothing in the search."""

    def keep(self, model: nn.Module, point: TracePoint, place: int) -> None:
        """A model was validated: a candidate or a supernet, in the state in which it was, or a design in a supernet.

        Args:
            model: is left as it is.
            point: of the search's trace.
            place: of the point in the trace, from 0; by it, and not by its figures, it is found again.
        """

    def attempt(self) -> AbstractContextManager[None]:
        """What was kept inside the block is given up if a `TrainingError` leaves it: the candidate does not count."""


class NoIncumbents:
    """Keeps nothing."""

    def keep(self, model: nn.Module, point: TracePoint, place: int) -> None:
        """Do nothing."""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Do nothing."""
        yield


@dataclass(frozen=True)
class SearchTask:
    """Everything a strategy may use to find a design. The test split is not in it.

    Args:
        data: training and validation rows.
        make_space: makes the search space with fresh weights from the current random state.
        config: the recipe by which supernets and candidates are trained; its seed is the cell's.
        budget: what may be spent.
        candidates: into how many candidates a multi-trial strategy divides the budget; a budget in candidate trainings
            decides it itself.
        start_from: whether a multi-trial strategy's first candidates are hand-made designs; ``"auto"``: where the space
            says so (`FusionSpace.starts_from_handmade`).
        label: what progress bars call this search.
        console: where progress bars appear; None for none.
        training_log: told of every training.
        engine: where the trainings run.
        incumbents: told of every model that is the best so far (see `keep`).
        watch: of the search; `run_search` restarts it.
        prefer: which of its candidates a search hands on, one of `nas_fusion.bounds.PREFERENCES`.

    Raises:
        OptionError: `prefer` is none of them.
    """

    data: SearchData
    make_space: Callable[[], FusionSpace]
    config: TrainConfig
    budget: Budget
    candidates: int = ComparisonSettings.candidates
    start_from: StartFrom = ComparisonSettings.start_from
    label: str = ""
    console: Console | None = None
    training_log: TrainingLog = field(default_factory=SilentLog)
    engine: Engine = field(default_factory=InProcess)
    incumbents: Incumbents = field(default_factory=NoIncumbents)
    watch: Stopwatch = field(default_factory=Stopwatch)
    prefer: str = LimitSettings.prefer

    def __post_init__(self) -> None:
        one_of("prefer", self.prefer, PREFERENCES)
        if self.budget.candidates is not None:
            object.__setattr__(self, "candidates", self.budget.candidates)

    @property
    def seed(self) -> int:
        """The cell's seed."""
        return self.config.seed

    def keep(self, model: nn.Module, point: TracePoint, place: int) -> None:
        """Tell the incumbents of a model that was validated; it takes none of the search's seconds.

        Args:
            model: as it was validated.
            point: of the search's trace, with the seconds and the AUC that the outcome's trace will have there.
            place: how many points the outcome's trace will have before this one.
        """
        with self.watch.paused():
            self.incumbents.keep(model, point, place)
