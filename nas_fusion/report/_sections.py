"""The report's sections as HTML; every text that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from nas_fusion.report._colours import SeriesStyle
from nas_fusion.report._columns import Layout
from nas_fusion.report._format import flat, plain
from nas_fusion.report._html_tables import cost_table, quality_table
from nas_fusion.report._summary import StrategySummary
from nas_fusion.report._table import notes, reference_note
from nas_fusion.report._verdict import Verdict
from nas_fusion.statistics import SMALLEST_DIFFERENCE

if TYPE_CHECKING:
    from nas_fusion.records import ComparisonInfo

_KINDS = {
    "one-shot": "one-shot searches (one supernet)",
    "multi-trial": "multi-trial searches (one candidate after the other)",
    "hand-made design": "hand-made designs of the fusion space",
    "hand-made model": "hand-made models from the literature",
}
LEAD = (
    "A click-through-rate model is made of shallow blocks (crosses) and deep blocks (dense layers). Each search "
    "below looked, under the same budget, for which block should feed which and how each block should merge its "
    "inputs; hand-made models stand beside them. All were trained alike and measured on rows that none has seen."
)
_NOISE_NOTE = (
    "The order, the strategy called best and each strategy's drawn design are chosen on validation data; test data "
    "only reports. Better and worse are called by paired t-tests over the seeds, corrected by Holm's method for the "
    "number of comparisons and, where nobody named it beforehand, for the choice of the best one, so that at most one "
    "report in twenty would call any difference between equally good strategies; and only where the spread of the "
    "runs does not contradict and the "
    f"difference is at least {SMALLEST_DIFFERENCE:.4f}. All else is a tie: the seeds do not show a difference, which "
    "does not prove that there is none. The intervals in brackets are for each comparison alone."
)


def heading(info: ComparisonInfo, found: Verdict) -> str:
    """Title, what this page is, and the verdict."""
    return (
        f"<header><h1>Which fusion search to trust on {escape(info.data_name)}</h1>"
        f'<p class="lead">{LEAD}</p>'
        f'<div class="verdict"><p>{escape(found.text)}</p></div></header>'
    )


def question(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> str:
    """What was asked: data, budget, strategies, seeds."""
    train, valid, test = info.rows
    rows = {
        "Data": f"{info.data}: {info.fields} fields, {info.features:,} features, {info.label_rate:.2%} positive labels",
        "Rows": f"{train:,} to train, {valid:,} to validate, {test:,} to test",
        "Attainable test AUC": None
        if info.attainable_auc is None
        else f"{info.attainable_auc:.4f}, from the true probabilities",
        "Budget per strategy": info.budget,
        "Seeds": ", ".join(map(str, info.seeds)),
    }
    for kind, words in _KINDS.items():
        names = [s.strategy for s in summaries if kind in (s.kind, s.family)]
        rows[words.capitalize()] = ", ".join(names) or None
    return f"<section><h2>What was asked</h2>{definitions(rows)}</section>"


def definitions(rows: Mapping[str, Any]) -> str:
    """A list of names and values; None is left out."""
    items = "".join(
        f"<dt>{escape(str(name))}</dt><dd>{escape(plain(value))}</dd>"
        for name, value in rows.items()
        if value is not None
    )
    return f"<dl>{items}</dl>"


def results(found: Layout, info: ComparisonInfo, style: Mapping[str, SeriesStyle]) -> str:
    """The tables, and how to read them."""
    remarks = [*notes([row.summary for row in found.rows], info), _NOISE_NOTE]
    against = f"<p class=note>{escape(reference_note(found))}</p>{_calls(found)}" if found.standings else ""
    return (
        "<section><h2>Results</h2><p class=note>Mean ± standard deviation over the seeds, after re-training; best "
        "validation AUC first. The interquartile mean is that of the middle half of the seeds' test AUC.</p>"
        f"{against}{quality_table(found, style)}"
        f"{''.join(f'<p class=note>{escape(n)}</p>' for n in remarks)}"
        "<h3>What it costs</h3><p class=note>The model that was found, and what finding it took: means over the seeds. "
        "Tuning is paid once for all seeds.</p>"
        f"{cost_table(found, style)}</section>"
    )


def _calls(found: Layout) -> str:
    """Who is better, worse, or cannot be told from the reference, in words."""
    assert found.standings is not None, "asked for with rows"
    names: dict[str, list[str]] = {}
    for row in found.rows:
        if row.against is not None:
            names.setdefault(row.against.verdict, []).append(row.summary.strategy)
    titles = {
        "better": f"Better than {found.standings.reference}",
        "tie": f"Tie with {found.standings.reference}",
        "worse": f"Worse than {found.standings.reference}",
        "unknown": "Too few seeds to say",
    }
    return definitions({title: ", ".join(names[call]) for call, title in titles.items() if call in names})


def settings(info: ComparisonInfo) -> str:
    """Everything needed to repeat the comparison."""
    command = f"<h3>The command</h3><pre>{escape(info.command)}</pre>" if info.command else ""
    return (
        '<section class="settings"><h2>How to repeat this</h2>'
        f"{command}<h3>Settings</h3>{definitions(flat(info.settings))}<h3>Versions</h3>{definitions(info.versions)}</section>"
    )
