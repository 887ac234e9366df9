"""``results.csv``, one row per cell, ``summary.csv``, one per strategy, and ``fronts.csv``, one per design on a
search's
front: as data frames and as files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_fusion.records import TEST_METRICS, CellRecord, ComparisonInfo
from nas_fusion.report.escapes import clean, csv_text
from nas_fusion.report.numbers.costs.search_fronts import front_of
from nas_fusion.report.numbers.decision import Absent, Row
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.summaries import COSTS, Spread, by_strategy, not_learned, told_metrics
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "strategy",
    "seed",
    "kind",
    "mode",
    "test_auc",
    "test_logloss",
    "valid_auc",
    "valid_logloss",
    "search_valid_auc",
    "learned",
    "search_seconds",
    "derive_seconds",
    "retrain_seconds",
    "search_samples",
    "derive_samples",
    "retrain_samples",
    "parameters",
    "candidates",
    *COSTS,
    "design",
)
"""The columns of ``results.csv``."""

CLOCK = tuple(c for c in COLUMNS if c.endswith("_seconds") or c.startswith("latency_") or c.endswith("_per_second"))
"""The columns that depend on the clock: two equal runs differ in these alone."""

_SPREADS = ("valid_auc", "test_auc", "valid_logloss", "test_logloss")
_MEANS = (
    *("search_seconds", "derive_seconds", "retrain_seconds"),
    *("search_samples", "derive_samples", "retrain_samples"),
    *("candidates", "parameters"),
)


def results_frame(records: Sequence[CellRecord], info: ComparisonInfo) -> pd.DataFrame:
    """One row per cell, by strategy in the order given, then by seed; columns as in `COLUMNS`.

    What was measured on test rows beside AUC and logloss, where a cell has it, are the last columns, ``test_<name>``:
    `nas_fusion.records.TEST_METRICS`, and then other people's (`nas_fusion.training.METRICS`).
    `learned` is False for a cell whose model knows nothing, where others do (`not_learned`).

    Raises:
        OptionError: a strategy has two records of one seed.
    """
    import pandas as pd

    ordered = [r for group in by_strategy(records).values() for r in group]
    dead = not_learned(records, info)
    made = {*COSTS, "learned", "design"}
    columns: dict[str, list[Any]] = {n: [getattr(r, n) for r in ordered] for n in COLUMNS if n not in made}
    columns.update({name: [r.cost.get(name, math.nan) for r in ordered] for name in COSTS})
    columns["learned"] = [r.seed not in dead.get(r.strategy, ()) for r in ordered]
    columns["strategy"] = [clean(r.strategy) for r in ordered]
    columns["design"] = [clean(str(r.design)) for r in ordered]
    further = _told(ordered)
    frame = pd.DataFrame(columns | further, columns=[*COLUMNS, *further])
    return frame.astype(dict.fromkeys(("search_valid_auc", *COSTS, *further), "float64"))


def _told(records: Sequence[CellRecord]) -> dict[str, list[float]]:
    """The columns of what was measured beside AUC and logloss, as far as any record has it."""
    each = [told_metrics(record) for record in records]
    return {f"test_{clean(name)}": [told.get(name, math.nan) for told in each] for name in _names(each)}


def _names(each: Sequence[Mapping[str, object]]) -> list[str]:
    """All names, in the order of `TEST_METRICS`, then other people's in theirs."""
    found = {name for told in each for name in told}
    return [*(n for n in TEST_METRICS if n in found), *sorted(found - {*TEST_METRICS})]


def summary_frame(model: ReportModel) -> pd.DataFrame:
    """One row per strategy, best validation AUC first; NaN or an empty text where something does not apply.

    Strategies of which every cell has failed come last, without numbers.
    """
    import pandas as pd

    agreeing = {a.strategy: a for a in model.agreements}
    told = _names([row.summary.told for row in model.rows])
    rows = []
    for row in model.rows:
        agreement = agreeing.get(row.summary.strategy)
        equal = math.nan if agreement is None else agreement.equal
        live = math.nan if agreement is None or agreement.live is None else agreement.live
        content = {**_quality(row), **_against(row, model.reference), **_costs(row)}
        spreads = {clean(name): row.summary.told.get(name) for name in told}
        measured = {f"test_{n}_mean": math.nan if spread is None else spread.mean for n, spread in spreads.items()}
        rows.append({**content, "equal_choices": equal, "live_jaccard": live, **measured})
    lines = [*rows, *(_absent(line, model.reference) for line in model.absent)]
    return pd.DataFrame([{k: clean(v) if isinstance(v, str) else v for k, v in line.items()} for line in lines])


