"""The published contract fails for strategies that break it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from optuna.distributions import FloatDistribution

from nas_fusion.baselines import FusionRandomOneShot, parallel
from nas_fusion.errors import OptionError, TrainingError, UnknownNameError
from nas_fusion.nni_bridge import Random
from nas_fusion.registry import RegistryError
from nas_fusion.search import SearchTask, run_search
from nas_fusion.strategy import StrategyEntry
from nas_fusion.testing import StrategyContract, designs_in_fresh_process, resolve_entry, tiny_data, tiny_task

CONTRACT = StrategyContract()


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SearchTask:
    return tiny_task(tiny_data(tmp_path_factory.mktemp("nas-fusion")))


def test_an_unseeded_strategy(task: SearchTask) -> None:
    entry = StrategyEntry("unseeded", "multi-trial", "", lambda context: Random(seed=None))
    with pytest.raises(AssertionError):
        CONTRACT.test_same_seed_gives_the_same_search(entry, task, run_search(entry, task))


def test_a_strategy_that_prints(task: SearchTask, capfd: pytest.CaptureFixture[str]) -> None:
    def build(designs: Any) -> Any:
        print("hello")  # noqa: T201
        return parallel(designs)

    entry = StrategyEntry("prints", "reference", "", build)
    with pytest.raises(AssertionError):
        CONTRACT.test_nothing_is_printed(entry, task, capfd)


def test_a_strategy_that_overspends(task: SearchTask) -> None:
    def build(context: Any) -> FusionRandomOneShot:
        return FusionRandomOneShot(4, context.seed, 2 * context.samples)

    entry = StrategyEntry("overspends", "one-shot", "", build)
    with pytest.raises(AssertionError):
        CONTRACT.test_budget_is_kept(entry, task, run_search(entry, task))


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
