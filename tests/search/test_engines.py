"""The same search in this process and as trials of an NNI service."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nas_fusion.architecture import Found
from nas_fusion.data import SearchData, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import DataError, OptionError, StrategyError, StudyError, TrainingError, UnknownNameError
from nas_fusion.nni_bridge import CandidateSpace, TrialEnd, nni
from nas_fusion.nni_bridge.manager.guarded_manager import ask_manager
from nas_fusion.search import InProcess, SearchOutcome, SearchTask, TrainingService, run_search
from nas_fusion.search.engines import TRIAL_MODULE
from nas_fusion.search.multitrial.budget_shares import TimeShares
from nas_fusion.search.multitrial.candidates import TrainingHere
from nas_fusion.search.multitrial.rungs import Leg
from nas_fusion.search.service.orders import (
    failure_of,
    make_space,
    read_task,
    task_order,
    trial_parameters,
    write_failure,
)
from nas_fusion.search.space_permits import permit, permits_of
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.training_log import Training
from tests.nni_bridge.ssh_server import ssh_server
from tests.trial_process import TrialCommands, trial_commands

pytestmark = pytest.mark.slow


class Notes:
    """A training log that writes down what it is told."""

    def __init__(self) -> None:
        self.trainings: list[dict[str, Any]] = []

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: Any) -> Iterator[Training]:
        note = _Note(phase, design)
        self.trainings.append(note.content)
        try:
            yield note
        except TrainingError as error:
            note.content["error"] = str(error)
            raise


class _Note:
    def __init__(self, phase: str, design: Found | None) -> None:
        self.content: dict[str, Any] = {"phase": phase, "design": design, "curve": []}

    def validated(self, valid_auc: float, **more: float) -> None:
        self.content["curve"].append(valid_auc)

    def derived(self, design: Found) -> None:
        self.content["design"] = design

    def result(self, valid_auc: float | None, **more: float) -> None:
        self.content["result"] = valid_auc


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    # Without its test rows: a trial does not look for them.
    return tiny_data(tmp_path_factory.mktemp("a cache with blanks"))


def task(data: SearchData, **options: Any) -> SearchTask:
    return tiny_task(data, seed=3, levels=1, candidates=4, **options)


def numbers(outcome: SearchOutcome) -> dict[str, Any]:
    """All of an outcome that does not depend on the clock."""
    return {
        "design": outcome.design,
        "valid_auc": outcome.valid_auc,
        "trace": [(point.samples, point.valid_auc) for point in outcome.trace],
        "samples": outcome.samples,
        "candidates": outcome.candidates,
        "details": outcome.details,
    }


def service_of(folder: Path, command: str, concurrency: int, *machines: dict[str, object]) -> TrainingService:
    content: dict[str, Any] = {"trialCommand": command}
    if machines:
        content["trainingService"] = {"platform": "remote", "machineList": list(machines)}
    (folder / "nni.yml").write_text(yaml.safe_dump(content))
    return TrainingService(folder / "nni", concurrency=concurrency, config_file=folder / "nni.yml")


@pytest.fixture(scope="module")
def trials() -> Iterator[TrialCommands]:
    with trial_commands() as found:
        yield found


def test_nnis_local_service_finds_the_same_as_this_process(
    data: SearchData, trials: TrialCommands, tmp_path: Path
) -> None:
    finds_the_same_as_this_process(data, service_of(tmp_path, trials.module(TRIAL_MODULE), concurrency=2))


def test_nnis_remote_service_finds_the_same_as_this_process(
    data: SearchData, trials: TrialCommands, tmp_path: Path
) -> None:
    with ssh_server() as server:
        machines = [server.machine(), server.machine()]  # two of them, as far as NNI knows
        finds_the_same_as_this_process(data, service_of(tmp_path, trials.module(TRIAL_MODULE), 2, *machines))


def finds_the_same_as_this_process(data: SearchData, service: TrainingService) -> None:
    with service.running() as run:
        for name, candidates in (("evolution", 4), ("asha", 3), ("optfusion-hard", 1)):
            here, there = Notes(), Notes()
            search = replace(task(data), candidates=candidates)
            expected = run_search(STRATEGIES.get(name), replace(search, engine=InProcess(2), training_log=here))
            found = run_search(STRATEGIES.get(name), replace(search, engine=service, training_log=there))
            assert numbers(found) == numbers(expected), name
            assert there.trainings == here.trainings, name
            if expected.soft is not None:
                assert found.soft is not None
                assert found.soft.mixture == expected.soft.mixture
                for weight, value in expected.soft.weights.items():
                    assert (found.soft.weights[weight] == value).all()
        jobs = ask_manager(run.address, "trial-jobs")
        assert not list((run.folder / "outcomes").glob("*")), "what trials left is cleared away"
        assert not list(run.folder.glob(".interrupted*")), "and what interrupted trainings left"
    assert len(jobs) == 9  # of the three by rungs one goes on
    for job in jobs:
        (text,) = job["hyperParameters"]
        assert "bytes:" not in text
        assert "__symbol__" not in text
        order = json.loads(text)["parameters"]["order"]
        assert json.loads(text)["parameters"]["phase"] in ("candidate", "search")
        if "design" in order:
            sample = FusionDesign.from_json(order["design"]).to_sample()
            assert sample.items() <= json.loads(text)["parameters"].items()


FAKE_TRIAL = """
import math, os, nni
nni.get_next_parameter()
auc = [0.6, math.nan, 0.7, 0.65][int(os.environ["NNI_TRIAL_SEQ_ID"])]
nni.report_intermediate_result({"default": auc, "samples": 512})
nni.report_final_result({"default": auc, "samples": 512})
"""


def test_a_trial_that_returns_nan_failed_and_spent_its_share(
    data: SearchData, trials: TrialCommands, tmp_path: Path
) -> None:
    service = service_of(tmp_path, trials.command(FAKE_TRIAL), concurrency=4)
    service.check()
    notes = Notes()
    search = replace(task(data), engine=service, training_log=notes)
    outcome = run_search(STRATEGIES.get("random"), search)
    share = 1024  # 4,800 samples for 4 candidates, in batches of 256
    assert outcome.valid_auc == 0.7
    assert outcome.samples == 3 * 512 + share
    assert [point.samples for point in outcome.trace] == [512, 512 + share + 512, 512 + share + 1024]
    assert all(math.isfinite(point.valid_auc) for point in outcome.trace)
    assert ["error" in training for training in notes.trainings] == [False, True, False, False]
    assert str(outcome.design) == outcome.details["candidates"][2]["design"]


# Waves in this process -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random", "evolution", "tpe", "grid"])
@pytest.mark.parametrize("concurrency", [2, 3, 4])
def test_every_multi_trial_strategy_works_in_waves(name: str, concurrency: int, data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get(name), replace(task(data), engine=InProcess(concurrency)))
    assert outcome.candidates == 4
    assert len(outcome.details["candidates"]) == 4
    if name in ("random", "grid", "tpe"):
        assert numbers(outcome) == numbers(run_search(STRATEGIES.get(name), task(data)))


@pytest.mark.parametrize("make", [InProcess, lambda n: TrainingService("folder", concurrency=n)])
def test_a_concurrency_below_one_is_refused(make: Any) -> None:
    with pytest.raises(OptionError, match="concurrency"):
        make(0)


def test_a_candidates_result_does_not_depend_on_what_was_trained_before_it(data: SearchData) -> None:
    search = task(data)
    space = CandidateSpace.from_model(search.make_space())
    rng = np.random.default_rng(0)
    one, two = (space.freeze(search.make_space().designs.sample(rng).to_sample()) for _ in range(2))
    training = TrainingHere(search, replace(search.config, patience=0), TimeShares(Stopwatch(), 1))
    leg = Leg(samples=1024)
    first = training.train(two, leg, "", 0).valid_auc
    training.train(one, leg, "", 0)
    assert training.train(two, leg, "", 0).valid_auc == first


# Orders --------------------------------------------------------------------------------------------------------------


def order_of(search: SearchTask, folder: Path) -> dict[str, Any]:
    return task_order(search, search.config, search.make_space(), TrainingService(folder))


def test_an_order_is_text_and_gives_the_task_back(data: SearchData, tmp_path: Path) -> None:
    search = task(data)
    order = order_of(search, tmp_path)
    text = nni.dump(trial_parameters("search", order, tmp_path / "outcome"))
    assert "bytes:" not in text
    assert "__symbol__" not in text
    back = read_task(json.loads(text)["order"])
    assert (back.config, back.budget, back.candidates) == (search.config, search.budget, search.candidates)
    assert (back.data.train.ids == data.train.ids).all()
    assert back.make_space().trace_kwargs == search.make_space().trace_kwargs


def test_another_data_set_under_the_same_path_is_named(data: SearchData, tmp_path: Path) -> None:
    order = order_of(task(data), tmp_path)
    with pytest.raises(DataError, match="expected fingerprint abc, found"):
        read_task({**order, "fingerprint": "abc"})
    with pytest.raises(DataError, match="not an encoded data set"):
        read_task({**order, "data": str(tmp_path)})


@pytest.mark.parametrize(
    ("place", "problem"),
    [("os:getcwd", "a FusionSpace"), ("no_such_module:Space", "imported"), ("nas_fusion.search:NoSuch", "imported")],
)
def test_only_a_fusion_space_is_made(
    place: str, problem: str, data: SearchData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {**order_of(task(data), tmp_path), "space": place}
    with pytest.raises(OptionError, match="the search named"):
        make_space(order)
    for name, folder in permits_of(tmp_path).items():
        monkeypatch.setenv(name, folder)
        Path(folder, place.replace(":", "-")).touch()
    with pytest.raises(OptionError, match=problem):
        make_space(order)


SPACE = """
from pathlib import Path
from nas_fusion.search_spaces import FusionSpace
Path(__file__).with_name("ran").touch()
class Space(FusionSpace):
    pass
