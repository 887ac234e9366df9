"""What every strategy found, on the HTML page: drawings, words, importance, and how the search moved."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nas_fusion.architecture import Architecture
from nas_fusion.report._cost_figures import importance_figure
from nas_fusion.report._curves import gate_history, operation_history
from nas_fusion.report._drawing import draw_design
from nas_fusion.report._format import count, flat, plain
from nas_fusion.report._heatmaps import gates_figure, operations_figure
from nas_fusion.report._importance import bars, importance
from nas_fusion.report._text import html_text
from nas_fusion.report._words import design_words

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from nas_fusion.design import FusionDesign
    from nas_fusion.records import CellRecord
    from nas_fusion.report._model import Row

Embed = Callable[["go.Figure", str], str]
"""Makes a figure's place on the page, given its name."""

OPEN_AT_FIRST = 3


def designs(rows: Sequence[Row], embed: Embed) -> str:
    """The best design of every strategy; the first ones are open, the others open with a click."""
    parts = "".join(_design(row, number, embed, rows) for number, row in enumerate(rows))
    return (
        "<section><h2>What was found</h2><p class=note>Of every strategy the seed with the best validation AUC. Lines "
        "are the open connections, from left to right; the word under a block's name is how it merges its inputs. "
        f'<button type="button" class="open-all">open all</button></p>{parts}</section>'
    )


def _design(row: Row, number: int, embed: Embed, rows: Sequence[Row]) -> str:
    summary = row.summary
    cell = summary.best
    numbers = f"seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}"
    numbers += ", did not learn" if cell.seed in row.not_learned else ""
    if isinstance(cell.design, Architecture):
        content = _architecture(cell.design)
    else:
        numbers += f", {len(cell.design.pruned().connections)} connections"
        content = _fusion(cell, cell.design, number, embed)
    # A shared search is shown once, with the strategy that owns it.
    owner = summary.shares_search_with not in {other.summary.strategy for other in rows}
    history = _history(cell, number, embed) if owner else ""
    is_open = " open" if number < OPEN_AT_FIRST else ""
    return (
        f'<details class="design"{is_open}><summary><b>{html_text(summary.strategy)}</b> '
        f'<span class="note">{html_text(numbers)}, '
        f"{count(cell.parameters)} parameters</span></summary>{content}{history}</details>"
    )


def _fusion(cell: CellRecord, design: FusionDesign, number: int, embed: Embed) -> str:
    found = importance(cell.details, design)
    soft = "Soft: every block keeps the mixture of all operations; the drawing names the heaviest."
    parts = [f"<p class=note>{soft}</p>"] if cell.mode == "soft" else []
    parts.append(f'<div class="card drawing">{draw_design(design, importance=found)}</div>')
    words = "".join(f"<li>{_unbroken(html_text(w))}</li>" for w in design_words(design))
    parts.append(f'<ul class="words">{words}</ul>')
    if found:
        parts.append(
            "<figure><figcaption><b>Importance of single connections.</b> Validation AUC lost when one is closed and "
            "nothing is trained again; hatched: the model is better without it.</figcaption>"
            f'<div class="card half">{embed(importance_figure(bars(found)), f"importance-{number}")}</div></figure>'
        )
    return "".join(parts)


def _architecture(found: Architecture) -> str:
    items = "".join(
        f"<dt>{html_text(name)}</dt><dd>{html_text(plain(value))}</dd>" for name, value in flat(found.settings).items()
    )
    return f"<p>{html_text(found.text)}</p>" + (f"<dl>{items}</dl>" if items else "")


def _unbroken(words: str) -> str:
    """A block's name and number stay on one line."""
    return re.sub(r"\b(cross|deep) (?=\d)", r"\1&nbsp;", words, flags=re.IGNORECASE)


def _history(cell: CellRecord, number: int, embed: Embed) -> str:
    """Gates and operation weights over the epochs, where the search recorded them."""
    gates, operations = gate_history(cell.details), operation_history(cell.details)
    cards = [embed(gates_figure(gates), f"gates-{number}")] if gates else []
    cards += [embed(operations_figure(operations), f"operations-{number}")] if operations else []
    if not cards:
        return ""
    drawn = "".join(f'<div class="card">{c}</div>' for c in cards)
    return (
        "<figure><figcaption><b>How the search moved.</b> Connections: blue is open (α &gt; 0), red is closed. "
        "Operations: the darker, the heavier in the block's mixture.</figcaption>"
        f'<div class="pair">{drawn}</div></figure>'
    )
