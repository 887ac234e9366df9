"""What comes out of a search, and how its trace is made from training histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas_fusion.architecture import Found
from nas_fusion.design import FusionDesign
from nas_fusion.records import TracePoint
from nas_fusion.search_spaces import Scores
from nas_fusion.strategy.abilities import SoftStart
from nas_fusion.training import EpochRecord


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
        measure_samples, measure_seconds: what was spent after the search, to measure the derived design for the
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


def trace_of(history: Sequence[EpochRecord], *, seconds: float = 0.0, samples: int = 0) -> tuple[TracePoint, ...]:
    """The validations of one training run, shifted by what was spent before it began."""
    return tuple(TracePoint(seconds + r.seconds, samples + r.samples, r.valid_auc) for r in history)
