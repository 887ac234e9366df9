"""Moved to `nas_fusion.records`."""

from nas_fusion.records import CellRecord, ComparisonInfo, TracePoint

__all__ = ["CellRecord", "ComparisonInfo", "TracePoint"]
