"""A whole OptFusion search against training the design that it derives to the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks._harness import Options, Row
from benchmarks._workload import built_in, default_settings, task
from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.search import retrain, run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings

FRAPPE = Path(__file__).resolve().parents[2] / "shared" / "data" / "frappe.parquet"


def run(options: Options) -> Iterator[Row]:
    """Samples and seconds of the search, over those of the re-training, both as ``nasfusion compare`` runs them."""
    yield from _search("built-in log", built_in(options.quick, options.folder), default_settings())
    if FRAPPE.exists() and not options.quick:
        settings = default_settings(str(FRAPPE), split_column="split")
        yield from _search("frappe", prepare(FRAPPE, settings.data, cache=options.folder / "cache"), settings)


def _search(name: str, dataset: EncodedDataset, settings: ComparisonSettings) -> Iterator[Row]:
    entry = STRATEGIES.get("optfusion-hard")
    work = task(dataset, settings)
    outcome = run_search(entry, work)
    trained = retrain(entry, outcome, work, replace(work.config))
    details = {
        "search": f"{outcome.samples:,} samples, {outcome.seconds:.1f} s",
        "re-training": f"{trained.fit.samples:,} samples, {trained.seconds:.1f} s",
        "validation AUC": f"{outcome.valid_auc:.4f}, {trained.fit.best_valid_auc:.4f}",
    }
    yield Row(f"{name}: samples", outcome.samples / trained.fit.samples, "", 1.5, details, at_most=True)
    yield Row(f"{name}: seconds", outcome.seconds / trained.seconds, "", 3.0, details, at_most=True)
