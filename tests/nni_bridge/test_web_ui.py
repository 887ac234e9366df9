"""What is recorded shows in NNI's manager, and the manager shows it to this machine alone."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StudyError, TrainingError
from nas_fusion.nni_bridge import ExperimentRecorder, web_ui
from nas_fusion.nni_bridge.ui_axes import SUMMARY
from tests.command_process import PATIENCE_SECONDS, CommandProcess

pytestmark = pytest.mark.slow

AXES: dict[str, Sequence[Any]] = {
    "phase": ["search", "candidate"],
    "strategy": ["a", "b"],
    "cross1/embedding": [0, 1],
    "connections": range(10),
    "cross1": ["add", "concat"],
    "deep1": ["add", "concat"],
    "output": ["add", "concat"],
}
DESIGN = FusionDesign.build(1, [("embedding", "cross1"), ("cross1", "output")], "add")

Api = Callable[[str], Any]


def recorder(folder: Path) -> ExperimentRecorder:
    return ExperimentRecorder(folder, "a study", AXES)


def ask(address: str, path: str, **headers: str) -> Any:
    request = urllib.request.Request(f"{address}/api/v1/nni/{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    with recorder(tmp_path / "nni") as log:
        with log.training("candidate", DESIGN, strategy="a", seed=0) as training:
            for auc in (0.6, 0.7):
                training.validated(auc)
            training.result(0.7)
        with log.training("re-train", DESIGN, strategy="a", seed=0) as training:
            training.result(0.72, test_auc=0.71)
        with log.training("candidate", DESIGN, strategy="b", seed=1) as training:
            training.validated(math.nan)
            training.result(math.nan)
        with pytest.raises(TrainingError), log.training("search", strategy="b", seed=0):
            raise TrainingError("the loss is nan")
        with log.training("search", strategy="b", seed=1) as training:
            training.derived(DESIGN)
            training.result(0.65)
    return tmp_path / "nni"


@pytest.fixture
def address(recorded: Path) -> Iterator[str]:
    with web_ui(recorded) as found:
        yield found


def parameters(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(job["hyperParameters"][0])["parameters"]
    return found


def test_every_trial_shows_with_its_own_parameters_and_state(address: str) -> None:
    jobs = sorted(ask(address, "trial-jobs"), key=lambda job: job["sequenceId"])
    assert [job["status"] for job in jobs] == ["SUCCEEDED", "SUCCEEDED", "FAILED", "FAILED", "SUCCEEDED"]
    assert [(parameters(j)["strategy"], parameters(j)["seed"]) for j in jobs] == [
        ("a", 0), ("a", 0), ("b", 1), ("b", 0), ("b", 1),
    ]  # fmt: skip
    assert jobs[3]["message"] == "TrainingError: the loss is nan"
    for job in (jobs[0], jobs[4]):
        assert DESIGN.to_sample().items() <= parameters(job).items()
    names = [job["trialJobId"].rpartition("_")[0] for job in jobs]
    assert names == ["a", "a", "b", "b", "b"], "the trials of a strategy are told by their names"


def test_the_pages_draw_what_has_an_axis_and_nothing_else(address: str) -> None:
    jobs = sorted(ask(address, "trial-jobs"), key=lambda job: job["sequenceId"])
    drawn = [parameters(job)[SUMMARY] for job in jobs]
    for summary in drawn:
        assert set(summary) <= set(AXES), "the web UI would make an axis of each further one"
    told = {
        "phase": parameters(jobs[0])["phase"],
        "strategy": "a",
        "cross1/embedding": 1,
        "connections": 2,
        "cross1": "add",
    }
    assert told.items() <= drawn[0].items()


def test_the_curve_and_the_final_metric(address: str) -> None:
    jobs = sorted(ask(address, "trial-jobs"), key=lambda job: job["sequenceId"])
    curve = [m for m in ask(address, "metric-data") if m["trialJobId"] == jobs[0]["trialJobId"]]
    values = [json.loads(json.loads(m["data"])) for m in curve if m["type"] == "PERIODICAL"]
    assert values == [0.6, 0.7]
    finals = [json.loads(json.loads(job["finalMetricData"][0]["data"])) for job in (jobs[0], jobs[1], jobs[4])]
    assert finals == [0.7, {"default": 0.72, "test_auc": 0.71}, 0.65]


def test_a_result_that_is_not_finite_is_a_failure_and_has_no_final_metric(address: str) -> None:
    job = next(j for j in ask(address, "trial-jobs") if j["sequenceId"] == 2)
    assert job["status"] == "FAILED"
    assert job["message"] == "no finite validation AUC"
    assert not job.get("finalMetricData")


def test_the_axes_are_those_asked_for_and_a_range_is_one_of_numbers(address: str) -> None:
    space = ask(address, "experiment")["params"]["searchSpace"]
    assert space.pop("connections") == {"_type": "randint", "_value": [0, 10]}
    assert space == {name: {"_type": "choice", "_value": v} for name, v in AXES.items() if name != "connections"}


def test_the_manager_finds_its_experiment_without_the_users_home(address: str) -> None:
    assert ask(address, "experiment-metadata")["id"] == ask(address, "experiment")["id"]
    assert [e["id"] for e in ask(address, "experiments-info")] == [ask(address, "experiment")["id"]]


def test_a_running_study_shows_new_trials(recorded: Path) -> None:
    with recorder(recorded) as log, web_ui(recorded) as address:
        assert len(ask(address, "trial-jobs")) == 5
        with log.training("candidate", DESIGN, strategy="a", seed=1) as training:
            jobs = ask(address, "trial-jobs")
            assert [j["status"] for j in jobs if j["sequenceId"] == 5] == ["RUNNING"]
            training.result(0.8)
        jobs = ask(address, "trial-jobs")
        assert [j["status"] for j in jobs if j["sequenceId"] == 5] == ["SUCCEEDED"]


def test_what_was_running_when_the_recorder_was_killed_is_failed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from nas_fusion.nni_bridge import ExperimentRecorder\n"
        f"log = ExperimentRecorder(Path(sys.argv[1]), 'a study', {AXES!r}).__enter__()\n"
        "with log.training('search', strategy='a', seed=0) as training:\n"
        "    training.validated(.6); os.kill(os.getpid(), 9)"
    )
    recorded = tmp_path / "recorded"
    killed = CommandProcess([str(recorded)], tmp_path / "killed", code=code)
    assert killed.wait() == -signal.SIGKILL
    with recorder(recorded), web_ui(recorded) as address:
        (job,) = ask(address, "trial-jobs")
    assert (job["status"], job["message"]) == ("FAILED", "the process was interrupted")


def answers(address: str) -> bool:
    try:
        ask(address, "check-status")
    except (URLError, ConnectionError):
        return False
    return True


def other_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found


def test_the_manager_cannot_be_reached_from_another_address(address: str) -> None:
    other = other_address()
    if other is None:
        pytest.skip("this machine has no address but loopback")
    port = int(address.rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other, port), timeout=5)


@pytest.mark.parametrize("path", ["trial-file/x/..%2F..%2F..%2Fetc%2Fpasswd", "trial-file/x/%2e%2e/%2e%2e/a", "%"])
def test_paths_that_climb_are_refused(address: str, path: str) -> None:
    with pytest.raises(HTTPError, match="403"):
        ask(address, path)


def test_requests_that_name_another_host_are_refused(address: str) -> None:
    assert ask(address, "check-status")["status"] == "VIEWED"
    with pytest.raises(HTTPError, match="403"):
        ask(address, "check-status", Host="evil.example")


def test_a_killed_nasfusion_takes_the_manager_with_it(recorded: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from nas_fusion.nni_bridge import web_ui\n"
        "with web_ui(Path(sys.argv[1])) as address: print(address, flush=True); time.sleep(600)"
    )
    process = CommandProcess([str(recorded)], tmp_path, code=code)
    address = process.first_line()
    assert ask(address, "check-status")["status"] == "VIEWED"
    process.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while answers(address) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers(address)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_command_ends_when_its_manager_is_gone(recorded: Path, tmp_path: Path) -> None:
    (recorded.parent / "study.toml").touch()
    process = CommandProcess(["ui", str(recorded.parent)], tmp_path)
    assert "http://127.0.0.1:" in process.first_line()
    (manager,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(manager), signal.SIGKILL)
    assert process.wait(PATIENCE_SECONDS) == 2
    told = process.stderr
    assert len(told.splitlines()) == 1
    assert "NNI's manager ended with -9" in told


def test_a_folder_without_an_experiment_and_a_taken_port_are_named(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no recorded experiment"), web_ui(tmp_path / "nothing"):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port.*{port}"), web_ui(recorded, port):
            pass
