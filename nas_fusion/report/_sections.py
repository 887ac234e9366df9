"""The report's sections as HTML; every text that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas_fusion.report._colours import SeriesStyle
from nas_fusion.report._format import flat, plain
from nas_fusion.report._headline import headline
from nas_fusion.report._html_tables import cost_table, quality_table
from nas_fusion.report._model import NOT_LEARNED, ReportModel
from nas_fusion.report._notes import notes, reference_note
from nas_fusion.report._text import html_text
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
    "The order, what is called best and each strategy's drawn design are chosen on validation data; test data "
    "only reports. Better and worse are called by paired t-tests over the seeds, corrected by Holm's method for the "
    "number of comparisons and, where nobody named it beforehand, for the choice of the best one, so that at most one "
    "report in twenty would call any difference between equally good strategies; and only where the spread of the "
    "runs does not contradict and the "
    f"difference is at least {SMALLEST_DIFFERENCE:.4f}. All else is a tie: the seeds do not show a difference, which "
    "does not prove that there is none. The intervals in brackets are for each comparison alone."
)


def heading(model: ReportModel) -> str:
    """Title, what this page is, and the verdict."""
    info = model.info
    return (
        f"<header><h1>Which fusion search to trust on {html_text(info.data_name)}</h1>"
        f'<p class="lead">{LEAD}</p>'
        f'<div class="verdict">{"".join(f"<p>{html_text(words)}</p>" for words in headline(model.decision))}</div>'
        "</header>"
    )


def question(model: ReportModel) -> str:
    """What was asked: data, budget, strategies, seeds."""
    info, summaries = model.info, model.decision.summaries
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
    rows["Without a finished cell"] = ", ".join([*model.decision.absent, *model.decision.unstarted]) or None
    return f"<section><h2>What was asked</h2>{definitions(rows)}</section>"


def definitions(rows: Mapping[str, Any]) -> str:
    """A list of names and values; None is left out."""
    items = "".join(
        f"<dt>{html_text(str(name))}</dt><dd>{html_text(plain(value))}</dd>"
        for name, value in rows.items()
        if value is not None
    )
    return f"<dl>{items}</dl>"


def results(model: ReportModel, style: Mapping[str, SeriesStyle]) -> str:
    """The tables, and how to read them."""
    remarks = [*notes(model), _NOISE_NOTE]
    against = "".join(f"<p class=note>{html_text(line)}</p>" for line in reference_note(model)) + _calls(model)
    return (
        "<section><h2>Results</h2><p class=note>Mean ± standard deviation over the seeds, after re-training; best "
        "validation AUC first. The interquartile mean is that of the middle half of the seeds' test AUC.</p>"
        f"{against}{quality_table(model, style)}"
        f"{''.join(f'<p class=note>{html_text(n)}</p>' for n in remarks)}"
        f"{_costs(model, style)}</section>"
    )


def _costs(model: ReportModel, style: Mapping[str, SeriesStyle]) -> str:
    if not model.rows:
        return ""
    return (
        "<h3>What it costs</h3><p class=note>The model that was found, and what finding it took: means over the seeds. "
        f"Tuning is paid once for all seeds.</p>{cost_table(model, style)}"
    )


def _calls(model: ReportModel) -> str:
    """Who is better, worse, or cannot be told from the reference, in words."""
    names: dict[str, list[str]] = {}
    for row in model.rows:
        if row.against is not None:
            names.setdefault(row.call, []).append(
                f"{row.summary.strategy} {NOT_LEARNED * bool(row.not_learned)}".strip()
            )
    titles = {
        "better": f"Better than {model.reference}",
        "tie": f"Tie with {model.reference}",
        "worse": f"Worse than {model.reference}",
        "unknown": "Too few seeds to say",
    }
    return definitions({title: ", ".join(names[call]) for call, title in titles.items() if call in names})


def settings(info: ComparisonInfo) -> str:
    """Everything needed to repeat the comparison."""
    command = f"<h3>The command</h3><pre>{html_text(info.command, lines=True)}</pre>" if info.command else ""
    return (
        '<section class="settings"><h2>How to repeat this</h2>'
        f"{command}<h3>Settings</h3>{definitions(flat(info.settings))}<h3>Versions</h3>{definitions(info.versions)}</section>"
    )