"""


def test_what_an_order_names_is_imported_only_if_the_search_named_it(
    data: SearchData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_stranger_of_orders.py").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    for name, folder in permits_of(tmp_path).items():
        monkeypatch.setenv(name, folder)
    order = {**order_of(task(data), tmp_path), "space": "a_stranger_of_orders:Space"}
    for place in (order["space"], "../a_stranger_of_orders:Space", "a_stranger_of_orders-Space", ":", ""):
        with pytest.raises(OptionError, match="the search named"):
            make_space({**order, "space": place})
    assert not (tmp_path / "ran").exists()
    kind = importlib.import_module("a_stranger_of_orders").Space
    assert permit(kind, tmp_path) == order["space"]
    assert type(make_space(order)) is kind


def test_a_space_that_no_module_names_is_refused(tmp_path: Path) -> None:
    class Inner(FusionSpace):
        """No trial can import it."""

    with pytest.raises(OptionError, match="a module that a trial can import"):
        permit(Inner, tmp_path)


def test_a_space_that_is_no_text_is_refused(data: SearchData, tmp_path: Path) -> None:
    levels: Any = np.int64(1)
    search = replace(task(data), make_space=lambda: FusionSpace([3, 4], levels=levels))
    with pytest.raises(OptionError, match="plain values"):
        order_of(search, tmp_path)


def test_a_failure_is_handed_over(tmp_path: Path) -> None:
    end = TrialEnd("abc", "FAILED")
    of_a_strategy = StrategyError("mine", KeyError("its own fault"))
    for error, kind in (
        (TrainingError("the loss is nan"), TrainingError),
        (of_a_strategy, StrategyError),
        (DataError("another set"), StudyError),
    ):
        write_failure({"outcome": str(tmp_path / "1")}, error)
        found = failure_of(end, tmp_path / "1", tmp_path)
        assert type(found) is kind
        assert str(error) in str(found)
        assert f"{kind.__name__ if kind is not StudyError else 'DataError'}: {error}" in found.__notes__[0]
        assert not (tmp_path / "1").exists()
    silent = failure_of(end, tmp_path / "2", tmp_path)
    assert isinstance(silent, TrainingError)
    assert "trial abc ended as FAILED without giving a reason; what it printed" in str(silent)
    last_words = failure_of(replace(end, last_words="No module named x"), tmp_path / "2", tmp_path)
    assert "without giving a reason; its last line was No module named x" in str(last_words)


def test_a_strategy_that_a_trial_cannot_find_is_refused_before_anything_starts(
    data: SearchData, tmp_path: Path
) -> None:
    entry = replace(STRATEGIES.get("darts"), name="mine")
    with pytest.raises(UnknownNameError, match="mine"):
        run_search(entry, replace(task(data), engine=TrainingService(tmp_path)))


def test_a_trial_without_its_data_ends_the_search_and_says_so(tmp_path: Path) -> None:
    """With the command of the package: an interpreter that starts from nothing."""
    search = task(prepare("synthetic:2000", cache=tmp_path / "cache").search_view())
    search.make_space()
    (search.data.folder / "schema.json").unlink()
    with pytest.raises(StudyError, match=r"DataError.*schema\.json.*not an encoded data set"):
        run_search(STRATEGIES.get("random"), replace(search, engine=TrainingService(tmp_path / "nni")))
