"""When the search stops: after one epoch without any gain, as published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nas_fusion.search import run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task


def test_the_smallest_gain_of_the_recipe_is_not_the_searchs(tmp_path: Path) -> None:
    """The recipe's patience may want more; here no epoch could ever satisfy it."""
    task = tiny_task(tiny_data(tmp_path), budget="40x")
    strict = replace(task, config=replace(task.config, min_improvement=0.9, learning_rate=0.01))
    aucs = [point.valid_auc for point in run_search(STRATEGIES.get("optfusion-hard"), strict).trace]
    gains = [auc > max(aucs[:n]) for n, auc in enumerate(aucs) if n]
    assert 1 < len(gains) < 39, "this search says nothing about patience"
    assert gains == [True] * (len(gains) - 1) + [False]
