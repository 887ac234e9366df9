"""NNI's training services: what its manager does wrong, and what it does with our guard and channel."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
from nni.experiment.config import ExperimentConfig
from nni.experiment.config.utils import get_base_path, unset_base_path
from nni.runtime.tuner_command_channel import TunerCommandChannel

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.nni_bridge import (
    FunctionalEvaluator,
    RawFormatModelSpace,
    SequentialExecutionEngine,
    ServiceSettings,
    TrainingServiceRun,
    TrialChannel,
    TrialEnd,
    guarded,
    nni,
    training_service,
)
from nas_fusion.nni_bridge.manager import guarded_manager, own_experiments
from nas_fusion.nni_bridge.manager import training_service as training_service_module
from nas_fusion.nni_bridge.manager.channel import Ended, Reported, parse
from nas_fusion.nni_bridge.manager.guarded_manager import GUARD, Manager, ask_manager
from nas_fusion.search_spaces import FusionSpace
from tests.command_process import PATIENCE_SECONDS, CommandProcess
from tests.trial_process import TrialCommands, trial_commands

pytestmark = pytest.mark.slow

TRIAL = """
import os, sys
if os.environ["NNI_TRIAL_SEQ_ID"] in sys.argv[1:]:
    sys.exit(3)  # before it asks for its parameters
import nni
x = nni.get_next_parameter()["x"]
nni.report_intermediate_result(x / 2)
nni.report_final_result(x)
"""


@pytest.fixture(scope="module")
def trials() -> Iterator[TrialCommands]:
    with trial_commands() as found:
        yield found


def jobs(run: TrainingServiceRun) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask_manager(run.address, "trial-jobs")
    return sorted(found, key=lambda job: job["sequenceId"])


def shown_x(job: dict[str, Any]) -> float:
    return float(json.loads(job["hyperParameters"][0])["parameters"]["x"])


def shown_metric(job: dict[str, Any]) -> float:
    return float(json.loads(json.loads(job["finalMetricData"][0]["data"])))


# Every trial has its own parameters -------------------------------------------------------------------------------


def test_twelve_trials_four_at_once_are_shown_with_their_own_parameters(trials: TrialCommands, tmp_path: Path) -> None:
    """Three waves, and in each one that dies: at its beginning, at its end, and two in a row."""
    xs = [i / 64 for i in range(12)]
    dying = {0, 3, 6, 7, 10}
    metrics: list[tuple[int, float]] = []
    settings = ServiceSettings(tmp_path / "nni", trials.command(TRIAL, *map(str, dying)), concurrency=4)
    with training_service(settings) as run:
        ends = run.run([{"x": x} for x in xs], lambda position, value: metrics.append((position, value)))
        found = jobs(run)
    assert [i for i, end in enumerate(ends) if not end.succeeded] == sorted(dying)
    assert {end.status for end in ends} == {"SUCCEEDED", "FAILED"}
    assert [end.final for end in ends] == [None if i in dying else x for i, x in enumerate(xs)]
    assert sorted(metrics) == [(i, x / 2) for i, x in enumerate(xs) if i not in dying]
    assert [shown_x(job) for job in found] == xs
    assert [job["trialJobId"] for job in found] == [end.name for end in ends]
    assert [shown_metric(job) for job in found if job["status"] == "SUCCEEDED"] == [
        x for i, x in enumerate(xs) if i not in dying
    ]


def test_nni_alone_hands_a_dead_trials_parameters_to_the_next(
    trials: TrialCommands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, the guard need not look after parameters any more (microsoft/nni#5726)."""
    without = re.sub(r"(?s)// microsoft/nni#5726.*?\n};\n", "", GUARD.read_text())
    assert "V3asV1" not in without
    (tmp_path / "guard.js").write_text(without)
    monkeypatch.setattr(guarded_manager, "GUARD", tmp_path / "guard.js")
    monkeypatch.setattr(training_service_module, "_LATE_SECONDS", 0.0)  # the second trial's metric is not its own
    with training_service(ServiceSettings(tmp_path / "nni", trials.command(TRIAL, "0"))) as run:
        run.run([{"x": 0.25}, {"x": 0.5}])
        found = jobs(run)
    assert [shown_metric(job) for job in found if job["status"] == "SUCCEEDED"] == [0.25]
    assert [shown_x(job) for job in found if job["status"] == "SUCCEEDED"] == [0.5]


# The manager is for this process alone ------------------------------------------------------------------------------


def answers(address: str) -> bool:
    try:
        ask_manager(address, "check-status")
    except (URLError, ConnectionError):
        return False
    return True


