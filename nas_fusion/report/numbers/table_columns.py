"""The cells of the comparison's tables as text, the same in the terminal, on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from nas_fusion.bounds import SELECTIONS
from nas_fusion.records import ChosenRecipe, ComparisonInfo
from nas_fusion.report.escapes import clean
from nas_fusion.report.number_words import (
    MISSING,
    count,
    interval,
    milliseconds,
    p_value,
    plain,
    seconds,
    share_of_attainable,
    short,
    signed,
)
from nas_fusion.report.numbers.agreement import Agreement
from nas_fusion.report.numbers.decision import NOT_LEARNED, Absent, Row
from nas_fusion.report.numbers.search_gap import Stages
from nas_fusion.report.numbers.summaries import Spread, StrategySummary
from nas_fusion.statistics import PairedComparison


class Column(NamedTuple):
    """A column: what stands above it (in full, and broken into short lines for terminals), and its cells as text.

    `cells`: of the strategies with numbers first, then of those without; `words`: they are words.
    """

    title: str
    short: str
    cells: tuple[str, ...]
    words: bool


class Columns(NamedTuple):
    """The columns that have anything to show: the models' quality, their cost, and the cost of finding them."""

    quality: tuple[Column, ...]
    model: tuple[Column, ...]
    spent: tuple[Column, ...]

    @property
    def costs(self) -> tuple[Column, ...]:
        """Both sorts of cost."""
        return (*self.model, *self.spent)


class TextTable(NamedTuple):
    """A small table as text: its heads, and its rows; the first cell of a row is a name."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class _Cells(NamedTuple):
    """How a column is made: its heads as in `Column`, the cell of a row, and that of a strategy without numbers."""

    title: str
    short: str
    cell: Callable[[Row], str]
    words: bool = False
    without: Callable[[Absent], str] = lambda line: MISSING


def table_columns(
    rows: Sequence[Row],
    absent: Sequence[Absent],
    info: ComparisonInfo,
    reference: str,
    select: str = "auc",
    equals: Mapping[str, float] | None = None,
) -> Columns:
    """Write the cells of a comparison's tables.

    Args:
        rows, absent: the lines (`nas_fusion.report.numbers.decision.lines_of`).
        info: what was compared.
        reference: the strategy with which the others are compared.
        select: by what validation chose.
        equals: who is as good as the best model, and at how much of its multiply-adds.
    """
    groups = (_quality(info, reference, select), _model(equals or {}), _spent())
    return Columns(*(_filled(group, rows, absent) for group in groups))


def told_columns(rows: Sequence[Row], absent: Sequence[Absent]) -> tuple[Column, ...]:
    """What was measured on test rows beside AUC and logloss, other people's metrics included, where a row has it."""
    names = dict.fromkeys([*_TOLD, *(name for row in rows for name in row.summary.told)])
    return _filled([_told(name) for name in names], rows, absent)


def _filled(columns: Sequence[_Cells], rows: Sequence[Row], absent: Sequence[Absent]) -> tuple[Column, ...]:
    made = [Column(c.title, c.short, (*map(c.cell, rows), *map(c.without, absent)), c.words) for c in columns]
    return tuple(c for c in made if any(text not in (MISSING, "") for text in c.cells))


def recipe_table(recipe: ChosenRecipe) -> TextTable:
    """Every recipe that a sweep tried, and how that ended; the chosen one has a mark."""
    names = list(recipe.tried[0].values)
    ended = {"end": "", "behind": "stopped: behind", "spent": "passes spent", "failed": "failed"}
    best = next((i for i, one in enumerate(recipe.tried) if one.values == recipe.values), None)
    rows = tuple(
        (
            f"{at + 1}{' *' if at == best else ''}",
            *(plain(one.values[name]) for name in names),
            MISSING if one.valid_auc is None else short(one.valid_auc),
            *([] if recipe.select == "auc" else [MISSING if one.score is None else short(abs(one.score))]),
            str(one.epochs),
            seconds(one.seconds),
            ended[one.ended],
        )
        for at, one in enumerate(recipe.tried)
    )
    by = dict.fromkeys([SELECTIONS["auc"], SELECTIONS[recipe.select]])
    return TextTable(("tried", *names, *by, "epochs", "s", "ended"), rows)


