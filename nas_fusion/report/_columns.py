"""The columns of the comparison's tables, the same in the terminal, on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.report._format import (
    MISSING,
    auc,
    count,
    interval,
    milliseconds,
    p_value,
    seconds,
    share_of_attainable,
    short,
    signed,
)
from nas_fusion.report._model import Absent, ReportModel, Row
from nas_fusion.report._summary import Spread, StrategySummary
from nas_fusion.statistics import PairedComparison

if TYPE_CHECKING:
    from nas_fusion.records import ComparisonInfo


class Column(NamedTuple):
    """A column: what stands above it (in full, and broken into short lines for terminals), and its cells as text.

    `words`: they are words; `without`: the cell of a strategy that has no numbers.
    """

    title: str
    short: str
    cell: Callable[[Row], str]
    words: bool = False
    without: Callable[[Absent], str] = lambda line: MISSING


QUALITY, MODEL, SPENT = "Quality", "Cost of the model", "Cost of finding it"


def column_groups(model: ReportModel) -> dict[str, list[Column]]:
    """The columns that have anything to show, by group."""
    groups = {QUALITY: _quality(model.info, model.reference), MODEL: _model(), SPENT: _spent()}
    return {name: _filled(columns, model) for name, columns in groups.items()}


def _filled(columns: Sequence[Column], model: ReportModel) -> list[Column]:
    """The columns in which some line has a value."""
    return [c for c in columns if any(text not in (MISSING, "") for text in column_cells(c, model))]


def column_cells(column: Column, model: ReportModel) -> list[str]:
    """What stands in a column: the strategies with numbers first, then those without."""
    return [*(column.cell(row) for row in model.rows), *(column.without(line) for line in model.absent)]


def verdict_cell(row: Row) -> str:
    """``worse -0.0031``, ``tie +0.0002``, ``reference``."""
    if row.against is None or row.against.verdict == "unknown":
        return row.call
    return f"{row.call} {signed(row.against.difference)}"


def _quality(info: ComparisonInfo, reference: str) -> list[Column]:
    columns = [
        Column("validation AUC", "valid\nAUC", lambda r: auc(r.summary.valid_auc)),
        Column("test AUC", "test\nAUC", lambda r: auc(r.summary.test_auc)),
        Column(f"against {reference}", "against\nreference", verdict_cell, words=True),
        Column("seeds needed", "seeds\nneeded", lambda r: _needed(r.against)),
        Column("95 % of the difference", "95 % of the\ndifference", lambda r: _span(r.against)),
        Column("p, corrected", "p\ncorr.", lambda r: p_value(r.against.p_corrected if r.against else None)),
        Column("interquartile mean", "interq.\nmean", lambda r: short(r.iqm)),
        Column("its 95 % interval", "its 95 %\ninterval", lambda r: interval(r.iqm_interval)),
    ]
    attainable = info.attainable_auc
    if attainable is not None:
        columns.append(
            Column(
                "% of attainable",
                "attain-\nable %",
                lambda r: f"{share_of_attainable(r.summary.test_auc.mean, attainable):.1f}",
            )
        )
    return [
        *columns,
        Column("test logloss", "test\nlogloss", lambda r: auc(r.summary.test_logloss)),
        Column(
            "seeds",
            "seeds",
            lambda r: f"{len(r.summary.seeds)}/{len(info.seeds)}",
            without=lambda line: f"0/{len(info.seeds)}",
        ),
        Column(
            "failed",
            "failed",
            lambda r: str(len(r.failed)) if r.failed else MISSING,
            without=lambda line: str(len(line.failed)),
        ),
        Column("did not learn", "did not\nlearn", lambda r: str(len(r.not_learned)) if r.not_learned else MISSING),
    ]


def _needed(found: PairedComparison | None) -> str:
    return MISSING if found is None or found.pairs_needed is None else f"≈ {found.pairs_needed:,}"


def _span(found: PairedComparison | None) -> str:
    """``-.0012 to .0003``: a dash between the two would read as a minus."""
    if found is None or found.interval is None:
        return MISSING
    return f"{short(found.interval.low)} to {short(found.interval.high)}"


def _cost(row: Row, name: str, text: Callable[[float], str]) -> str:
    spread: Spread | None = row.summary.cost.get(name)
    return MISSING if spread is None else text(spread.mean)


def _model() -> list[Column]:
    return [
        Column("parameters", "para-\nmeters", lambda r: count(r.summary.parameters.mean)),
        Column("multiply-adds per row", "mult-\nadds", lambda r: _cost(r, "multiply_adds", count)),
        Column("ms per batch of 1", "ms at\n1", lambda r: _cost(r, "latency_ms_1", milliseconds)),
        Column("ms per batch of 4096", "ms at\n4096", lambda r: _cost(r, "latency_ms_4096", milliseconds)),
        Column("rows trained per second", "rows/s\ntrained", lambda r: _cost(r, "training_rows_per_second", count)),
    ]


def _searched(text: Callable[[StrategySummary], str]) -> Callable[[Row], str]:
    return lambda r: MISSING if r.summary.is_reference else text(r.summary)


def _spent() -> list[Column]:
    return [
        Column("search and derive, s", "search\ns", _searched(lambda s: seconds(s.found_seconds))),
        Column("re-train, s", "re-train\ns", lambda r: seconds(r.summary.retrain_seconds.mean)),
        Column("tuning, s", "tuning\ns", lambda r: seconds(r.summary.tuning.seconds) if r.summary.tuning else MISSING),
        Column("samples, search and derive", "search\nsamples", _searched(lambda s: count(s.found_samples))),
        Column("samples, re-train", "re-train\nsamples", lambda r: count(r.summary.retrain_samples.mean)),
        Column(
            "samples, tuning",
            "tuning\nsamples",
            lambda r: count(r.summary.tuning.samples) if r.summary.tuning else MISSING,
        ),
        Column("candidates", "candi-\ndates", _searched(lambda s: f"{s.candidates.mean:.3g}")),
    ]
