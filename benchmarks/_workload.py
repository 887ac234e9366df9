"""The workloads that the benchmarks of the loop, the loader and the search share."""

from __future__ import annotations

from pathlib import Path

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.search import Budget, SearchTask
from nas_fusion.studies import ComparisonSettings, make_space


def built_in(quick: bool, folder: Path) -> EncodedDataset:
    """The built-in log, with the rows that earlier measurements had."""
    return prepare("synthetic:3000" if quick else "synthetic:100000", cache=folder / "cache")


def task(
    dataset: EncodedDataset, settings: ComparisonSettings, *, seed: int = 0, budget: str | None = None
) -> SearchTask:
    """A search as ``nasfusion compare`` runs it."""
    rows = len(dataset.train)
    return SearchTask(
        data=dataset.search_view(),
        make_space=lambda: make_space(settings, dataset),
        config=settings.train_config(rows, seed),
        budget=Budget.parse(budget or settings.budget, rows),
    )


def default_settings(source: str = "synthetic", split_column: str | None = None) -> ComparisonSettings:
    """What ``nasfusion compare`` takes without options."""
    return ComparisonSettings(
        source=source, data=DataOptions(split_column=split_column), strategies=("optfusion-hard",)
    )