def agreement_table(found: Sequence[Agreement]) -> TextTable:
    """How much the designs of each strategy's seeds agree."""
    heads = ("strategy", "different designs", "equal choices", "shared live connections")
    return TextTable(
        heads, tuple((a.strategy, f"{a.distinct} of {a.seeds}", _share(a.equal), _share(a.live)) for a in found)
    )


def chance_line(equal: float) -> tuple[str, ...]:
    """The line of an `agreement_table` that says how many choices two random designs share."""
    return ("two random designs", MISSING, _share(equal), MISSING)


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0%}"


def gap_table(found: Sequence[Stages]) -> TextTable:
    """The discretisation gap, and how many connections were closed where the records say it."""
    heads = ("strategy", "while searching", "derived", "re-trained", "re-trained − searching")
    shares = {"closed": "connections closed", "closed_rightly": "rightly closed", "kept_rightly": "rightly kept"}
    known = {name: head for name, head in shares.items() if any(getattr(s, name) is not None for s in found)}
    rows = (
        (
            s.strategy,
            *(MISSING if v is None else f"{v:.4f}" for v in (s.search, s.derived, s.retrained)),
            MISSING if s.gap is None else signed(s.gap),
            *(_share(getattr(s, name)) for name in known),
        )
        for s in found
    )
    return TextTable((*heads, *known.values()), tuple(rows))


def calls(rows: Sequence[Row], reference: str) -> Mapping[str, str]:
    """Who is better, worse, or cannot be told from the reference: names by what is said of them."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.against is not None:
            dead = NOT_LEARNED * bool(row.not_learned)
            names.setdefault(row.call, []).append(f"{row.summary.strategy} {dead}".strip())
    titles = {
        "better": f"Better than {reference}",
        "tie": f"Tie with {reference}",
        "worse": f"Worse than {reference}",
        "unknown": "Too few seeds to say",
    }
    return {title: ", ".join(names[call]) for call, title in titles.items() if call in names}


def _chosen_by(select: str) -> list[_Cells]:
    """What validation chose by, where that is not the AUC."""
    if select == "auc":
        return []
    title = SELECTIONS[select]
    short = title.replace("validation", "valid").replace(" ", "\n", 1)
    return [_Cells(title, short, lambda r: r.summary.chosen_by(select).words)]


def _quality(info: ComparisonInfo, reference: str, select: str) -> list[_Cells]:
    columns = [
        *_chosen_by(select),
        _Cells("validation AUC", "valid\nAUC", lambda r: r.summary.valid_auc.words),
        _Cells("test AUC", "test\nAUC", lambda r: r.summary.test_auc.words),
        _Cells(f"against {reference}", "against\nreference", lambda r: f"{r.call} {r.amount}".strip(), words=True),
        _Cells("seeds needed", "seeds\nneeded", lambda r: _needed(r.against)),
        _Cells("95 % of the difference", "95 % of the\ndifference", lambda r: _span(r.against)),
        _Cells("p, corrected", "p\ncorr.", lambda r: p_value(r.against.p_corrected if r.against else None)),
        _Cells("interquartile mean", "interq.\nmean", lambda r: short(r.iqm)),
        _Cells("its 95 % interval", "its 95 %\ninterval", lambda r: interval(r.iqm_interval)),
    ]
    attainable = info.attainable_auc
    if attainable is not None:
        columns.append(
            _Cells(
                "% of attainable",
                "attain-\nable %",
                lambda r: f"{share_of_attainable(r.summary.test_auc.mean, attainable):.1f}",
            )
        )
    return [
        *columns,
        _Cells("test logloss", "test\nlogloss", lambda r: r.summary.test_logloss.words),
        _Cells(
            "seeds",
            "seeds",
            lambda r: f"{len(r.summary.seeds)}/{len(info.seeds)}",
            without=lambda line: f"0/{len(info.seeds)}",
        ),
        _Cells(
            "failed",
            "failed",
            lambda r: str(len(r.failed)) if r.failed else MISSING,
            without=lambda line: str(len(line.failed)),
        ),
        _Cells("did not learn", "did not\nlearn", lambda r: str(len(r.not_learned)) if r.not_learned else MISSING),
    ]


def _needed(found: PairedComparison | None) -> str:
    return MISSING if found is None or found.pairs_needed is None else f"≈ {found.pairs_needed:,}"


def _span(found: PairedComparison | None) -> str:
    """``-.0012 to .0003``: a dash between the two would read as a minus."""
    if found is None or found.interval is None:
        return MISSING
    return f"{short(found.interval.low)} to {short(found.interval.high)}"


_TOLD = {
    "normalised_entropy": ("normalised entropy", "norm.\nentropy"),
    "calibration_ratio": ("expected / observed clicks", "expected /\nobserved"),
    "calibration_error": ("calibration error (ECE)", "calib.\nerror"),
    "pr_auc": ("PR-AUC", "PR-\nAUC"),
    "gauc": ("AUC within groups", "grouped\nAUC"),
}
"""The heads of what is measured on test rows beside AUC and logloss; other people's metrics have their names."""


