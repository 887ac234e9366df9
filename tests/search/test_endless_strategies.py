"""A strategy that does not end by itself is ended, and what it found within its budget counts."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import nas_fusion.system.allowance
from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import StrategyError
from nas_fusion.search import SearchTask, run_search
from nas_fusion.strategy import StrategyEntry
from nas_fusion.system.allowance import SIGNAL, Allowance, SearchStopped, allowing, current_allowance
from nas_fusion.testing import tiny_data, tiny_task
from tests.fixtures import bad_strategies as bad

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def task(data: SearchData) -> SearchTask:
    return replace(tiny_task(data, budget="1x", candidates=2, levels=1), label="it")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is silent for a moment is ended."""
    monkeypatch.setattr(nas_fusion.system.allowance, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(nas_fusion.system.allowance, "LEAST_SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(nas_fusion.system.allowance, "SILENCE_FACTOR", 0.0)


# Whole searches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [bad.ENDLESS, bad.STUBBORN], ids=lambda entry: entry.name)
def test_whoever_submits_without_asking_is_ended_behind_its_last_candidate(
    entry: StrategyEntry, task: SearchTask, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = run_search(entry, replace(task, prefer="best"))
    assert outcome.candidates == 2
    assert outcome.samples <= len(task.data.train) + task.config.batch_size
    best = max(outcome.details["candidates"], key=lambda c: c["valid_auc"])
    assert str(outcome.design) == best["design"]
    why = "it submitted another candidate though its budget was spent"
    assert outcome.details["ended"] == why
    assert caplog.messages == [f"it: the strategy did not end by itself: {why}; what it had found until then counts"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("entry", [bad.DEAF, bad.BROODING], ids=lambda entry: entry.name)
def test_whoever_goes_on_without_a_sign_of_life_is_ended(entry: StrategyEntry, task: SearchTask) -> None:
    outcome = run_search(entry, task)
    assert outcome.candidates in (1, 2)
    assert isinstance(outcome.design, FusionDesign)
    assert outcome.details["ended"].startswith("it did nothing for ")


def test_a_supernet_that_trains_on_is_ended(task: SearchTask) -> None:
    outcome = run_search(bad.RESTARTING, task)
    trained, budget = outcome.samples - outcome.derive_samples, len(task.data.train)
    assert budget <= trained < budget + task.config.batch_size
    assert outcome.details["ended"] == "it trained on though its budget was spent"
    assert isinstance(outcome.design, FusionDesign)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (bad.WAITING, "none of 0 candidates could be trained"),
        (bad.STUCK, "it trained no supernet to a validation"),
    ],
    ids=["waiting", "stuck"],
)
def test_whoever_found_nothing_has_failed(entry: StrategyEntry, words: str, task: SearchTask) -> None:
    with pytest.raises(Exception, match=words):
        run_search(entry, task)


def test_a_space_of_its_own_is_no_way_around_the_budget(task: SearchTask) -> None:
    with pytest.raises(StrategyError, match=r"training: it did not end by itself \(it trained on though its budget"):
        run_search(bad.TRAINING, task)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (bad.UNDERIVED, "it derived no design"),
        (bad.NO_OUTCOME, "its search must return a SearchOutcome, got dict"),
        (bad.NO_ARCHITECTURE, "its build must return an Architecture, got int"),
        (bad.NO_DESIGN, "its build must return a FusionDesign, got dict"),
        (bad.NO_STRATEGY, "its build must return an NNI strategy, got NoneType"),
        (bad.RAISES, "RuntimeError: a plugin's own fault"),
        (bad.LEAVES, "it called sys.exit(0)"),
    ],
    ids=lambda value: value.name if isinstance(value, StrategyEntry) else "",
)
def test_other_faults_are_named(entry: StrategyEntry, words: str, task: SearchTask) -> None:
    with pytest.raises(StrategyError) as error:
        run_search(entry, task)
    assert str(error.value) == f"{entry.name}: {words}"


def test_in_another_thread_signals_are_left_alone(task: SearchTask) -> None:
    before = signal.getsignal(SIGNAL)
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(run_search, bad.ENDLESS, task).result()
    assert outcome.candidates == 2
    assert signal.getsignal(SIGNAL) is before


# The allowance ----------------------------------------------------------------------------------------------------


def ticks_until_overdue(allowance: Allowance) -> int:
    return next(number for number in range(1, 10_000) if allowance.tick())


def test_silence_is_allowed_in_proportion_to_work() -> None:
    allowance, counts = Allowance(), list[int]()

    def strategy() -> None:
        counts.append(ticks_until_overdue(allowance))
        for _ in range(100):
            allowance.tick()
            allowance.sign_of_life()
        counts.append(ticks_until_overdue(allowance))

    assert allowance.run(strategy) is None
    assert counts == [301, 301 + 3 * 401]


def test_only_the_strategys_own_code_is_watched() -> None:
    allowance = Allowance()
    assert not any(allowance.tick() for _ in range(1000))

    def strategy() -> None:
        with allowance.we_run():
            assert not any(allowance.tick() for _ in range(10_000))
        assert not allowance.tick()

    assert allowance.run(strategy) is None


def test_samples_are_only_refused_to_the_strategy() -> None:
    allowance = Allowance(samples=100, batch_size=10)
    allowance.count(119)
    assert allowance.run(allowance.check) is None
    allowance.count(1)
    allowance.check()
    assert allowance.run(allowance.check) == "it trained on though its budget was spent"
    assert not allowance.on_guard


def test_a_small_budget_has_a_batch_for_every_candidate() -> None:
    allowance = Allowance(samples=1, batch_size=10, candidates=4)
    allowance.count(40)
    assert allowance.run(allowance.check) is None


def test_everything_is_as_before_afterwards() -> None:
    before, threads = signal.getsignal(SIGNAL), threading.active_count()
    outer = current_allowance()
    with allowing(Allowance()) as inner:
        assert current_allowance() is inner
        assert signal.getsignal(SIGNAL) is not before
    assert current_allowance() is outer
    assert signal.getsignal(SIGNAL) is before
    assert threading.active_count() == threads


def test_a_late_signal_ends_nothing() -> None:
    with allowing(Allowance()):
        signal.raise_signal(SIGNAL)


def test_no_strategy_swallows_it_by_accident() -> None:
    assert not issubclass(SearchStopped, Exception)
