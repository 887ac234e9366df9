"""NNI's remote service by ssh: what its manager does wrong, and what it does with our scripts."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
import yaml

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.nni_bridge import ServiceSettings, TrainingServiceRun, training_service
from nas_fusion.nni_bridge.manager.guarded_manager import ask_manager, node_folder
from nas_fusion.nni_bridge.manager.remote_machines import are_remote, refuse_passwords, take_machines
from tests.command_process import PATIENCE_SECONDS, CommandProcess
from tests.nni_bridge.ssh_server import HOST, PASSPHRASE, SshServer, ssh_server
from tests.trial_process import TrialCommands, trial_commands

TRIAL = """
import os, sys
if os.environ["NNI_TRIAL_SEQ_ID"] in sys.argv[1:]:
    print("the reason of a trial", file=sys.stderr)
    sys.exit(3)
import nni
x = nni.get_next_parameter()["x"]
nni.report_intermediate_result(x / 2)
nni.report_final_result(x)
"""


@pytest.fixture(scope="module")
def trials() -> Iterator[TrialCommands]:
    with trial_commands() as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with ssh_server() as found:
        yield found


def settings(folder: Path, command: str, *machines: dict[str, object], **more: Any) -> ServiceSettings:
    file = folder / "nni.yml"
    service = {"platform": "remote", "machineList": list(machines)}
    file.write_text(yaml.safe_dump({"trialCommand": command, "trainingService": service}))
    return ServiceSettings(folder / "nni", "ours", file=file, **more)


def keepers(server: SshServer) -> list[psutil.Process]:
    """NNI's servers on the other machine."""
    return [p for p in psutil.process_iter() if _is_keeper(p, server)]


def _is_keeper(process: psutil.Process, server: SshServer) -> bool:
    try:
        line = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(part.endswith("trial_keeper/main.js") for part in line) and str(server.there) in line[-1]


def gone(server: SshServer) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while keepers(server) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not keepers(server)


def shows(secret: str, *folders: Path) -> list[Path]:
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if secret.encode() in file.read_bytes()]


# Trials on another machine -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_trials_on_another_machine_get_their_own_parameters_and_nobody_else_gets_anything(
    server: SshServer, trials: TrialCommands, tmp_path: Path
) -> None:
    xs = [i / 8 for i in range(5)]
    metrics: list[tuple[int, float]] = []
    with training_service(settings(tmp_path, trials.command(TRIAL, "1"), server.machine(), concurrency=2)) as run:
        ends = run.run([{"x": x} for x in xs], lambda position, value: metrics.append((position, value)))
        (keeper,) = keepers(server)
        _nobody_else_is_let_in(run, keeper)
        _no_secret_is_shown(run, server, tmp_path)
    assert [end.final for end in ends] == [None if i == 1 else x for i, x in enumerate(xs)]
    assert [end.status for end in ends] == ["FAILED" if i == 1 else "SUCCEEDED" for i in range(5)]
    assert [end.last_words for end in ends] == ["the reason of a trial" if i == 1 else "" for i in range(5)]
    assert sorted(metrics) == [(i, x / 2) for i, x in enumerate(xs) if i != 1]
    assert gone(server), "NNI's server there ends with the search"