def _told(name: str) -> _Cells:
    shown = clean(name)  # of somebody else's metric
    title, words = _TOLD.get(name, (shown, shown.replace("_", "\n")))
    return _Cells(title, words, lambda r: r.summary.told[name].words if name in r.summary.told else MISSING)


def _cost(row: Row, name: str, text: Callable[[float], str]) -> str:
    spread: Spread | None = row.summary.cost.get(name)
    return MISSING if spread is None else text(spread.mean)


def _model(equals: Mapping[str, float]) -> list[_Cells]:
    return [
        _Cells("parameters", "para-\nmeters", lambda r: count(r.summary.parameters.mean)),
        _Cells("multiply-adds per row", "mult-\nadds", lambda r: _cost(r, "multiply_adds", count)),
        _Cells("as good as the best, at so much of its multiply-adds", "as good\nat", lambda r: _equal(r, equals)),
        _Cells("ms per batch of 1", "ms at\n1", lambda r: _cost(r, "latency_ms_1", milliseconds)),
        _Cells("ms per batch of 4096", "ms at\n4096", lambda r: _cost(r, "latency_ms_4096", milliseconds)),
        _Cells("rows trained per second", "rows/s\ntrained", lambda r: _cost(r, "training_rows_per_second", count)),
    ]


def _equal(row: Row, equals: Mapping[str, float]) -> str:
    return f"{equals[row.summary.strategy]:.0%}" if row.summary.strategy in equals else MISSING


def _searched(text: Callable[[StrategySummary], str]) -> Callable[[Row], str]:
    return lambda r: MISSING if r.summary.is_reference else text(r.summary)


def _spent() -> list[_Cells]:
    return [
        _Cells("search and derive, s", "search\ns", _searched(lambda s: seconds(s.found_seconds))),
        _Cells("re-train, s", "re-train\ns", lambda r: seconds(r.summary.retrain_seconds.mean)),
        _Cells("tuning, s", "tuning\ns", lambda r: seconds(r.summary.tuning.seconds) if r.summary.tuning else MISSING),
        _Cells("samples, search and derive", "search\nsamples", _searched(lambda s: count(s.found_samples))),
        _Cells("samples, re-train", "re-train\nsamples", lambda r: count(r.summary.retrain_samples.mean)),
        _Cells(
            "samples, tuning",
            "tuning\nsamples",
            lambda r: count(r.summary.tuning.samples) if r.summary.tuning else MISSING,
        ),
        _Cells("candidates", "candi-\ndates", _searched(lambda s: f"{s.candidates.mean:.3g}")),
    ]
