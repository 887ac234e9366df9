"""The figures of a comparison as a whole, for the report and for dashboards."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report._curves import Cost, search_curves, seed_dots
from nas_fusion.report._figures import auc_figure, search_figure, styles
from nas_fusion.report._frame import by_strategy
from nas_fusion.report._summary import summarise

COSTS: tuple[Cost, ...] = ("seconds", "samples")


def comparison_figures(records: Sequence[CellRecord], info: ComparisonInfo) -> dict[str, go.Figure]:
    """By name: ``test-auc`` (every seed's), ``search-seconds`` and ``search-samples`` (best so far against cost)."""
    summaries = summarise(records)
    style = styles(list(by_strategy(records)), {s.strategy for s in summaries if s.is_reference})
    figures = {"test-auc": auc_figure(seed_dots(records, summaries), style, info.attainable_auc)}
    for by in COSTS:
        figures[f"search-{by}"] = search_figure(search_curves(records, by), style, by)
    return figures
