"""Re-trainings of several networks whose logits are averaged."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nas_fusion.data import SearchData
from nas_fusion.errors import OptionError
from nas_fusion.measures import connection_importance, has_connections, without_connection
from nas_fusion.nn import Ensemble, FusionNetwork
from nas_fusion.search import Retrained, SearchTask, retrain, run_search
from nas_fusion.settings import ComparisonSettings, DataOptions, LimitSettings, RecipeSettings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training import EpochRecord, TrainConfig, evaluate, member_seed, predict_logits
from nas_fusion.training.quality import Predictions, auc, logloss

MEMBERS, SEED = 3, 7


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("data"))


def config_of(task: SearchTask, members: int, seed: int = SEED) -> TrainConfig:
    return replace(task.config, members=members, seed=seed, max_epochs=3, patience=1, learning_rate=0.01)


def trained(data: SearchData, name: str, members: int, seed: int = SEED) -> tuple[Retrained, list[EpochRecord]]:
    entry, task = STRATEGIES.get(name), tiny_task(data, seed=seed)
    told: list[EpochRecord] = []
    made = retrain(entry, run_search(entry, task), task, config_of(task, members, seed), told.append)
    return made, told


@pytest.fixture(scope="module")
def ensemble(data: SearchData) -> tuple[Retrained, list[EpochRecord]]:
    return trained(data, "parallel", MEMBERS)


@pytest.fixture(scope="module")
def networks(data: SearchData) -> list[Retrained]:
    """The same networks, one after the other."""
    return [trained(data, "parallel", 1, member_seed(SEED, index))[0] for index in range(MEMBERS)]


def test_the_members_are_networks_trained_alone(ensemble: tuple[Retrained, object], networks: list[Retrained]) -> None:
    model = ensemble[0].model
    assert isinstance(model, Ensemble)
    for member, alone in zip(model.members, networks, strict=True):
        assert not isinstance(alone.model, Ensemble)
        for name, weight in alone.model.state_dict().items():
            assert torch.equal(member.state_dict()[name], weight), name
    assert ensemble[0].parameters == sum(one.parameters for one in networks)


def test_what_is_validated_is_the_mean_of_their_logits(
    data: SearchData, ensemble: tuple[Retrained, list[EpochRecord]], networks: list[Retrained]
) -> None:
    config = TrainConfig(device="cpu")
    logits = [predict_logits(one.model, data.valid, config) for one in networks]
    valid = Predictions.of(np.mean(logits, axis=0), np.asarray(data.valid.labels))
    found = ensemble[0].fit
    assert found.best_valid_auc == pytest.approx(auc(valid), abs=1e-7)
    assert found.best_valid_logloss == pytest.approx(logloss(valid), abs=1e-6)
    assert len({one.fit.best_valid_auc for one in networks}) == MEMBERS
    assert found.best_epoch == found.history[-1].epoch


@pytest.mark.parametrize("count", [1, 2])
def test_no_network_is_begun_that_would_come_too_late(
    data: SearchData, networks: list[Retrained], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """There is time for so many: they are those that would have been trained anyway."""
    asked: list[float] = []

    def has_time_for(seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) < count

    monkeypatch.setattr("nas_fusion.search.retraining.has_time_for", has_time_for)
    model = trained(data, "parallel", MEMBERS)[0].model
    members = list(model.members) if isinstance(model, Ensemble) else [model]
    assert isinstance(model, Ensemble) == (count > 1)
    assert len(members) == len(asked) == count
    assert min(asked) > 0
    for member, alone in zip(members, networks, strict=False):
        for name, weight in alone.model.state_dict().items():
            assert torch.equal(member.state_dict()[name], weight), name


def test_epochs_and_samples_are_counted_on(
    ensemble: tuple[Retrained, list[EpochRecord]], networks: list[Retrained]
) -> None:
    (made, told), result = ensemble, ensemble[0].fit
    assert tuple(told) == result.history
    assert [record.epoch for record in told] == list(range(1, len(told) + 1))
    assert len(told) == sum(len(one.fit.history) for one in networks) + 1
    assert result.samples == told[-1].samples == sum(one.fit.samples for one in networks)
    aucs = [record.valid_auc for one in networks for record in one.fit.history]
    assert [record.valid_auc for record in told[:-1]] == aucs
    seconds = [record.seconds for record in told]
    assert seconds == sorted(seconds)
    assert made.seconds >= result.seconds


def test_a_connection_is_closed_in_all_networks_at_once(data: SearchData, ensemble: tuple[Retrained, object]) -> None:
    model, config = ensemble[0].model, TrainConfig(device="cpu")
    assert has_connections(model)
    found = connection_importance(model, data.valid, config)
    assert isinstance(model, Ensemble)
    members = list(model.members)
    first = members[0]
    assert isinstance(first, FusionNetwork)
    connections = [(source, target) for target, sources in first.sources.items() for source in sources]
    assert set(found) == {f"{source} -> {target}" for source, target in connections}
    whole = evaluate(model, data.valid, config).auc
    source, target = next(c for c in connections if abs(found[f"{c[0]} -> {c[1]}"]) > 0)
    with ExitStack() as closed:
        for member in members:
            assert isinstance(member, FusionNetwork)
            closed.enter_context(without_connection(member, (source, target)))
        without = evaluate(model, data.valid, config).auc
    assert found[f"{source} -> {target}"] == pytest.approx(whole - without, abs=1e-7)


def test_seeds_of_members_are_their_own() -> None:
    seeds = {member_seed(seed, index) for seed in range(20) for index in range(8)}
    assert len(seeds) == 160
    assert [member_seed(seed, 0) for seed in range(20)] == list(range(20))


def settings(**changes: Any) -> ComparisonSettings:
    return replace(ComparisonSettings("clicks.csv", DataOptions(), ("parallel",)), **changes)


@pytest.mark.parametrize(("rows", "members"), [(100, 4), (50_000, 4), (50_001, 2), (250_000, 2), (250_001, 1)])
def test_small_logs_have_several_networks(rows: int, members: int) -> None:
    assert settings().train_config(rows).members == members
    assert settings(recipe=RecipeSettings(members=3)).train_config(rows).members == 3
    assert settings().of_one_network().train_config(rows).members == 1


def test_a_limit_is_on_one_network() -> None:
    limited = LimitSettings(parameters=1000)
    assert settings(limits=limited).train_config(100).members == 1
    with pytest.raises(OptionError, match="members"):
        settings(limits=limited, recipe=RecipeSettings(members=2))


def test_settings_from_before_have_one_network() -> None:
    content = settings().to_dict()
    assert content["recipe"].pop("members") == 0
    assert ComparisonSettings.from_dict(content).train_config(100).members == 1


def test_boosted_trees_are_one_model(data: SearchData) -> None:
    made, told = trained(data, "lightgbm", MEMBERS)
    assert not isinstance(made.model, Ensemble)
    assert len(told) == 1


def test_there_is_at_least_one_network() -> None:
    with pytest.raises(OptionError, match="members"):
        TrainConfig(members=0)
