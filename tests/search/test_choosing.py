"""Of its candidates a search takes the best by what validation chooses by; of equal AUCs the better logloss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import SearchData
from nas_fusion.records import TracePoint
from nas_fusion.search import SearchOutcome, run_search
from nas_fusion.search.multitrial import architecture_trainer, candidates
from nas_fusion.search.oneshot import refinement
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import Rank

RESULTS = ((0.7, -0.5), (0.8, -0.6), (0.8, -0.55), (0.6, -0.3))
"""AUC, and minus the logloss."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("data"))


def search(name: str, data: SearchData, monkeypatch: pytest.MonkeyPatch, *, by_logloss: bool) -> SearchOutcome:
    left = list(RESULTS)

    def result(task: Any, *_: Any, place: int, **__: Any) -> candidates.TrainedCandidate:
        auc, loss = left.pop(0)
        rank = Rank(loss, auc) if by_logloss else Rank(auc, loss)
        return candidates.TrainedCandidate(auc, 256, (TracePoint(0.1, 256, auc),), rank)

    for module in (candidates, architecture_trainer, refinement):
        monkeypatch.setattr(module, "train_candidate", result)
    task = tiny_task(data, seed=1, budget="4x", candidates=len(RESULTS))
    return run_search(STRATEGIES.get(name), replace(task, prefer="best"))


@pytest.mark.parametrize("name", ["random", "autoctr"])
@pytest.mark.parametrize(("by_logloss", "place"), [(False, 2), (True, 3)])
def test_the_best_candidate_is_taken(
    name: str, by_logloss: bool, place: int, data: SearchData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = search(name, data, monkeypatch, by_logloss=by_logloss)
    tried = found.details["candidates"]
    assert [one["valid_auc"] for one in tried] == [auc for auc, _ in RESULTS]
    assert str(found.design) == tried[place]["design"]
    assert found.valid_auc == RESULTS[place][0]