def test_the_manager_is_out_of_others_reach(tmp_path: Path) -> None:
    with training_service(ServiceSettings(tmp_path, "true")) as run:
        port = int(run.address.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other_address(), port), timeout=5)
        for path in ("trial-file/x/..%2F..%2F..%2Fetc%2Fpasswd", "trial-file/x/%2e%2e/%2e%2e/a"):
            with pytest.raises(HTTPError, match="403"):
                ask_manager(run.address, path)
        manager = run._manager.process
    assert manager.returncode is not None
    assert not answers(run.address)


def other_address() -> str:
    if sys.platform != "linux":
        pytest.skip("only Linux has more than one address for certain")
    return "127.0.0.2"


def address_in_the_network() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_the_network_is_let_in_by_request_only_and_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with training_service(ServiceSettings(tmp_path, "true", open_to_network=True)) as run:
        port = run.address.rpartition(":")[2]
        socket.create_connection((other_address(), int(port)), timeout=5).close()
        with pytest.raises(HTTPError, match="403"):
            ask_manager(run.address, "trial-file/x/..%2F..%2Fa")
        assert ask_manager(run.address, "trial-jobs") == []
        for secret in (None, run._manager.secret):
            with pytest.raises(HTTPError, match="403"):
                ask_manager(f"http://{address_in_the_network()}:{port}", "trial-jobs", secret=secret)
    assert "a network that you trust" in caplog.text


def test_trials_keep_the_users_home_and_node_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")
    monkeypatch.setattr(training_service_module, "_LATE_SECONDS", 0.0)
    told = tmp_path / "told"
    with training_service(ServiceSettings(tmp_path, f'echo "$HOME|$NODE_OPTIONS" > {quote(str(told))}')) as run:
        (end,) = run.run([{}])
        listed = json.loads((run.folder / "log" / "home" / "nni-experiments" / ".experiment").read_text())
    assert told.read_text() == f"{os.environ['HOME']}|--no-warnings\n"
    assert (end.status, end.succeeded) == ("SUCCEEDED", False), "ended well, but reported nothing"
    assert list(listed) == [run.id]


HOLDER = """
import sys, time
from pathlib import Path
from nas_fusion.nni_bridge import ServiceSettings, training_service
with training_service(ServiceSettings(Path(sys.argv[1]), f"echo $$ > {sys.argv[1]}/pid; exec sleep 600")) as run:
    print(run.address, flush=True)
    run.run([{}])
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # nobody may be there to collect an orphan


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_search_takes_the_manager_and_its_trials_with_it(tmp_path: Path) -> None:
    process = CommandProcess([str(tmp_path)], tmp_path / "holder", code=HOLDER)
    address = process.first_line()
    pid = int(wait_for_text(tmp_path / "pid"))
    assert answers(address)
    assert is_alive(pid)
    process.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answers(address) or is_alive(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers(address)
    assert not is_alive(pid)


def wait_for_text(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text()
        time.sleep(0.1)
    raise AssertionError(f"{path} was not written")


def test_an_interrupted_wait_cancels_the_trials(trials: TrialCommands, tmp_path: Path) -> None:
    script = "import nni, time; nni.get_next_parameter(); nni.report_intermediate_result(.5); time.sleep(600)"
    settings = ServiceSettings(tmp_path, trials.command(script))

    def interrupt(position: int, value: Any) -> None:
        raise KeyboardInterrupt

    with training_service(settings) as run:
        with pytest.raises(KeyboardInterrupt):
            run.run([{}], interrupt)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while jobs(run)[0]["status"] == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert jobs(run)[0]["status"] == "USER_CANCELED"


def test_a_manager_that_dies_is_noticed(tmp_path: Path) -> None:
    with training_service(ServiceSettings(tmp_path, "sleep 600")) as run:
        run._manager.process.kill()
        with pytest.raises(StudyError, match=r"manager is gone.*log"):
            run.run([{}])


def test_more_trials_than_the_users_file_allows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "nni.yml").write_text("maxTrialNumber: 1\ntrialCommand: 'false'\n")
    settings = ServiceSettings(tmp_path, "true", file=tmp_path / "nni.yml")
    with training_service(settings) as run, pytest.raises(StudyError, match="no more trials are allowed"):
        run.run([{}, {}])


# A manager that NNI starts itself -----------------------------------------------------------------------------------

ASK_NODE = """
const server = require('net').createServer();
server.listen(0, () => {
    process.stdout.write(JSON.stringify([server.address().address, process.env.NODE_OPTIONS]));
    server.close();
});
"""


@pytest.mark.parametrize("users", [None, "--no-warnings"])
def test_the_guard_comes_in_through_the_environment_and_leaves_it_as_it_was(
    users: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / 'a "folder" with blanks'
    folder.mkdir()
    (folder / "guard.js").write_text(GUARD.read_text())
    monkeypatch.setattr(own_experiments, "GUARD", folder / "guard.js")
    if users is None:
        monkeypatch.delenv("NODE_OPTIONS", raising=False)
    else:
        monkeypatch.setenv("NODE_OPTIONS", users)
    before = dict(os.environ)
    with guarded():
        node = str(guarded_manager.node_folder() / "node")
        done = subprocess.run([node, "-e", ASK_NODE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["127.0.0.1", users or ""]
    assert dict(os.environ) == before


NNIS_OWN = """
import socket, sys, time
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from nni.experiment import Experiment
from nas_fusion.nni_bridge import guarded
from nas_fusion.nni_bridge.manager.guarded_manager import free_port
experiment, port = Experiment("local"), free_port()
experiment.config.search_space = {"x": {"_type": "choice", "_value": [1]}}
experiment.config.trial_command = "true"
experiment.config.trial_concurrency = experiment.config.max_trial_number = 1
experiment.config.tuner.name = "Random"
experiment.config.experiment_working_directory = sys.argv[1]
with guarded():
    experiment.start(port)
