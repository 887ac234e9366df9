"""What goes into a search and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from torch import Tensor

from nas_fusion.architecture import Found
from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.records import TracePoint
from nas_fusion.search._budget import Budget
from nas_fusion.search._engines import Engine, InProcess
from nas_fusion.search_spaces import FusionSpace, Scores
from nas_fusion.training import TrainConfig
from nas_fusion.trials import SilentLog, TrialLog


@dataclass(frozen=True)
class SearchTask:
    """Everything a strategy may use to find a design. The test split is not in it.

    Args:
        data: training and validation rows.
        make_space: makes the search space with fresh weights from the current random state.
        config: the recipe by which supernets and candidates are trained; its seed is the cell's.
        budget: what may be spent.
        candidates: into how many candidates a multi-trial strategy divides the budget.
        label: what progress bars call this search.
        console: where progress bars appear; None for none.
        trials: told of every training.
        engine: where the trainings run.
    """

    data: SearchData
    make_space: Callable[[], FusionSpace]
    config: TrainConfig
    budget: Budget
    candidates: int = 10
    label: str = ""
    console: Console | None = None
    trials: TrialLog = field(default_factory=SilentLog)
    engine: Engine = field(default_factory=InProcess)

    @property
    def seed(self) -> int:
        """The cell's seed."""
        return self.config.seed


@dataclass(frozen=True)
class SoftStart:
    """Where a soft re-training starts: the supernet's weights and its mixture of operations."""

    weights: Mapping[str, Tensor]
    mixture: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class SearchOutcome:
    """A design and what it cost.

    Args:
        design: a legal design of the space, or an architecture of the strategy's own space.
        valid_auc: the best validation AUC seen while searching (a supernet's, or a candidate's after its short
            training); None for a reference.
        trace: every validation while searching.
        samples: samples seen.
        seconds: wall-clock time.
        candidates: designs that were trained or ranked one by one.
        soft: where a soft re-training starts, if the strategy offers it.
        details: JSON-able facts for the report (gates per epoch, candidates, …).
        alternatives: the next best designs, best first, for the case that `design` turns out to be above a limit.
        scores: what the search thinks of every choice, where it says so.
    """

    design: Found
    valid_auc: float | None
    trace: tuple[TracePoint, ...]
    samples: int
    seconds: float
    candidates: int
    soft: SoftStart | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[FusionDesign, ...] = ()
    scores: Scores | None = None
