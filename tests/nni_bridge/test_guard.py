"""Whom NNI's manager lets in: pages from elsewhere nowhere, this machine to read, the run's own process to act."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest
from nni.runtime.trial_command_channel import local_legacy
from websockets.exceptions import InvalidStatus

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.nni_bridge import ServiceSettings, TrainingServiceRun, TrialChannel, nni, training_service
from nas_fusion.nni_bridge.manager import trial_side
from nas_fusion.nni_bridge.manager.channel import ManagerChannel
from nas_fusion.nni_bridge.manager.guarded_manager import authorization
from nas_fusion.nni_bridge.manager.plain_json import load_plain
from tests.command_process import PATIENCE_SECONDS
from tests.trial_process import trial_commands

pytestmark = pytest.mark.slow

API = "/api/v1/nni"
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip

TRIAL = """
import json, os, sys
from pathlib import Path
from nas_fusion.errors import StudyError
from nas_fusion.nni_bridge import TrialChannel
seen = {"names": sorted(os.environ), "url": os.environ["NNI_TRIAL_COMMAND_CHANNEL"]}
try:
    channel = TrialChannel()
    channel.final(channel.parameters["x"])
except StudyError as error:
    seen["refused"] = str(error)
Path(sys.argv[1], os.environ["NNI_TRIAL_SEQ_ID"]).write_text(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where trials leave what they saw."""
    return tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="module")
def run(seen: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingServiceRun]:
    with trial_commands() as trials:
        settings = ServiceSettings(tmp_path_factory.mktemp("nni"), trials.command(TRIAL, str(seen)))
        with training_service(settings) as found:
            yield found


def address_of(run: TrainingServiceRun) -> tuple[str, int]:
    name, _, port = run.address.removeprefix("http://").partition(":")
    return name, int(port)


def talk(run: TrainingServiceRun, method: str, target: str, body: str = "", **headers: str | None) -> tuple[int, str]:
    """Status and content of an answer to a request that no library has put right; a header that is None is left out."""
    name, port = address_of(run)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"Host": f"{name}:{port}", "Content-Length": str(len(body)), **given}
    lines = [f"{method} {target} HTTP/1.1", *(f"{key}: {value}" for key, value in content.items() if value is not None)]
    return send(run, "\r\n".join([*lines, "", body]))


def send(run: TrainingServiceRun, request: str) -> tuple[int, str]:
    with socket.create_connection(address_of(run), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            length = 0
            while line := answer.readline().strip().lower():
                length = int(line.partition(b":")[2]) if line.startswith(b"content-length:") else length
            return status, answer.read(0 if request.startswith("HEAD") else length).decode(errors="replace")


@pytest.fixture(autouse=True)
def unharmed(run: TrainingServiceRun) -> Iterator[None]:
    """After whatever was tried the manager lives, with the experiment and the trials that it had."""
    before = state(run)
    yield
    assert state(run) == before


def state(run: TrainingServiceRun) -> Any:
    run._manager.check()
    return run._manager.ask("experiment")["params"]


def next_number(run: TrainingServiceRun) -> int:
    """Of the trial that is started next."""
    return int(run._manager.ask("experiment")["nextSequenceId"])


# What is refused -----------------------------------------------------------------------------------------------------

FOREIGN = "http://evil.example"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": FOREIGN},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example:80"},
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer undefined"},
    ],
    ids=str,
)
def test_a_web_socket_of_a_page_or_without_the_secret(headers: dict[str, str], run: TrainingServiceRun) -> None:
    assert talk(run, "GET", "/tuner", **UPGRADE, **headers)[0] == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": FOREIGN}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example"}],
    ids=str,
)  # fmt: skip
def test_a_page_that_came_by_the_secret(headers: dict[str, str], run: TrainingServiceRun) -> None:
    given = authorization(run._manager.secret) | headers
    status, content = talk(run, "GET", "/tuner", **UPGRADE, **given)
    assert status == 403
    assert "there is a tuner" not in content, "it is refused for what it is, not for coming second"
    assert talk(run, "POST", f"{API}/trial-jobs", "{}", Content_Type="application/json", **given)[0] == 403


@pytest.mark.parametrize(
    "path", ["/tuner", "/tuner/", "/tuner/2", "/TUNER", "//tuner", "/platform/local/1", "/netron/"]
)
def test_a_second_tuner_is_refused_even_with_the_secret(path: str, run: TrainingServiceRun) -> None:
    assert talk(run, "GET", path, **UPGRADE, **authorization(run._manager.secret))[0] == 403


def test_a_tuner_may_come_back_when_it_has_gone(run: TrainingServiceRun) -> None:
    run._channel.close()
    address = f"{run.address.replace('http', 'ws')}/tuner"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:  # the manager may hear of the end a moment later
        try:
            run._channel = ManagerChannel(address, run._manager.secret)
            break
        except InvalidStatus:
            assert time.monotonic() < deadline
    assert talk(run, "GET", "/tuner", **UPGRADE, **authorization(run._manager.secret))[0] == 403


CHANGES = [
    ("POST", "/trial-jobs", '{"x": 1}'),
    ("POST", "/experiment", '{"trialCommand": "true"}'),
    ("POST", "/experiment/import-data", "[]"),
    ("PUT", "/experiment?update_type=MAX_TRIAL_NUM", '{"params": {"maxTrialNumber": 1}}'),
    ("PUT", "/experiment/cluster-metadata", '{"x": 1}'),
    ("DELETE", "/experiment", ""),
    ("DELETE", "/trial-jobs/abcde", ""),
]
SENDERS = {
    "a form": {"Content-Type": "text/plain", "Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"},
    "an old browser": {"Content-Type": "text/plain"},
    "a page of this machine": {"Content-Type": "application/json", "Origin": "http://127.0.0.1:1"},
    "NNI's own page": {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"},
    "a re-bound name": {"Content-Type": "application/json", "Host": "evil.example", "Origin": FOREIGN},
    "another user": {"Content-Type": "application/json"},
}


@pytest.mark.parametrize("sender", SENDERS)
def test_only_the_secret_changes_anything(sender: str, run: TrainingServiceRun) -> None:
    number = next_number(run)
    for method, path, body in CHANGES:
        assert talk(run, method, API + path, body, **SENDERS[sender])[0] == 403, path
    assert next_number(run) == number, "no trial was started"


def test_another_method_by_a_header_is_none(run: TrainingServiceRun) -> None:
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert talk(run, "GET", f"{API}/experiment", **{name: "DELETE"})[0] == 200
        assert talk(run, "POST", f"{API}/experiment", "_method=GET", **{name: "GET"})[0] == 403


CLOSED = [
    "/netron/", "/netron", "/netron/index.html?url=/api", "/NETRON/", "//netron/", "/%6eetron/", "/%256eetron/",
    "/./netron/", "/x/../netron/", "/x/%2e%2e/netron/", "\\netron\\", "/\\netron/", "/;/netron/", "netron/",
    "http://127.0.0.1/netron/", "http://evil.example/netron/", "//evil.example/netron/",
    "/api/v1/nni/tensorboard", "/api/v1/nni/tensorboard-tasks", "/api/v1/nni/tensorboard/x", "/API/v1/nni/tensorboard",
    "/api/v1/nni/trial-file/x/..%2F..%2Fetc%2Fpasswd", "/api/v1/nni/trial-file/x/%2e%2e/a", "/logs/../db/nni.sqlite",
    "/logs/%2e%2e/db/nni.sqlite", "/static/..%5c..%5cmain.js", "/%", "/%00", "*", "/env/local-env/abcde",
    "/env/local-env/abcde?key=", "/ENV/local-env/abcde", "/platform/local/1", "/tuner", "/tuner/.websocket",
]  # fmt: skip


@pytest.mark.parametrize("target", CLOSED)
def test_closed_addresses_are_closed_for_everybody(target: str, run: TrainingServiceRun) -> None:
    for headers in ({}, authorization(run._manager.secret)):
        for method in ("GET", "POST", "PUT", "DELETE"):
            assert talk(run, method, target, **headers)[0] in (400, 403), method
        assert talk(run, "GET", target, **UPGRADE, **headers)[0] in (400, 403)


HOSTS = [
    None, "", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:80@evil.example",
    "evil.example@127.0.0.1", "localhost.", "127.0.0.1.", "127.0.0.2", "0.0.0.0", "[::]", "127.1", "localhost:x",
    "127.0.0.1, evil.example",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_was_made_to_point_here(host: str | None, run: TrainingServiceRun) -> None:
    assert talk(run, "GET", f"{API}/trial-jobs", Host=host)[0] in (400, 403)


def test_forms_of_a_request_that_hide_its_host(run: TrainingServiceRun) -> None:
    name, port = address_of(run)
    for lines in (
        "GET /api/v1/nni/experiment HTTP/1.0",
        f"GET /api/v1/nni/experiment HTTP/1.1\r\nHost: {name}:{port}\r\nHost: evil.example",
        f"GET /api/v1/nni/experiment HTTP/1.1\r\nHost: evil.example\r\nHost: {name}:{port}",
        f"GET /api/v1/nni/experiment HTTP/1.1\r\nHost: {name}\r\nOrigin: http://{name}\r\nOrigin: {FOREIGN}",
        f"GET http://{name}:{port}/api/v1/nni/experiment HTTP/1.1\r\nHost: {name}:{port}",
    ):
        assert send(run, f"{lines}\r\n\r\n")[0] == 403, lines


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": FOREIGN},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
    ids=str,
)
def test_a_page_from_elsewhere_reads_nothing(headers: dict[str, str], run: TrainingServiceRun) -> None:
    for path in ("experiment", "trial-jobs", "trial-file/x/trial.log"):
        assert talk(run, "GET", f"{API}/{path}", **headers)[0] == 403
    assert talk(run, "GET", "/logs/nnimanager.log", **headers)[0] == 403


# What works ----------------------------------------------------------------------------------------------------------

READ = [
    "/", "/oview", "/detail", "/experiment", "/index.html", "/favicon.ico", "/icons/logo.png", "/logs/nnimanager.log",
    *(f"{API}/{path}" for path in (
        "version", "check-status", "experiment", "experiment-metadata", "experiments-info", "experiment/imported-data",
        "job-statistics", "trial-jobs", "trial-jobs?status=RUNNING", "metric-data", "metric-data?type=FINAL",
        "metric-data-latest", "metric-data-range/0/9", "export-data",
    )),
]  # fmt: skip


@pytest.mark.parametrize("path", READ)
def test_the_pages_of_this_machine_read(path: str, run: TrainingServiceRun) -> None:
    own = {"Origin": run.address, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    for headers in ({}, own, {"Sec-Fetch-Site": "none"}, {"Host": f"localhost:{address_of(run)[1]}"}):
        assert talk(run, "GET", path, **headers)[0] in (200, 304)
    assert talk(run, "HEAD", path)[0] == 200


def test_a_link_may_open_the_pages(run: TrainingServiceRun) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert talk(run, "GET", "/detail", **link)[0] == 200


def test_a_page_from_elsewhere_in_a_browser(page: Any, run: TrainingServiceRun) -> None:
    """The page tries what it can, and NNI's own pages work beside it."""
    number = next_number(run)
    with served(ATTACK.replace("TARGET", run.address.removeprefix("http://"))) as evil:
        page.goto(evil)
        page.wait_for_function("window.told && window.told.length === 4")
        assert page.evaluate("window.told.slice().sort()") == ["img error", "post sent", "read failed", "ws error"]
    assert next_number(run) == number
    page.goto(f"{run.address}/oview")
    page.get_by_text("Best metric").wait_for()


ATTACK = """<script>
window.told = [];
const tell = (what) => () => window.told.push(what);
const socket = new WebSocket('ws://TARGET/tuner');
socket.onopen = tell('ws open');
socket.onerror = tell('ws error');
const image = new Image();
image.onload = tell('img loaded');
image.onerror = tell('img error');
image.src = 'http://TARGET/netron/';
fetch('http://TARGET/api/v1/nni/trial-jobs', { method: 'POST', mode: 'no-cors', body: '{"x": 1}' })
    .then(tell('post sent'), tell('post failed'));
fetch('http://TARGET/api/v1/nni/trial-jobs').then(tell('read'), tell('read failed'));
</script>"""


class served:
    """A page of another origin of this machine: the same site, as browsers see it."""

    def __init__(self, content: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


# A trial's end -------------------------------------------------------------------------------------------------------


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def pickled(marker: Path) -> dict[str, Any]:
    payload = base64.b64encode(pickle.dumps(Runs(marker))).decode()
    return {"x": {"__nni_obj__": payload}}


def record(parameters: Any) -> str:
    return json.dumps({"parameter_id": 99, "parameters": parameters, "parameter_source": "algorithm"})


def test_nni_alone_runs_what_a_parameter_says(tmp_path: Path) -> None:
    """If this fails, one of the reasons for channels of our own is gone."""
    nni.load(record(pickled(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def wait_for(path: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.1)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_pickled_parameter_runs_nothing_in_a_trial(run: TrainingServiceRun, seen: Path, tmp_path: Path) -> None:
    number = next_number(run)
    run._channel._send("TR", record(pickled(tmp_path / "ran")))
    found = wait_for(seen / str(number))
    assert "__nni_obj__" in found["refused"]
    assert not (tmp_path / "ran").exists()


def test_a_trial_has_its_own_key_and_not_the_secret(run: TrainingServiceRun, seen: Path) -> None:
    number = next_number(run)
    (end,) = run.run([{"x": 0.25}])
    assert (end.status, end.final) == ("SUCCEEDED", 0.25)
    found = wait_for(seen / str(number))
    assert not [name for name in found["names"] if name.startswith("NASFUSION")]
    port = address_of(run)[1]
    path, _, key = found["url"].removeprefix(f"http://localhost:{port}").partition("?key=")
    metric = json.dumps({"type": "metric", "metric": "{}"})
    others = path.replace(end.name, "abcde")
    for target in (path, f"{path}?key=", f"{path}?key={key[:-1]}", f"{others}?key={key}"):
        assert talk(run, "GET", target)[0] == 403
        assert talk(run, "PUT", target, metric, Content_Type="application/json")[0] == 403
    assert talk(run, "GET", f"{path}?key={key}", Origin=run.address)[0] == 403
    assert talk(run, "GET", f"{path}?key={key}")[0] == 408, "nothing for it"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_other_users_see_no_secret(run: TrainingServiceRun) -> None:
    process = Path(f"/proc/{run._manager.process.pid}")
    secret = run._manager.secret
    assert secret not in process.joinpath("cmdline").read_text()
    assert secret not in repr(run._manager)
    assert process.joinpath("environ").stat().st_mode & 0o077 == 0
    for path in run.folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "text",
    [
        '{"parameters": {"x": {"__nni_obj__": "bytes:"}}}',
        '{"parameters": {"x": [{"__nni_type__": "path:os.system"}]}}',
        '{"parameters": {"__symbol__": "path:os.system", "args": ["true"]}}',
        '{"parameters": {"__instance_type__": ["os", "system"]}}',
        '{"parameters": {"x": NaN}}',
        '{"parameters": [1]}',
        '["parameters"]',
        "null",
        "not JSON",
    ],
)
def test_what_is_not_plain_is_refused_from_a_file_too(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = dict.fromkeys(("NNI_TRIAL_COMMAND_CHANNEL", "REUSE_MODE", "MULTI_PHASE", "NNI_TRIAL_JOB_ID"))
    here = {"NNI_PLATFORM": "local", "NNI_SYS_DIR": str(tmp_path), "NNI_OUTPUT_DIR": str(tmp_path)}
    for module in (trial_side, local_legacy):
        monkeypatch.setattr(module, "trial_env_vars", SimpleNamespace(**names, **here))
    (tmp_path / "parameter.cfg").write_text('{"parameter_id": 1, "parameters": {"x": "bytes:"}}')
    channel = trial_side._channel_of_this_trial()
    assert isinstance(channel, trial_side.FileChannel)
    with channel._metric_file:
        assert TrialChannel(channel).parameters == {"x": "bytes:"}
        (tmp_path / "parameter.cfg").write_text(text)
        with pytest.raises(StudyError, match=r"something else than (plain )?parameters"):
            TrialChannel(channel)


@pytest.mark.parametrize("url", [None, "import://os.path", "file:///etc/passwd"])
def test_a_process_that_is_no_trial(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = SimpleNamespace(NNI_TRIAL_COMMAND_CHANNEL=url, NNI_PLATFORM=None)
    monkeypatch.setattr(trial_side, "trial_env_vars", nobody)
    with pytest.raises(StudyError, match=re.escape(repr(url))):
        TrialChannel()


@pytest.mark.parametrize("command", [None, [], {}, {"parameter": None}, {"parameter": {"parameters": {}}}])
def test_another_command_is_no_parameters(command: Any) -> None:
    with pytest.raises(ValueError, match="parameters"):
        trial_side.parameters_of(command)


def test_deep_json_is_no_trouble() -> None:
    assert load_plain("[" * 500 + "]" * 500)


def test_marks_are_not_sent_either(run: TrainingServiceRun) -> None:
    with pytest.raises(OptionError, match="__nni_obj__"):
        run.run([pickled(Path("none"))])


def test_a_proxy_is_not_asked(run: TrainingServiceRun, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert run._manager.ask("check-status")["status"] in ("RUNNING", "NO_MORE_TRIAL")
    with pytest.raises(HTTPError, match="403"):
        run._manager.ask("tensorboard-tasks")
    assert os.environ["http_proxy"]
