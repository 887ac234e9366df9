"""What goes into a search and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from torch import nn

from nas_fusion.architecture import Found
from nas_fusion.budget import Budget
from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.records import TracePoint
from nas_fusion.search.engines import Engine, InProcess
from nas_fusion.search.incumbents import Incumbents, NoIncumbents
from nas_fusion.search_spaces import FusionSpace, Scores
from nas_fusion.strategy.abilities import SoftStart
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.training import TrainConfig
from nas_fusion.training_log import SilentLog, TrainingLog


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
        label: what progress bars call this search.
        console: where progress bars appear; None for none.
        training_log: told of every training.
        engine: where the trainings run.
        incumbents: told of every model that is the best so far (see `keep`).
        watch: of the search; `run_search` restarts it.
    """

    data: SearchData
    make_space: Callable[[], FusionSpace]
    config: TrainConfig
    budget: Budget
    candidates: int = 10
    label: str = ""
    console: Console | None = None
    training_log: TrainingLog = field(default_factory=SilentLog)
    engine: Engine = field(default_factory=InProcess)
    incumbents: Incumbents = field(default_factory=NoIncumbents)
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __post_init__(self) -> None:
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


@dataclass(frozen=True)
class SearchOutcome:
    """A design and what it cost.

    Args:
        design: a legal design of the space, or an architecture of the strategy's own space.
        valid_auc: the best validation AUC seen while searching (a supernet's, or a candidate's after its short
            training); None for a reference.
        trace: every validation while searching.
        samples: samples seen, deriving included: what counts against the budget.
        seconds: wall-clock time, deriving included.
        candidates: designs that were trained or ranked one by one.
        soft: where a soft re-training starts, if the strategy offers it.
        details: JSON-able facts for the report (gates per epoch, candidates, …).
        derive_samples, derive_seconds: the part of `samples` and `seconds` that was spent between the end of a
            supernet's training and a design.
        measure_samples, measure_seconds: what was spent behind the search, to measure the derived design for the
            report; counts against no budget.
        alternatives: the next best designs, best first, for the case that `design` turns out to be above a limit.
        scores: what the search thinks of every choice, where it says so.
        provenance: what computed it (as of `nas_fusion.records.CellRecord`), where it was kept for others.
    """

    design: Found
    valid_auc: float | None
    trace: tuple[TracePoint, ...]
    samples: int
    seconds: float
    candidates: int
    soft: SoftStart | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    derive_samples: int = 0
    derive_seconds: float = 0.0
    measure_samples: int = 0
    measure_seconds: float = 0.0
    alternatives: tuple[FusionDesign, ...] = ()
    scores: Scores | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
