"""From training histories to the trace of a search."""

from __future__ import annotations

from collections.abc import Sequence

from nas_fusion.records import TracePoint
from nas_fusion.training import EpochRecord


def trace_of(history: Sequence[EpochRecord], *, seconds: float = 0.0, samples: int = 0) -> tuple[TracePoint, ...]:
    """The validations of one training run, shifted by what was spent before it began."""
    return tuple(TracePoint(seconds + r.seconds, samples + r.samples, r.valid_auc) for r in history)
