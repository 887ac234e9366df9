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
from nas_fusion.report._standing import Standings, standings
from nas_fusion.report._summary import Spread, StrategySummary, chosen, summarise
from nas_fusion.statistics import Interval, PairedComparison, bootstrap_interval, interquartile_mean

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

REFERENCE_WORD = "reference"


class Row(NamedTuple):
    """A strategy's line.

    `iqm`, `iqm_interval`: interquartile mean of the test AUC and its 95 % bootstrap interval; `against`: the
    comparison with the reference, None for the reference itself; `is_chosen`: validation chooses this one.
    """

    summary: StrategySummary
    iqm: float
    iqm_interval: Interval | None
    against: PairedComparison | None
    is_chosen: bool


class Column(NamedTuple):
    """A column: what stands above it (in full, and broken into short lines for terminals), and its cells as text."""

    title: str
    short: str
    cell: Callable[[Row], str]
    words: bool = False


class Layout(NamedTuple):
    """The rows, best validation AUC first, the groups of columns that have anything to show, and the comparisons."""

    rows: list[Row]
    groups: dict[str, list[Column]]
    standings: Standings | None


QUALITY, MODEL, SPENT = "Quality", "Cost of the model", "Cost of finding it"


def layout(records: Sequence[CellRecord], info: ComparisonInfo) -> Layout:
    """The whole table.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    found = standings(records, info.reference)
    rows = table_rows(records, found)
    groups = {
        QUALITY: _quality(info, found.reference if found else ""),
        MODEL: _model(),
        SPENT: _spent(),
    }
    return Layout(rows, {name: _filled(columns, rows) for name, columns in groups.items()}, found)


def table_rows(records: Sequence[CellRecord], found: Standings | None) -> list[Row]:
    """One row per strategy, best validation AUC first."""
    tests: dict[str, list[float]] = {}
    for r in sorted(records, key=lambda r: r.seed):
        tests.setdefault(r.strategy, []).append(r.test_auc)
    summaries = summarise(records)
    best = chosen(summaries)
    return [
        Row(
            s,
            interquartile_mean(tests[s.strategy]),
            bootstrap_interval(tests[s.strategy]),
            found.against.get(s.strategy) if found else None,
            s is best,
        )
        for s in summaries
    ]


def _filled(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns in which some row has a value."""
    return [c for c in columns if any(c.cell(row) not in (MISSING, "") for row in rows)]


def verdict_cell(row: Row) -> str:
    """``worse -0.0031``, ``tie +0.0002``, ``reference``."""
    if row.against is None:
        return REFERENCE_WORD
    if row.against.verdict == "unknown":
        return "unknown"
    return f"{row.against.verdict} {signed(row.against.difference)}"


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
        Column("seeds", "seeds", lambda r: f"{len(r.summary.seeds)}/{len(info.seeds)}"),
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
