"""The figures of a report by name, for the page and for dashboards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.report.figures.design_figures import gates_figure, importance_figure, operations_figure, shares_figure
from nas_fusion.report.figures.fronts_figure import fronts_figure
from nas_fusion.report.figures.reliability_figure import reliability_figure
from nas_fusion.report.figures.series_styles import SeriesStyle, styles
from nas_fusion.report.figures.strategy_figures import (
    auc_figure,
    pareto_figure,
    ranks_figure,
    search_figure,
    stages_figure,
)
from nas_fusion.report.numbers.costs.pareto import QualityAgainstCost
from nas_fusion.report.numbers.report_model import ReportModel

if TYPE_CHECKING:
    import plotly.graph_objects as go


class FurtherFigure(NamedTuple):
    """A figure after the others, which needs no place of its own on the page.

    Args:
        name: ``further-<name>`` is its id on the page and its name in Optuna's dashboard.
        caption: what it shows, in a sentence or two.
        draw: draws it with the strategies' styles; None where there is nothing to show.
    """

    name: str
    caption: str
    draw: Callable[[ReportModel, Mapping[str, SeriesStyle]], go.Figure | None]


FURTHER_FIGURES: list[FurtherFigure] = []
"""Drawn for every comparison, in this order; a line here is all that a new figure needs besides its function."""


def comparison_figures(model: ReportModel) -> dict[str, go.Figure]:
    """By name, as far as there is something to show.

    ``test-auc`` (every seed's), ``ranks`` (critical-difference diagram), ``search-samples`` and ``search-seconds``
    (best validation AUC so far), ``test-samples`` and ``test-seconds`` (test AUC of that model), ``pareto-<cost>``
    (dashes for underscores), ``fronts`` (what each search measured, good and cheap), ``reliability`` (predicted against
    observed), ``stages`` (discretisation gap), ``agreement-connections``, ``agreement-operations``, and
    ``further-<name>`` (`FURTHER_FIGURES`).
    """
    if not model.records:
        return {}
    style = styles(model.families)
    figures = {"test-auc": auc_figure(model.seed_aucs, style)}
    if model.ranks is not None:
        figures["ranks"] = ranks_figure(model.ranks)
    for curves in model.curves:
        figures[f"search-{curves.by}"] = search_figure(curves, style, "valid")
        if curves.has_test:
            figures[f"test-{curves.by}"] = search_figure(curves, style, "test")
    for quality in model.quality_by_cost:
        figures[figure_name(quality)] = pareto_figure(quality, style)
    if model.front_picture is not None:
        figures["fronts"] = fronts_figure(model.front_picture, style)
    if model.reliability is not None:
        figures["reliability"] = reliability_figure(model.reliability, style)
    if model.stages:
        figures["stages"] = stages_figure(model.stages)
    connections, operations = model.shares
    if connections is not None:
        figures["agreement-connections"] = shares_figure(connections, "connection")
    if operations is not None:
        figures["agreement-operations"] = shares_figure(operations, "block: operation")
    for further in FURTHER_FIGURES:
        drawn = further.draw(model, style)
        if drawn is not None:
            figures[f"further-{further.name}"] = drawn
    return figures


def figure_name(quality: QualityAgainstCost) -> str:
    """The name of the figure of one cost of the models."""
    return f"pareto-{quality.cost}".replace("_", "-")


def found_figures(model: ReportModel) -> dict[str, go.Figure]:
    """The figures of every strategy's best design, by name and its place in the table.

    ``importance-<place>`` (AUC lost per connection), ``gates-<place>`` and ``operations-<place>`` (over the epochs).
    """
    figures = {}
    for place, design in enumerate(model.found):
        if design.importance:
            figures[f"importance-{place}"] = importance_figure(design.bars)
        if design.gates is not None:
            figures[f"gates-{place}"] = gates_figure(design.gates)
        if design.operations is not None:
            figures[f"operations-{place}"] = operations_figure(design.operations)
    return figures
