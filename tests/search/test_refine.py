"""What follows a supernet: candidates that it proposes, and changes of the best one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.optfusion import OptFusion
from nas_fusion.records import TracePoint
from nas_fusion.search import SearchOutcome, run_search
from nas_fusion.search.multitrial.candidates import TrainedCandidate, train_candidate
from nas_fusion.search.oneshot import refinement
from nas_fusion.search_spaces import DesignSet
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.testing import tiny_data, tiny_task

pytestmark = pytest.mark.slow

CANDIDATES = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("data"))


def search(data: SearchData, budget: str = "9x", **parameters: Any) -> SearchOutcome:
    task = replace(tiny_task(data, seed=5, budget=budget, candidates=CANDIDATES), prefer="best")
    return run_search(STRATEGIES.get("optfusion-refined"), task, {"candidates": CANDIDATES, **parameters})


def test_the_best_candidate_is_taken_and_the_budget_kept(data: SearchData) -> None:
    found = search(data)
    candidates = found.details["candidates"]
    assert len(candidates) == found.candidates == CANDIDATES
    assert candidates[0]["design"] == found.details["derived"]
    assert len({c["design"] for c in candidates}) == CANDIDATES
    best = max(candidates, key=lambda c: c["valid_auc"])
    assert str(found.design) == best["design"]
    assert found.samples <= 9 * len(data.train)


def test_what_the_supernet_leaves_is_shared_alike(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = []
    plain = train_candidate

    def noted(task: Any, config: Any, *rest: Any, **options: Any) -> Any:
        configs.append(config)
        return plain(task, config, *rest, **options)

    monkeypatch.setattr(refinement, "train_candidate", noted)
    search(data)
    shares = [c.max_samples for c in configs]
    assert max(shares) - min(shares) <= 256, "whole batches; what rounding leaves goes to those that follow"
    assert {(c.patience, c.lr_drop) for c in configs} == {(2, 1.0)}, "those of the re-training"


def test_what_an_early_stop_saves_goes_to_the_next(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[int] = []

    def stopped(task: Any, config: Any, *rest: Any, **options: Any) -> TrainedCandidate:
        shares.append(config.max_samples)
        return TrainedCandidate(0.7, 256, (TracePoint(0.1, 256, 0.7),))

    monkeypatch.setattr(refinement, "train_candidate", stopped)
    found = search(data)
    assert shares == sorted(shares)
    assert shares[-1] > 2 * shares[0]
    assert found.derive_samples == CANDIDATES * 256


def test_later_candidates_are_changes_of_the_best_so_far(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    bases: list[FusionDesign] = []
    plain = DesignSet.change

    def noted(designs: Any, design: FusionDesign, rng: Any) -> FusionDesign:
        bases.append(design)
        return plain(designs, design, rng)

    monkeypatch.setattr(DesignSet, "change", noted)
    found = search(data, proposed_share=0.5)
    candidates = found.details["candidates"]
    first = max(candidates[: CANDIDATES // 2], key=lambda c: c["valid_auc"])
    assert str(bases[0]) == first["design"]


def test_a_failed_candidate_has_spent_its_share(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search(data)
    plain, calls = train_candidate, []

    def second_fails(task: Any, config: Any, *rest: Any, **options: Any) -> Any:
        calls.append(config.max_samples)
        if len(calls) == 2:
            raise TrainingError("not finite")
        return plain(task, config, *rest, **options)

    monkeypatch.setattr(refinement, "train_candidate", second_fails)
    found = search(data)
    assert found.details["candidates"][1]["valid_auc"] is None
    assert abs(found.samples - whole.samples) < 256 * 2, "its share, in whole batches, is not given to the others"
    assert found.candidates == CANDIDATES


def test_a_budget_without_a_batch_left_keeps_the_derived_design(data: SearchData) -> None:
    task = replace(tiny_task(data, seed=5, candidates=CANDIDATES))
    task = replace(task, budget=replace(task.budget, samples=task.config.batch_size))
    found = run_search(STRATEGIES.get("optfusion-refined"), task, {"supernet_share": 0.6})
    assert found.candidates == 0
    assert str(found.design) == found.details["derived"]


def test_it_can_be_kept_and_read_again(data: SearchData, tmp_path: Path) -> None:
    from nas_fusion.search.saved_search import load_search, save_search

    found = search(data, budget="4x")
    save_search(tmp_path / "search", found)
    again = load_search(tmp_path / "search")
    assert again is not None
    assert (again.design, again.trace, again.samples) == (found.design, found.trace, found.samples)


@pytest.mark.parametrize("warm_up", [0, 10**9])
def test_the_architecture_rests_while_the_weights_warm_up(warm_up: int, data: SearchData) -> None:
    entry = StrategyEntry("warm", "one-shot", "", lambda context: OptFusion(warm_up=warm_up))
    found = run_search(entry, tiny_task(data, seed=5))
    moved = any(alpha != 0.5 for alpha in found.details["gates"][-1].values())
    assert moved == (warm_up == 0)