def _absent(line: Absent, reference: str) -> dict[str, Any]:
    none = {"seeds": 0, "failed_seeds": len(line.failed), "not_learned_seeds": 0, "pairs": 0}
    return {"strategy": line.strategy, **none, "reference": reference, "verdict": "unknown", "words": ""}


def _quality(row: Row) -> dict[str, Any]:
    s = row.summary
    content: dict[str, Any] = {"strategy": s.strategy, "kind": s.kind, "mode": s.mode, "family": s.family}
    content |= {"seeds": len(s.seeds), "failed_seeds": len(row.failed), "not_learned_seeds": len(row.not_learned)}
    content |= {"best_model": row.is_best, "best_found_by_search": row.is_best_found}
    for name in _SPREADS:
        spread: Spread = getattr(s, name)
        content |= {f"{name}_mean": spread.mean, f"{name}_sd": math.nan if spread.sd is None else spread.sd}
    low, high = row.iqm_interval or (math.nan, math.nan)
    search = math.nan if s.search_valid_auc is None else s.search_valid_auc.mean
    return {
        **content,
        "test_auc_iqm": row.iqm,
        "test_auc_iqm_low": low,
        "test_auc_iqm_high": high,
        "search_valid_auc_mean": search,
    }


def _against(row: Row, reference: str) -> dict[str, Any]:
    found = row.against
    if found is None:
        empty = dict.fromkeys(("difference", "difference_low", "difference_high", "p_value", "p_corrected"), math.nan)
        return {
            "reference": reference,
            **empty,
            "pairs": 0,
            "verdict": row.call,
            "seeds_needed": math.nan,
            "words": "",
        }
    low, high = found.interval or (math.nan, math.nan)
    return {
        "reference": reference,
        "difference": found.difference,
        "difference_low": low,
        "difference_high": high,
        "p_value": math.nan if found.p_value is None else found.p_value,
        "p_corrected": math.nan if found.p_corrected is None else found.p_corrected,
        "pairs": found.pairs,
        "verdict": row.call,
        "seeds_needed": math.nan if found.pairs_needed is None else found.pairs_needed,
        "words": found.words,
    }


def _costs(row: Row) -> dict[str, Any]:
    s = row.summary
    tuning = s.tuning or (0.0, 0.0)
    means = {f"{name}_mean": getattr(s, name).mean for name in _MEANS}
    costs = {f"{name}_mean": s.cost[name].mean if name in s.cost else math.nan for name in COSTS}
    return {**means, "tuning_seconds": tuning[0], "tuning_samples": tuning[1], **costs}


def write_results_csv(records: Sequence[CellRecord], info: ComparisonInfo, path: str | Path) -> None:
    """Write `results_frame` as CSV, atomically.

    Floats keep every digit and the order is fixed, so two equal runs give equal files but for the columns of `CLOCK`.

    Raises:
        OptionError: a strategy has two records of one seed.
        StudyError: the file cannot be written.
    """
    _write(results_frame(records, info), path)


def write_summary_csv(model: ReportModel, path: str | Path) -> None:
    """Write `summary_frame` as CSV, atomically.

    Raises:
        StudyError: the file cannot be written.
    """
    _write(summary_frame(model), path)


def fronts_frame(records: Sequence[CellRecord]) -> pd.DataFrame:
    """One row per design on a search's front, cheapest first, cell after cell; empty where no record has one.

    `chosen`: whether it was handed on, by `prefer` (empty where the search derives its design); `behind`: the best of
    the front, in what validation chooses by, with `error`, the standard error of that difference by pairs of rows, and
    NaN where either is not known; `json`: the design, so that it can be made again.
    """
    import pandas as pd

    rows = [
        {
            "strategy": clean(front.strategy), "seed": front.seed, "prefer": clean(front.preferred),
            "chosen": point.is_chosen, "valid_auc": point.valid_auc, "behind": point.behind, "error": point.error,
            "multiply_adds": point.multiply_adds, "parameters": point.parameters, "design": clean(point.design),
            "json": clean(point.content),
        }
        for front in map(front_of, records)
        for point in front.points
    ]  # fmt: skip
    return pd.DataFrame(rows)


def write_fronts_csv(records: Sequence[CellRecord], path: str | Path) -> None:
    """Write `fronts_frame` as CSV, atomically; without any front there is no file.

    Raises:
        StudyError: the file cannot be written.
    """
    frame = fronts_frame(records)
    if frame.empty:
        Path(path).unlink(missing_ok=True)
    else:
        _write(frame, path)


def _write(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV, atomically; a text that a spreadsheet would run as a formula gets an apostrophe before it.

    Raises:
        StudyError: the file cannot be written.
    """
    shown = frame.map(lambda value: csv_text(value) if isinstance(value, str) else value)
    write_text(path, shown.to_csv(index=False, lineterminator="\n"))
