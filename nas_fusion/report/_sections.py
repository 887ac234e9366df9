"""The report's sections as HTML; every text that is not ours is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from nas_fusion.architecture import Architecture
from nas_fusion.report._drawing import draw_design
from nas_fusion.report._format import MISSING, auc, count, seconds, share_of_attainable
from nas_fusion.report._summary import StrategySummary
from nas_fusion.report._table import notes
from nas_fusion.report._verdict import Verdict
from nas_fusion.report._words import design_words
from nas_fusion.statistics import SMALLEST_DIFFERENCE

if TYPE_CHECKING:
    from nas_fusion.records import ComparisonInfo

_KINDS = {
    "one-shot": "one-shot (one supernet)",
    "multi-trial": "multi-trial (one candidate after the other)",
    "reference": "hand-made references (nothing is searched)",
}
_LEAD = (
    "A click-through-rate model is made of shallow blocks (crosses) and deep blocks (dense layers). Each strategy "
    "below searched, under the same budget, which block feeds which and how each block merges its inputs. What it "
    "found was re-trained and then measured on rows that no strategy has seen."
)
_NOISE_NOTE = (
    "The order, the strategy called best and each strategy's drawn design are chosen on validation data; test data "
    "only reports. Better and worse are called by paired t-tests over the seeds, corrected by Holm's method for the "
    "number of comparisons and for the choice of the best one, so that at most one report in twenty would call any "
    "difference between equally good strategies; and only where the spread of the runs does not contradict and the "
    f"difference is at least {SMALLEST_DIFFERENCE:.4f}. All else is a tie: the seeds do not show a difference, which "
    "does not prove that there is none. The intervals in brackets are for each comparison alone."
)


def heading(info: ComparisonInfo, found: Verdict) -> str:
    """Title, what this page is, and the verdict."""
    return (
        f"<header><h1>Which fusion search to trust on {escape(info.data)}</h1>"
        f'<p class="lead">{_LEAD}</p>'
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
        names = [s.strategy for s in summaries if s.kind == kind]
        rows[words.capitalize()] = ", ".join(names) or None
    return f"<section><h2>What was asked</h2>{_definitions(rows)}</section>"


def _definitions(rows: Mapping[str, Any]) -> str:
    items = "".join(
        f"<dt>{escape(str(name))}</dt><dd>{escape(_plain(value))}</dd>"
        for name, value in rows.items()
        if value is not None
    )
    return f"<dl>{items}</dl>"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names, as in TOML."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = isinstance(value, Mapping) and value
        found.update(_flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value})
    return found


def _plain(value: Any) -> str:
    """A setting as a person writes it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def results(summaries: Sequence[StrategySummary], info: ComparisonInfo, found: Verdict) -> str:
    """The table with all costs, and how to read it."""
    share = info.attainable_auc is not None
    heads = ["strategy", "validation AUC", "test AUC", *(["% of attainable"] if share else [])]
    heads += [
        "test logloss",
        "search s",
        "re\u2011train s",
        "samples searched",
        "candidates",
        "parameters",
        "kind",
        "seeds",
    ]
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    body = "".join(_row(s, info, s is found.best) for s in summaries)
    remarks = "".join(f"<p class=note>{escape(n)}</p>" for n in [*notes(summaries, info), _NOISE_NOTE])
    return (
        "<section><h2>Results</h2><p class=note>Mean ± standard deviation over the seeds, after re-training; "
        "best validation AUC first; times and samples are means.</p>"
        f'<div class="scroll"><table class="results"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{remarks}</section>"
    )


def _row(summary: StrategySummary, info: ComparisonInfo, best: bool) -> str:
    reference = summary.is_reference
    share = []
    if info.attainable_auc is not None:
        share = [f"{share_of_attainable(summary.test_auc.mean, info.attainable_auc):.1f}"]
    cells = [
        auc(summary.valid_auc),
        auc(summary.test_auc),
        *share,
        auc(summary.test_logloss),
        MISSING if reference else seconds(summary.search_seconds.mean),
        seconds(summary.retrain_seconds.mean),
        MISSING if reference else count(summary.search_samples.mean),
        MISSING if reference else f"{summary.candidates.mean:.3g}",
        count(summary.parameters.mean),
        escape(summary.kind),
        f"{len(summary.seeds)}/{len(info.seeds)}",
    ]
    name = f'<th scope="row">{escape(summary.strategy)}</th>'
    style = "best" if best else "reference" if reference else ""
    return f'<tr class="{style}">{name}{"".join(f"<td>{c}</td>" for c in cells)}</tr>'


def designs(summaries: Sequence[StrategySummary]) -> str:
    """The best design of every strategy, drawn and in words."""
    parts = "".join(_design(s) for s in summaries)
    return (
        "<section><h2>The designs</h2><p class=note>Of every strategy the seed with the best validation AUC. Lines are "
        "the open connections, from left to right; the word under a block's name is how it merges its inputs.</p>"
        f"{parts}</section>"
    )


def _design(summary: StrategySummary) -> str:
    cell = summary.best
    if isinstance(cell.design, Architecture):
        return _architecture(summary, cell.design)
    words = "".join(f"<li>{_unbroken(escape(w))}</li>" for w in design_words(cell.design))
    soft = ""
    if cell.mode == "soft":
        soft = (
            "<p class=note>Soft: every block keeps the mixture of all operations; the drawing names the heaviest.</p>"
        )
    numbers = (
        f"seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}, "
        f"{len(cell.design.pruned().connections)} connections, {count(cell.parameters)} parameters"
    )
    return (
        f'<div class="design"><h3>{escape(summary.strategy)}</h3><p class="note">{numbers}</p>{soft}'
        f'<div class="card drawing">{draw_design(cell.design)}</div><ul class="words">{words}</ul></div>'
    )


def _architecture(summary: StrategySummary, found: Architecture) -> str:
    cell = summary.best
    numbers = (
        f"seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}, "
        f"{count(cell.parameters)} parameters"
    )
    return (
        f'<div class="design"><h3>{escape(summary.strategy)}</h3><p class="note">{numbers}</p>'
        f"<p>{escape(found.text)}</p></div>"
    )


def _unbroken(words: str) -> str:
    """A block's name and number stay on one line."""
    return re.sub(r"\b(cross|deep) (?=\d)", r"\1&nbsp;", words, flags=re.IGNORECASE)


def settings(info: ComparisonInfo) -> str:
    """Everything needed to repeat the comparison."""
    command = f"<h3>The command</h3><pre>{escape(info.command)}</pre>" if info.command else ""
    return (
        '<section class="settings"><h2>How to repeat this</h2>'
        f"{command}<h3>Settings</h3>{_definitions(_flat(info.settings))}<h3>Versions</h3>{_definitions(info.versions)}</section>"
    )