socket.create_connection(("127.0.0.1", port), 5).close()
try:
    socket.create_connection(("127.0.0.2", port), 5).close()
except ConnectionRefusedError:
    print("out of reach")
try:
    urlopen(Request(f"http://127.0.0.1:{port}/api/v1/nni/experiment", method="DELETE"))
except HTTPError as error:
    print("out of others' hands", error.code)
deadline = time.monotonic() + 60
while not experiment.list_trial_jobs() and time.monotonic() < deadline:
    time.sleep(0.2)
print(len(experiment.list_trial_jobs()), "trial of its tuner")
experiment.update_max_trial_number(1)
print("changed by its owner")
experiment.stop()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address for certain")
def test_an_experiment_of_ones_own_is_guarded(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    home.mkdir()
    own = CommandProcess([str(tmp_path / "nni")], tmp_path / "own", {"HOME": str(home)}, code=NNIS_OWN)
    own.wait()
    told = ["out of reach", "out of others' hands 403", "1 trial of its tuner", "changed by its owner"]
    assert [line for line in own.stdout.splitlines() if line in told] == told, own.said()


# The channel ---------------------------------------------------------------------------------------------------------


def test_nni_alone_stops_listening_at_a_command_that_it_does_not_know() -> None:
    """If this fails, one of the reasons for a channel of our own is gone."""
    theirs = TunerCommandChannel("ws://localhost:1/tuner")
    theirs._channel = SimpleNamespace(receive=lambda: {"type": "AD", "content": ""})
    with pytest.raises(ValueError, match="Unknown command type"):
        theirs.receive()


def test_what_has_no_meaning_for_a_search_is_passed_over() -> None:
    assert [parse({"type": kind, "content": "?"}) for kind in ("AD", "FD", "PI", "GE", "SS", "TE", "_nop_")] == [
        None
    ] * 7


class Told:
    """Stands for the channel: tells what it is given."""

    def __init__(self, *told: Any) -> None:
        self.left = list(told)

    def submit(self, number: int, parameters: Any) -> None:
        """The first trial is number 1."""

    def receive(self, seconds: float) -> Any:
        return self.left.pop(0)


def run_with(channel: Any) -> TrainingServiceRun:
    process: Any = SimpleNamespace(poll=lambda: None)
    return TrainingServiceRun("id", Path(), Manager("http://127.0.0.1:1", "secret", Path(), process), channel)


def test_a_final_metric_behind_the_end_is_waited_for() -> None:
    run = run_with(Told(Ended(1, "abc", "SUCCEEDED"), Reported(9, "FINAL", 0.1), Reported(1, "FINAL", 0.75)))
    assert run.run([{}]) == [TrialEnd("abc", "SUCCEEDED", (), 0.75)]


def test_an_end_without_a_final_metric_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_service_module, "_LATE_SECONDS", 0.0)
    (end,) = run_with(Told(Ended(1, "abc", "SUCCEEDED"))).run([{}])
    assert not end.succeeded


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan")])
def test_only_plain_values_go_to_trials(value: Any) -> None:
    with pytest.raises(OptionError, match="plain values"):
        run_with(None).run([{"x": value}])


