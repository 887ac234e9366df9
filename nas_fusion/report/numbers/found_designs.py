"""What is shown of a found design: the cell, what single connections are worth, and how the search moved."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nas_fusion.architecture import Architecture
from nas_fusion.design import Connection, FusionDesign
from nas_fusion.records import CellRecord
from nas_fusion.report.design_words import block_label, design_words
from nas_fusion.report.number_words import count, flat, plain
from nas_fusion.report.numbers.decision import Row

IMPORTANCE = "importance"
"""The key of `CellRecord.details`: ``"source -> target"`` → validation AUC lost."""


class Bar(NamedTuple):
    """One connection and the validation AUC that is lost without it; negative: the model is better without it."""

    label: str
    lost: float


class History(NamedTuple):
    """Rows of numbers over the epochs: ``values[row][epoch]``, NaN where an epoch lacks the row."""

    labels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    @property
    def epochs(self) -> int:
        """How many there are."""
        return len(self.values[0]) if self.values else 0

    @property
    def scale(self) -> float:
        """Twice the median size: a few gates run far ahead of the others, whose colours are to be told apart."""
        sizes = [abs(v) for row in self.values for v in row if math.isfinite(v)]
        return (2 * statistics.median(sizes) if sizes else 0.0) or 1.0


class FoundDesign(NamedTuple):
    """The best seed of a strategy and what it found.

    `fusion`: its design, where that is one of the fusion space; `text`: what is told of any other. `settings`: of an
    architecture, by name. `words`: the design in sentences. `importance`: AUC lost per connection, as far as it was
    measured. `gates`, `operations`: how the search moved, where it says so and no other row shows the same search.
    """

    strategy: str
    cell: CellRecord
    not_learned: bool
    fusion: FusionDesign | None
    text: str
    settings: Mapping[str, str]
    words: tuple[str, ...]
    importance: Mapping[Connection, float]
    gates: History | None
    operations: History | None

    @property
    def numbers(self) -> str:
        """The cell in a line: seed, AUCs and size."""
        cell = self.cell
        parts = [f"seed {cell.seed}, validation AUC {cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}"]
        parts += ["did not learn"] if self.not_learned else []
        parts += [f"{len(self.fusion.pruned().connections)} connections"] if self.fusion else []
        return ", ".join([*parts, f"{count(cell.parameters)} parameters"])

    @property
    def bars(self) -> list[Bar]:
        """The importance of single connections, the most important first."""
        return bars(self.importance)


def found_designs(rows: Sequence[Row]) -> list[FoundDesign]:
    """Of every strategy the seed with the best validation AUC, in the order of the table."""
    names = {row.summary.strategy for row in rows}
    return [_found(row, shares=row.summary.shares_search_with in names) for row in rows]


def _found(row: Row, *, shares: bool) -> FoundDesign:
    cell = row.summary.best
    fusion = None if isinstance(cell.design, Architecture) else cell.design
    other = cell.design if isinstance(cell.design, Architecture) else None
    return FoundDesign(
        row.summary.strategy,
        cell,
        cell.seed in row.not_learned,
        fusion,
        other.text if other else "",
        {name: plain(value) for name, value in flat(other.settings).items()} if other else {},
        tuple(design_words(fusion)) if fusion else (),
        importance(cell.details, fusion) if fusion else {},
        None if shares else gate_history(cell.details),
        None if shares else operation_history(cell.details),
    )


def importance(details: Mapping[str, Any], design: FusionDesign) -> dict[Connection, float]:
    """The AUC lost per open connection of `design`, as far as it was measured."""
    measured = details.get(IMPORTANCE) or {}
    found = {(s, t): measured.get(f"{s} -> {t}") for s, t in design.connections}
    return {c: float(v) for c, v in found.items() if v is not None and math.isfinite(v)}


def bars(found: Mapping[Connection, float]) -> list[Bar]:
    """The most important connection first; equals in the order of the computation."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return [Bar(f"{block_label(s)} → {block_label(t)}", lost) for (s, t), lost in ordered]


def widths(found: Mapping[Connection, float], thin: float, thick: float, top: float) -> dict[Connection, float]:
    """Line widths: `thin` where nothing is lost, `thick` where `top` or more is, linear between them."""
    shares = {c: min(max(v, 0.0) / top, 1.0) if top > 0 else 0.0 for c, v in found.items()}
    return {c: thin + (thick - thin) * share for c, share in shares.items()}


def most_lost(found: Sequence[FoundDesign]) -> float | None:
    """The largest loss of any connection of any of the designs; None where nothing was measured."""
    return max((lost for design in found for lost in design.importance.values()), default=None)


def gate_history(details: Mapping[str, Any]) -> History | None:
    """``details["gates"]`` (per epoch: connection label → α) by connection, or None."""
    epochs = details.get("gates")
    if not epochs:
        return None
    labels = list(dict.fromkeys(label for epoch in epochs for label in epoch))
    names = tuple(" → ".join(map(block_label, reversed(label.split("/")))) for label in labels)
    return History(names, tuple(tuple(float(e.get(label, math.nan)) for e in epochs) for label in labels))


def operation_history(details: Mapping[str, Any]) -> History | None:
    """``details["operations"]`` (per epoch: block → operation → weight) by block and operation, or None."""
    epochs = details.get("operations")
    if not epochs:
        return None
    rows = list(dict.fromkeys((b, op) for epoch in epochs for b, weights in epoch.items() for op in weights))
    values = tuple(tuple(float(e.get(b, {}).get(op, math.nan)) for e in epochs) for b, op in rows)
    return History(tuple(f"{block_label(b)}: {op}" for b, op in rows), values)