def _nobody_else_is_let_in(run: TrainingServiceRun, keeper: psutil.Process) -> None:
    """On either machine: everything listens on loopback, and asks for a key."""
    for process in (keeper, psutil.Process(run._manager.process.pid)):
        listening = [c.laddr for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert {address.ip for address in listening} == {"127.0.0.1"}, process
    (address,) = [c.laddr for c in keeper.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    for path in ("env/remote-worker1/x", "env/remote-worker1/x?key=guessed"):
        with pytest.raises(HTTPError, match="403"):
            urlopen(f"http://127.0.0.1:{address.port}/{path}", timeout=20).close()


def _no_secret_is_shown(run: TrainingServiceRun, server: SshServer, folder: Path) -> None:
    (folder / "nni.yml").unlink()  # the user's own
    assert PASSPHRASE not in json.dumps(ask_manager(run.address, "experiment"))
    assert shows(PASSPHRASE, folder, server.there) == []
    for process in (*keepers(server), psutil.Process(run._manager.process.pid)):
        assert PASSPHRASE not in " ".join(process.cmdline())
    (keeper,) = server.there.rglob("trial_keeper")
    assert keeper.stat().st_mode & 0o077 == 0, "the channel's key is for one user alone"


HOLDER = """
import sys
from pathlib import Path
from nas_fusion.nni_bridge import ServiceSettings, training_service
folder = Path(sys.argv[1])
with training_service(ServiceSettings(folder / "nni", "ours", file=folder / "nni.yml")) as run:
    run.run([{}])
"""


@pytest.mark.slow
def test_a_killed_search_takes_its_trials_on_other_machines_with_it(server: SshServer, tmp_path: Path) -> None:
    settings(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 600", server.machine())
    process = CommandProcess([str(tmp_path)], tmp_path / "holder", code=HOLDER)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n")):
        assert process.returncode is None, process.said()
        assert time.monotonic() < deadline, "no trial was started"
        time.sleep(0.1)
    trial = psutil.Process(int((tmp_path / "pid").read_text()))
    process.kill()
    assert gone(server)
    assert not trial.is_running() or trial.status() == psutil.STATUS_ZOMBIE


WAITING_TRIAL = """
import nni, time
x = nni.get_next_parameter()["x"]
nni.report_intermediate_result(x)
time.sleep(600 if x == 1 else 0)
nni.report_final_result(x)
"""


@pytest.mark.slow
def test_a_connection_that_is_cut_costs_its_trials_and_a_machine_that_is_lost_the_search(
    server: SshServer, trials: TrialCommands, tmp_path: Path
) -> None:
    told: list[float] = []

    def cut(position: int, value: Any) -> None:
        told.append(value)
        server.cut()

    def stop(position: int, value: Any) -> None:
        server.stop()

    service = settings(tmp_path, trials.command(WAITING_TRIAL), server.machine())
    try:
        with training_service(service) as run:
            (lost,) = run.run([{"x": 1}], cut)
            (found,) = run.run([{"x": 2}])
            assert (lost.final, found.final) == (None, 2)
            with pytest.raises(StudyError) as caught:
                run.run([{"x": 1}], stop)
    finally:
        if server.is_stopped:
            server.start()
    assert told == [1]
    assert f"machineList: {server.user}@{HOST}:{server.port}: the connection was lost" in str(caught.value)
    assert gone(server)


# Machines that cannot be used ----------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def nobody_there(server: SshServer, folder: Path) -> dict[str, object]:
    port = free_port()
    server.is_known_as(HOST, port)
    return server.machine(port=port)


def another_key(server: SshServer, folder: Path) -> dict[str, object]:
    return server.machine(sshKeyFile=str(server.folder / "other"))


def a_wrong_passphrase(server: SshServer, folder: Path) -> dict[str, object]:
    return server.machine(sshPassphrase="a wrong guess")


def a_wrong_password(server: SshServer, folder: Path) -> dict[str, object]:
    return {"host": HOST, "port": server.port, "user": server.user, "password": "a wrong guess"}


def another_machine(server: SshServer, folder: Path) -> dict[str, object]:
    server.is_known_as("localhost", server.port, "other.pub")
    return server.machine(host="localhost")


PYTHON_WITHOUT_NNI = """#!/bin/sh
case "$*" in
    --version) echo Python 3.11;;
    *platform*) echo linux;;
    *environ*) echo "{\\"PATH\\": \\"$PATH\\"}";;
    *) echo no such package >&2; exit 1;;
esac
"""


def no_nni(server: SshServer, folder: Path) -> dict[str, object]:
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(PYTHON_WITHOUT_NNI)
    (folder / "bin" / "python").chmod(0o755)
    return server.machine(pythonPath=str(folder / "bin"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "problem"),
    [
        (nobody_there, "ECONNREFUSED"),
        (another_key, r"it does not let this user in \(sshKeyFile\)"),
        (a_wrong_passphrase, "passphrase|Cannot parse privateKey"),
        (a_wrong_password, r"it does not let this user in \(password\)"),
        (another_machine, "its key is not the one that known_hosts has"),
        (no_nni, r"must have NNI 3\.0, and has: no such package .pythonPath"),
    ],
)
@pytest.mark.filterwarnings("ignore:SSH password will be exposed")  # it is not
def test_a_machine_that_cannot_be_used_is_named_with_its_problem(
    machine: Any, problem: str, server: SshServer, tmp_path: Path
) -> None:
    found = machine(server, tmp_path)
    with training_service(settings(tmp_path, "true", found)) as run, pytest.raises(StudyError) as caught:
        run.run([{}])
    where = re.escape(f"{found['user']}@{found['host']}:{found['port']}")
    assert re.search(f"machineList: {where}: .*({problem})", str(caught.value))
    assert "guess" not in str(caught.value)
    assert PASSPHRASE not in str(caught.value)
    (tmp_path / "nni.yml").unlink()
    assert shows("a wrong guess", tmp_path) == []


# Before anything starts ----------------------------------------------------------------------------------------------


def experiment(**machine: object) -> dict[str, Any]:
    whole = {"host": "gpu1", "port": 22, "user": "me", "sshKeyFile": "/key", **machine}
    return {"trainingService": {"platform": "remote", "reuseMode": False, "machineList": [whole]}}


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if SshServer.missing():
        pytest.skip("no OpenSSH on this machine")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path / ".ssh" / "known_hosts"


def test_a_machine_that_nobody_has_looked_at_is_refused(known: Path, tmp_path: Path) -> None:
    for text in ("", "gpu2 ssh-ed25519 AAAA\n", "@cert-authority gpu1 ssh-ed25519 AAAA\n", "gpu1 ssh-rsa\n"):
        known.write_text(text)
        with pytest.raises(OptionError, match=r"(?s)machineList must be .*`ssh -p 22 me@gpu1 true`.*gpu1:22"):
            take_machines(experiment(), tmp_path / "why", forward=True)


def test_without_openssh_it_says_so(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError, match="ssh-keygen"):
        take_machines(experiment(), tmp_path / "why", forward=True)


def test_secrets_go_by_the_environment_and_keys_with_them(known: Path, tmp_path: Path) -> None:
    known.write_text(
        "gpu1,other ssh-rsa AAAArsa\ngpu1 ssh-ed25519 AAAAed\ngpu1 ssh-ed25519 AAAAold\n"
        "@revoked gpu1 ssh-ed25519 AAAAold\n[gpu1]:2222 ssh-ed25519 AAAAport\n"
    )
    found = experiment(password="secret", sshPassphrase="hidden")
    variables = take_machines(found, tmp_path / "why", forward=False)
    (machine,) = found["trainingService"]["machineList"]
    assert set(machine) == {"host", "port", "user", "sshKeyFile"}
    told = json.loads(variables.pop("NASFUSION_MACHINES"))
    assert variables == {}
    assert told == {
        "forward": False,
        "why": str(tmp_path / "why"),
        "version": "3.0",
        "machines": [
            {
                **{"host": "gpu1", "port": 22, "user": "me", "password": "secret", "passphrase": "hidden"},
                "keys": ["AAAArsa", "AAAAed"],
                "algorithms": ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-ed25519"],
            }
        ],
    }


def test_where_nni_would_show_a_password_there_may_be_none() -> None:
    reused = experiment(password="secret")
    reused["trainingService"]["reuseMode"] = True
    assert not are_remote(reused)
    mixed = {"trainingService": [{"platform": "local"}, experiment(sshPassphrase="secret")["trainingService"]]}
    for found in (reused, mixed):
        with pytest.raises(OptionError, match="machineList, gpu1 must be sshKeyFile") as caught:
            refuse_passwords(found)
        assert "secret" not in str(caught.value)
    refuse_passwords(experiment())
    refuse_passwords({"trainingService": {"platform": "local"}})


@pytest.mark.parametrize(
    ("file", "text", "is_there"),
    [
        ("remote_v3/worker.js", "pip install nni --upgrade", True),
        ("remote_v3/ssh.js", "hostVerifier", False),
        ("remote_v3/ssh.js", "forwardIn", False),
    ],
)
def test_nni_alone_does_what_our_script_replaces(file: str, text: str, is_there: bool) -> None:
    """If this fails, `remote_machines.js` may be shorter."""
    assert (text in (node_folder() / "training_service" / file).read_text("utf-8")) is is_there
