"""The figures of a comparison as a whole, for the report and for dashboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._agreement import open_shares, operation_shares
from nas_fusion.report._colours import SeriesStyle, styles
from nas_fusion.report._cost_figures import pareto_figure, ranks_figure, stages_figure
from nas_fusion.report._curves import Cost, search_curves, seed_dots
from nas_fusion.report._figures import auc_figure, search_figure
from nas_fusion.report._frame import by_strategy
from nas_fusion.report._heatmaps import shares_figure
from nas_fusion.report._model import ReportModel
from nas_fusion.report._pareto import MODEL_COSTS, cost_points
from nas_fusion.report._ranks import rank_diagram
from nas_fusion.report._stages import stages
from nas_fusion.report._summary import family

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from nas_fusion.records import CellRecord

COSTS: tuple[Cost, ...] = ("samples", "seconds")


def strategy_styles(records: Sequence[CellRecord]) -> dict[str, SeriesStyle]:
    """How every strategy looks, in the order of the records."""
    return styles({name: family(group[0]) for name, group in by_strategy(records).items()})


def comparison_figures(model: ReportModel) -> dict[str, go.Figure]:
    """By name, as far as there is something to show.

    ``test-auc`` (every seed's), ``ranks`` (critical-difference diagram), ``search-samples`` and ``search-seconds``
    (best validation AUC so far), ``test-samples`` and ``test-seconds`` (test AUC of that model), ``pareto-<cost>``
    (dashes for underscores), ``stages`` (discretisation gap), ``agreement-connections`` and ``agreement-operations``.
    """
    records, summaries = model.records, model.decision.summaries
    if not records:
        return {}
    style = strategy_styles(records)
    figures = {"test-auc": auc_figure(seed_dots(model), style, model.info.attainable_auc)}
    diagram = rank_diagram(records)
    if diagram is not None:
        figures["ranks"] = ranks_figure(diagram)
    for by in COSTS:
        curves = search_curves(records, by)
        figures[f"search-{by}"] = search_figure(curves, style, by)
        if any(c.test.x for c in curves):
            figures[f"test-{by}"] = search_figure(curves, style, by, "test")
    for cost in MODEL_COSTS:
        points = cost_points(summaries, cost)
        if points:
            figures[f"pareto-{cost}".replace("_", "-")] = pareto_figure(points, style, cost)
    return {**figures, **_design_figures(records)}


def _design_figures(records: Sequence[CellRecord]) -> dict[str, go.Figure]:
    found = stages(records)
    figures = {"stages": stages_figure(found)} if found else {}
    connections, operations = open_shares(records), operation_shares(records)
    if connections is not None and max(len(g) for g in by_strategy(records).values()) > 1:
        figures["agreement-connections"] = shares_figure(connections, "connection")
    if operations is not None and "agreement-connections" in figures:
        figures["agreement-operations"] = shares_figure(operations, "block: operation")
    return figures