class Outside:
    """NNI's manager, from a trial's point of view."""

    def __init__(self) -> None:
        self.metrics: list[tuple[str, Any]] = []

    def receive_parameter(self) -> dict[str, Any]:
        return {"parameter_id": 7, "parameters": {"x": 1}}

    def send_metric(self, type: str, parameter_id: int | None, trial_job_id: str, sequence: int, value: Any) -> None:
        self.metrics.append((type, value))


class ReportsTwice:
    def __init__(self, channel: TrialChannel) -> None:
        self.channel = channel

    def __call__(self, model: Any) -> None:
        nni.report_final_result(0.25)
        self.channel.final(0.5)


def test_nni_alone_reports_to_the_engine_inside_and_a_trial_channel_to_the_manager(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If only the first metric is there, `TrialChannel` is not needed any more."""
    import nni.runtime.trial_command_channel as channels

    outside = Outside()
    before = channels.get_default_trial_command_channel()
    channels.set_default_trial_command_channel(outside)
    try:
        channel = TrialChannel(outside)
        space = FusionSpace(field_sizes=[3, 4], levels=1, emb_dim=2)
        model = RawFormatModelSpace(space, FunctionalEvaluator(ReportsTwice(channel)))
        engine = SequentialExecutionEngine()
        sample = space.designs.sample(np.random.default_rng(0)).to_sample()
        engine.submit_models(model.freeze(sample))
    finally:
        channels.set_default_trial_command_channel(before)
        monkeypatch.setattr("nni.trial._params", None)
    assert channel.parameters == {"x": 1}
    assert outside.metrics == [("FINAL", 0.5)]


# NNI's own configuration file ----------------------------------------------------------------------------------------


def test_the_users_file_goes_before_and_the_rest_is_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "nni.yml"
    (tmp_path / "key").touch()
    file.write_text(
        "trialConcurrency: 3\ntrial_command: my-python -m nas_fusion.search.service_trial\n"
        "trialCodeDirectory: .\n"
        "trainingService:\n  platform: remote\n  machineList:\n  - host: gpu1\n    user: me\n    sshKeyFile: key\n"
    )
    (tmp_path / "work").mkdir()
    found = ServiceSettings(tmp_path / "work", "ours", 2, file, {"phase": ["search"]}).experiment()
    assert found["trialConcurrency"] == 3
    assert found["trialCommand"] == "my-python -m nas_fusion.search.service_trial"
    assert found["trialCodeDirectory"] == str(tmp_path)
    assert found["trainingService"]["platform"] == "remote"
    assert found["trainingService"]["machineList"][0]["host"] == "gpu1"
    assert found["experimentWorkingDirectory"] == str(tmp_path / "work")
    assert found["maxTrialNumber"] >= 10_000
    assert found["searchSpace"] == {"phase": {"_type": "choice", "_value": ["search"]}}


def test_without_a_file_it_is_the_local_service(tmp_path: Path) -> None:
    found = ServiceSettings(tmp_path, "ours", 2).experiment()
    assert (found["trainingService"]["platform"], found["trialConcurrency"]) == ("local", 2)
    assert found["trialCommand"] == "ours"
    copied = [path.name for path in Path(found["trialCodeDirectory"]).iterdir()]
    assert copied == ["README"], "NNI copies this folder to other machines, and fails if it is empty"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("trialConcurrency: [", "flow"),
        ("- a list", "dict"),
        ("trialConcurency: 2", "trialconcurency"),
        ("trialConcurrency: 0", ""),
        ("trialConcurrency: many", "trial_concurrency"),
        ("trainingService:\n  platform: moon", "moon"),
        ("trainingService:\n  platform: local\n  gpus: 1", "gpus"),
    ],
)
def test_a_bad_file_is_named_with_its_problem(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "nni.yml"
    file.write_text(text)
    with pytest.raises(OptionError, match=re.escape(str(file))) as caught:
        ServiceSettings(tmp_path, "true", file=file).experiment()
    assert problem in str(caught.value)
    file.write_text("trialConcurrency: 2")
    assert ServiceSettings(tmp_path, "true", file=file).experiment()["trialConcurrency"] == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"none\.yml"):
        ServiceSettings(tmp_path, "true", file=tmp_path / "none.yml").experiment()


def test_nni_alone_refuses_every_file_behind_a_bad_one(tmp_path: Path) -> None:
    """If this fails, the base path need not be reset."""
    (tmp_path / "bad.yml").write_text("nonsense: 2")
    try:
        with pytest.raises(AttributeError):
            ExperimentConfig.load(tmp_path / "bad.yml")
        assert get_base_path() == tmp_path
    finally:
        unset_base_path()
