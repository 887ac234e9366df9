"""The published contract fails for strategies that break it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import torch
from optuna.distributions import FloatDistribution

from nas_fusion.baselines import FusionDARTS, FusionRandomOneShot, parallel
from nas_fusion.errors import OptionError, TrainingError, UnknownNameError
from nas_fusion.nni_bridge import Random
from nas_fusion.registry import RegistryError
from nas_fusion.search import SearchOutcome, SearchTask, retrain, run_search
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.testing import StrategyContract, designs_in_fresh_process, resolve_entry, tiny_data, tiny_task
from nas_fusion.testing.repeated_search import repeat_search
from tests.fixtures.bad_strategies import ENDLESS

CONTRACT = StrategyContract()


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SearchTask:
    return tiny_task(tiny_data(tmp_path_factory.mktemp("nas-fusion")))


def test_an_unseeded_strategy(task: SearchTask) -> None:
    entry = StrategyEntry("unseeded", "multi-trial", "", lambda context: Random(seed=None))
    with pytest.raises(AssertionError):
        CONTRACT.test_same_seed_gives_the_same_search(run_search(entry, task), repeat_search(entry, task))


@pytest.mark.parametrize("say", [lambda: print("hello"), lambda: os.write(2, b"hello")])  # noqa: T201
def test_a_strategy_that_prints(say: Callable[[], Any], task: SearchTask) -> None:
    def build(designs: Any) -> Any:
        say()
        return parallel(designs)

    repeated = repeat_search(StrategyEntry("prints", "reference", "", build), task)
    assert repeated.printed.strip() == "hello"
    with pytest.raises(AssertionError):
        CONTRACT.test_nothing_is_printed(repeated)


def test_a_strategy_that_overspends(task: SearchTask) -> None:
    def build(context: Any) -> FusionRandomOneShot:
        return FusionRandomOneShot(4, context.seed, context.samples)  # and the ranking comes on top

    entry = StrategyEntry("overspends", "one-shot", "", build)
    with pytest.raises(AssertionError):
        CONTRACT.test_budget_is_kept(entry, task, run_search(entry, task))


def test_a_strategy_that_has_to_be_ended(task: SearchTask) -> None:
    with pytest.raises(AssertionError, match="it submitted another candidate though its budget was spent"):
        CONTRACT.test_budget_is_kept(ENDLESS, task, run_search(ENDLESS, task))


def test_a_training_that_overspends_is_ended_before(task: SearchTask) -> None:
    def build(context: Any) -> FusionRandomOneShot:
        return FusionRandomOneShot(4, context.seed, 2 * context.samples)

    with pytest.raises(TrainingError, match="no design"):
        run_search(StrategyEntry("overspends", "one-shot", "", build), task)


@pytest.fixture(scope="module")
def soft(task: SearchTask) -> SearchOutcome:
    return run_search(STRATEGIES.get("optfusion-soft"), task)


def soft_entry(make_soft_model: Callable[..., Any]) -> StrategyEntry:
    return replace(STRATEGIES.get("optfusion-soft"), name="mine", make_soft_model=make_soft_model)


def test_a_soft_model_with_fresh_weights(task: SearchTask, soft: SearchOutcome) -> None:
    entry = soft_entry(lambda space, design, start: space.derive(design, weights=False))
    with pytest.raises(AssertionError, match="two fresh spaces gave two soft models"):
        CONTRACT.test_a_soft_model_starts_from_what_was_kept(entry, task, soft)


def test_a_soft_model_that_ignores_what_was_kept(task: SearchTask, soft: SearchOutcome) -> None:
    def seeded_model(space: Any, design: Any, start: Any) -> Any:
        torch.manual_seed(0)
        return space.derive(design, weights=False)

    with pytest.raises(AssertionError, match="the kept weights make no difference"):
        CONTRACT.test_a_soft_model_starts_from_what_was_kept(soft_entry(seeded_model), task, soft)


def test_a_re_training_that_is_not_deterministic(task: SearchTask, soft: SearchOutcome) -> None:
    make, calls = STRATEGIES.get("optfusion-soft").make_soft_model, count()

    def another_every_time(space: Any, design: Any, start: Any) -> Any:
        assert make is not None
        model: Any = make(space, design, start)
        model.head.bias.data += next(calls)
        return model

    entry = soft_entry(another_every_time)
    first = retrain(entry, soft, task, replace(task.config, max_epochs=1))
    with pytest.raises(AssertionError, match="re-training is not deterministic"):
        CONTRACT.test_retrains_alike_from_what_was_kept(entry, task, soft, soft, first)


def test_a_soft_start_that_is_lost_in_a_file(task: SearchTask, soft: SearchOutcome) -> None:
    assert soft.soft is not None
    lost = replace(
        soft, soft=replace(soft.soft, weights={n: torch.zeros_like(w) for n, w in soft.soft.weights.items()})
    )
    entry = STRATEGIES.get("optfusion-soft")
    first = retrain(entry, soft, task, replace(task.config, max_epochs=1))
    with pytest.raises(pytest.fail.Exception, match="lost when it is kept in a file"):
        CONTRACT.test_retrains_alike_from_what_was_kept(entry, task, soft, lost, first)


def test_a_model_that_is_not_all_in_its_state(task: SearchTask, soft: SearchOutcome) -> None:
    """It knows a number of the search that is neither a weight nor in the design, so that nobody can open it again."""
    make = STRATEGIES.get("optfusion-soft").make_soft_model

    class Scaled(torch.nn.Module):
        def __init__(self, model: torch.nn.Module, scale: float) -> None:
            super().__init__()
            self.model, self.scale = model, scale

        def forward(self, ids: torch.Tensor, values: torch.Tensor | None = None) -> torch.Tensor:
            logits: torch.Tensor = self.model(ids, values)
            return logits * self.scale

    def scaled(space: Any, design: Any, start: Any) -> Any:
        assert make is not None
        return Scaled(make(space, design, start), 1 + float(start.weights["network.head.weight"].abs().sum()))

    entry = soft_entry(scaled)
    retrained = retrain(entry, soft, task, replace(task.config, max_epochs=1))
    with pytest.raises(AssertionError):
        CONTRACT.test_opens_again_as_it_was_saved(entry, task, soft, retrained)


def test_half_of_an_ability(task: SearchTask) -> None:
    class Careless(FusionDARTS):
        derive_passes = 3

    entry = StrategyEntry("careless", "one-shot", "", lambda context: Careless(0.1))
    with pytest.raises(OptionError, match="SharesBudget of strategy careless must be whole"):
        CONTRACT.test_abilities_are_whole(entry, task)


def test_parameters_and_distributions_that_differ() -> None:
    entry = StrategyEntry("forgot", "multi-trial", "", parallel, parameters={"rate": 1.0})
    with pytest.raises(AssertionError):
        CONTRACT.test_every_parameter_has_a_distribution_that_holds_its_default(entry)


def test_a_default_outside_of_its_distribution() -> None:
    entry = StrategyEntry(
        "outside", "reference", "", parallel, {"rate": 2.0}, lambda: {"rate": FloatDistribution(0.0, 1.0)}
    )
    with pytest.raises(ValueError, match="rate"):
        CONTRACT.test_every_parameter_has_a_distribution_that_holds_its_default(entry)


def test_a_distribution_whose_end_cannot_be_built(task: SearchTask) -> None:
    def build(context: Any, designs: float) -> FusionRandomOneShot:
        return FusionRandomOneShot(int(designs), context.seed)

    entry = StrategyEntry(
        "zero", "one-shot", "", build, {"designs": 2.0}, lambda: {"designs": FloatDistribution(0.0, 4.0)}
    )
    with pytest.raises(OptionError, match="designs must be a positive integer, got 0"):
        CONTRACT.test_builds_at_the_ends_of_every_distribution(entry, task)


def test_a_fresh_process_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 3, "", "unknown strategy 'optfusion-herd'")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(TrainingError, match="ended with 3: unknown strategy 'optfusion-herd'"):
        designs_in_fresh_process(["optfusion-herd"])


def test_names_that_lead_nowhere() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'optfusion-hard'"):
        resolve_entry("optfusion-herd")
    with pytest.raises(RegistryError, match="no_such_module_here"):
        resolve_entry("no_such_module_here:ENTRY")
    with pytest.raises(RegistryError, match="must be a StrategyEntry, got type"):
        resolve_entry("nas_fusion.strategy:StrategyEntry")
