"""The figures on the HTML page, with their captions, legends and small tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nas_fusion.design import FusionDesign
from nas_fusion.report._agreement import agreements
from nas_fusion.report._colours import SeriesStyle
from nas_fusion.report._comparison_figures import COSTS
from nas_fusion.report._cost_figures import COST_TITLES
from nas_fusion.report._html_tables import agreement_table, front_words, stages_table
from nas_fusion.report._legend import first_shown, legend
from nas_fusion.report._pareto import MODEL_COSTS, cost_points
from nas_fusion.report._ranks import RankDiagram, rank_diagram
from nas_fusion.report._stages import stages

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from nas_fusion.records import CellRecord
    from nas_fusion.report._model import ReportModel
    from nas_fusion.report._summary import StrategySummary

_SEARCH = (
    "<b>Anytime curves: best validation AUC so far.</b> Thin: one seed; thick: their mean. A marker stands where "
    "search and re-training together end and shows the re-trained AUC. A supernet's AUC and a candidate's are "
    "different things: compare the markers. The axis is logarithmic in 1 − AUC, so that early and late steps are "
    "both seen. Click a name to show or hide it."
)
_TEST = (
    "<b>Anytime curves: test AUC of the model that was the best on validation data so far</b>, mean over the seeds. "
    "Measured for this report after the search; no search has seen it."
)


def figures_section(
    model: ReportModel,
    figures: Mapping[str, go.Figure],
    style: Mapping[str, SeriesStyle],
    place: Callable[[go.Figure, str], str],
    plot_id: Callable[[str], str],
) -> str:
    """Everything in pictures.

    Args:
        model: the report.
        figures: as `comparison_figures` made them.
        style: of the strategies.
        place: makes a figure's place on the page, given its name.
        plot_id: the id that `place` gives.
    """
    records, summaries = model.records, model.decision.summaries
    ordered = [s.strategy for s in summaries]
    shown = first_shown(summaries)
    dots = (
        "<b>Test AUC.</b> Dots: single seeds (a cross: a model that did not learn); diamond and bar: mean ± standard "
        "deviation. Best validation on top."
    )
    parts = [_figure(dots, [place(figures["test-auc"], "test-auc")])]
    diagram = rank_diagram(records)
    if diagram is not None:
        parts.append(_figure(ranks_caption(diagram), [place(figures["ranks"], "ranks")]))
    for kind, caption in (("search", _SEARCH), ("test", _TEST)):
        names = [f"{kind}-{by}" for by in COSTS if f"{kind}-{by}" in figures]
        if names:
            chips = legend(ordered, style, [plot_id(n) for n in names], shown)
            parts.append(_figure(caption, [place(figures[n], n) for n in names], chips))
    parts.append(_pareto(summaries, figures, style, place, plot_id))
    return (
        "<section><h2>In pictures</h2><noscript><p>The figures need JavaScript; it is in this file.</p></noscript>"
        f"{''.join(parts)}{_stages(records, figures, place)}{_agreement(records, figures, place)}</section>"
    )


def _figure(caption: str, cards: Sequence[str], below: str = "") -> str:
    drawn = "".join(f'<div class="card">{card}</div>' for card in cards)
    grid = f'<div class="pair">{drawn}</div>' if len(cards) > 1 else drawn
    return f"<figure><figcaption>{caption}</figcaption>{grid}{below}</figure>"


def ranks_caption(diagram: RankDiagram) -> str:
    """How to read the critical-difference diagram, and Friedman's test."""
    friedman = ""
    if diagram.p_value is not None:
        p = "below .001" if diagram.p_value < 0.001 else f"{diagram.p_value:.3f}"
        friedman = f" Friedman's test that all are alike: p {p}."
    return (
        f"<b>Average ranks of the test AUC over {diagram.blocks} {diagram.unit}</b> (1 is best). Strategies that one "
        "bar at the right joins differ by less than the critical difference (Nemenyi, 5 %) and cannot be told apart "
        f"this way.{friedman}"
    )


def _pareto(
    summaries: Sequence[StrategySummary],
    figures: Mapping[str, go.Figure],
    style: Mapping[str, SeriesStyle],
    place: Callable[[go.Figure, str], str],
    plot_id: Callable[[str], str],
) -> str:
    cards, names = [], []
    for cost in MODEL_COSTS:
        name = f"pareto-{cost}".replace("_", "-")
        if name not in figures:
            continue
        words = front_words(cost_points(summaries, cost), cost)
        cards.append(f"{place(figures[name], name)}<p class=front>Front by {COST_TITLES[cost]}: {words}.</p>")
        names.append(plot_id(name))
    if not cards:
        return ""
    ordered = [s.strategy for s in summaries]
    caption = (
        "<b>Quality against cost.</b> Mean test AUC of each strategy against what its model costs. The dotted line is "
        "the Pareto front: nobody is at least as good and as cheap as the strategies on it (dark edge). Strategies far "
        "below the others lie outside the view; double-click for all."
    )
    return _figure(caption, cards, legend(ordered, style, names, ordered))


def _stages(
    records: Sequence[CellRecord], figures: Mapping[str, go.Figure], place: Callable[[go.Figure, str], str]
) -> str:
    if "stages" not in figures:
        return ""
    caption = (
        "<b>Discretisation gap.</b> The same searches' validation AUC while searching (a supernet's best, or the best "
        "candidate's), of the derived design with the supernet's weights where it was measured, and re-trained."
    )
    return _figure(caption, [place(figures["stages"], "stages")], stages_table(stages(records)))


def _agreement(
    records: Sequence[CellRecord], figures: Mapping[str, go.Figure], place: Callable[[go.Figure, str], str]
) -> str:
    found = agreements(records)
    if not found:
        return ""
    example = next((r.design for r in records if isinstance(r.design, FusionDesign)), None)
    caption = (
        "<b>Agreement of the designs across seeds.</b> Mean over the pairs of seeds: how many of all choices are "
        "equal, and which share of the connections that reach the output both designs have."
    )
    names = [n for n in ("agreement-connections", "agreement-operations") if n in figures]
    table = f"<figure><figcaption>{caption}</figcaption>{agreement_table(found, example)}</figure>"
    if not names:
        return table
    how = "<b>What the seeds chose.</b> The darker, the more seeds opened the connection, or chose the operation."
    return table + _figure(how, [place(figures[n], n) for n in names])
