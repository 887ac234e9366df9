"""The results as a data frame and as ``results.csv``: one row per cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_fusion.errors import OptionError
from nas_fusion.report._learning import not_learned
from nas_fusion.report._text import clean, csv_text
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    import pandas as pd

    from nas_fusion.records import CellRecord, ComparisonInfo

COSTS = ("multiply_adds", "latency_ms_1", "latency_ms_4096", "training_rows_per_second")
"""The costs of a model that a record may hold (`CellRecord.cost`), in the order of the tables."""

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


def by_strategy(records: Iterable[CellRecord]) -> dict[str, list[CellRecord]]:
    """The records of each strategy, seeds ascending; strategies in the order of their first record.

    Raises:
        OptionError: a strategy has two records of one seed.
    """
    groups: dict[str, list[CellRecord]] = {}
    for record in records:
        groups.setdefault(record.strategy, []).append(record)
    for strategy, group in groups.items():
        group.sort(key=lambda r: r.seed)
        seeds = [r.seed for r in group]
        if len(set(seeds)) < len(seeds):
            raise OptionError("records", "one per strategy and seed", f"{strategy} with seeds {seeds}")
    return groups


def results_frame(records: Sequence[CellRecord], info: ComparisonInfo) -> pd.DataFrame:
    """One row per cell, by strategy in the order given, then by seed; columns as in `COLUMNS`.

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
    frame = pd.DataFrame(columns, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(("search_valid_auc", *COSTS), "float64"))


def write_results_csv(records: Sequence[CellRecord], info: ComparisonInfo, path: str | Path) -> None:
    """Write `results_frame` as CSV, atomically.

    Floats keep every digit and the order is fixed, so two equal runs give equal files but for the columns of `CLOCK`.

    Raises:
        OptionError: a strategy has two records of one seed.
        StudyError: the file cannot be written.
    """
    write_csv(results_frame(records, info), path)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV, atomically; a text that a spreadsheet would run as a formula gets an apostrophe before it.

    Raises:
        StudyError: the file cannot be written.
    """
    shown = frame.map(lambda value: csv_text(value) if isinstance(value, str) else value)
    write_text(path, shown.to_csv(index=False, lineterminator="\n"))
