"""What each baseline is: its designs by hand, whose data it trains on, how it proposes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from nas_fusion.data import SearchData
from nas_fusion.search import run_search
from nas_fusion.search_spaces import DesignSet
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing.small_task import tiny_data, tiny_task


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


STACKED: dict[int, list[str]] = {
    1: ["embedding", "cross0", "deep1", "output"],
    2: ["embedding", "cross0", "cross1", "deep2", "output"],
    3: ["embedding", "cross0", "cross1", "deep2", "deep3", "output"],
}


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_stacked_is_one_chain(levels: int) -> None:
    design = STRATEGIES.get("stacked").reference_design(DesignSet(levels))
    chain = STACKED[levels]
    assert set(design.connections) == set(pairwise(chain))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_parallel_is_two_towers_side_by_side(levels: int) -> None:
    design = STRATEGIES.get("parallel").reference_design(DesignSet(levels))
    crosses = ["embedding", *(f"cross{i}" for i in range(levels + 1)), "output"]
    deeps = ["embedding", *(f"deep{i}" for i in range(1, levels + 1)), "output"]
    expected = {*pairwise(crosses), *pairwise(deeps)}
    assert set(design.connections) == expected
    assert design.operation("output") == "concat"


@pytest.mark.parametrize("name", ["stacked", "parallel"])
def test_references_take_the_operations_that_there_are(name: str) -> None:
    designs = DesignSet(2, ("attention",))
    assert designs.problem(STRATEGIES.get(name).reference_design(designs)) is None


def test_grid_enumerates_a_small_space_without_repetition(data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get("grid"), tiny_task(data, levels=1, candidates=6))
    found = [candidate["design"] for candidate in outcome.details["candidates"]]
    assert len(found) == outcome.candidates == 6
    assert len(set(found)) == 6


def test_tpe_asks_optunas_sampler_and_follows_its_seed(data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    seeds: list[Any] = []

    class Watched(optuna.samplers.TPESampler):
        def __init__(self, **options: Any) -> None:
            seeds.append(options["seed"])
            super().__init__(**options)

    monkeypatch.setattr(optuna.samplers, "TPESampler", Watched)
    designs = [run_search(STRATEGIES.get("tpe"), tiny_task(data, seed=s, budget="1x")).design for s in (3, 3, 4)]
    assert seeds == [3, 3, 4]
    assert designs[0] == designs[1]
    assert designs[0] != designs[2]


@pytest.mark.parametrize("name", ["darts", "gumbel-darts"])
def test_darts_trains_the_architecture_on_validation_rows_and_weights_on_training_rows(
    name: str, data: SearchData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that say which split a row is from, and a watch on who steps after which batch."""
    steps: list[tuple[bool, str]] = []
    seen: dict[str, int] = {}
    from nas_fusion.training import CTRModule

    step = CTRModule.training_step
    train_rows = {tuple(row) for row in np.asarray(data.train.ids)}

    def watched(self: CTRModule, batch: Any, batch_idx: int) -> torch.Tensor:
        of_train = sum(tuple(row) in train_rows for row in batch.ids.tolist()) / len(batch.ids)
        seen["now"] = of_train == 1.0
        return step(self, batch, batch_idx)

    monkeypatch.setattr(CTRModule, "training_step", watched)
    adam = torch.optim.Adam.step

    def watched_step(self: torch.optim.Adam, closure: Any = None) -> Any:
        kind = "architecture" if len(self.param_groups) == 1 else "weights"
        done = adam(self, closure)
        steps.append((bool(seen["now"]), kind))
        return done

    monkeypatch.setattr(torch.optim.Adam, "step", watched_step)
    run_search(STRATEGIES.get(name), tiny_task(data, budget="1x"))
    assert {kind for _, kind in steps} == {"architecture", "weights"}
    assert all(from_train == (kind == "weights") for from_train, kind in steps)
