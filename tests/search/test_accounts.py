"""What a search spends on deriving, and what the derived design is worth before re-training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.optfusion import OptFusion
from nas_fusion.search import run_search
from nas_fusion.search.saved_search import load_search, save_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import evaluate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


def test_the_derived_design_is_measured_with_the_supernets_own_weights(data: SearchData, tmp_path: Path) -> None:
    task = tiny_task(data)
    outcome = run_search(STRATEGIES.get("optfusion-hard"), task)
    assert outcome.soft is not None
    assert isinstance(outcome.design, FusionDesign)
    space = task.make_space()
    OptFusion().mutate_model(space)
    space.load_state_dict(outcome.soft.weights)
    model = space.derive(outcome.design, weights=True)
    assert outcome.details["derived_valid_auc"] == evaluate(model, data.valid, task.config).auc
    # The supernet ends with its best epoch, which is what its design was derived from.
    assert outcome.details["supernet_valid_auc"] == outcome.valid_auc == max(p.valid_auc for p in outcome.trace)
    assert outcome.measure_samples == len(data.valid)
    assert outcome.derive_samples == 0
    assert 0 <= outcome.derive_seconds < outcome.seconds
    save_search(tmp_path / "search", outcome)
    loaded = load_search(tmp_path / "search")
    assert loaded is not None
    assert replace(loaded, soft=None) == replace(outcome, soft=None)


@pytest.mark.parametrize("name", ["darts", "gumbel-darts"])
def test_a_supernet_that_is_derived_from_its_last_epoch_says_so(name: str, data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get(name), tiny_task(data))
    assert outcome.details["supernet_valid_auc"] == outcome.trace[-1].valid_auc
    assert 0 < outcome.details["derived_valid_auc"] < 1


def test_ranking_is_deriving(data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get("random-oneshot"), tiny_task(data))
    assert outcome.derive_samples == outcome.candidates * len(data.valid)
    assert outcome.samples == outcome.trace[0].samples - len(data.valid) + outcome.derive_samples
    assert 0 < outcome.derive_seconds < outcome.seconds
    assert outcome.details["derived_valid_auc"] == outcome.valid_auc
    assert "supernet_valid_auc" not in outcome.details, "random paths are no model"
    assert (outcome.measure_samples, outcome.measure_seconds) == (0, 0.0)


def test_a_strategy_may_say_what_deriving_took(data: SearchData) -> None:
    entry = STRATEGIES.get("darts")

    def build(context: Any, **parameters: Any) -> Any:
        strategy = entry.build(context, **parameters)
        strategy.derive_samples = 77
        return strategy

    plain = run_search(entry, tiny_task(data))
    outcome = run_search(replace(entry, build=build), tiny_task(data))
    assert outcome.derive_samples == 77
    assert outcome.samples == plain.samples + 77


def test_a_multi_trial_search_derives_nothing(data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get("random"), tiny_task(data))
    assert (outcome.derive_samples, outcome.derive_seconds, outcome.measure_samples) == (0, 0.0, 0)
    assert "derived_valid_auc" not in outcome.details
