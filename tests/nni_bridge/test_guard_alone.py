"""The guard in front of other servers than NNI's manager, which are quick to start."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from nas_fusion.nni_bridge.manager.guarded_manager import GUARD, authorization, free_port, node_folder
from tests.command_process import PATIENCE_SECONDS

SERVER = """
const http = require('http');
const port = Number(process.argv[process.argv.length - 1]);
http.createServer((request, answer) => answer.end('answered')).listen(port, () => console.log('listens'));
"""
SECRET = "the secret of a run"
OWN = {"Sec-Fetch-Site": "same-origin"}


@contextmanager
def server(folder: Path, port: int, *options: str, host: str = "127.0.0.1") -> Iterator[None]:
    (folder / "server.js").write_text(SERVER)
    command = [str(node_folder() / "node"), "--require", str(GUARD), str(folder / "server.js"), *options, str(port)]
    variables = {"NASFUSION_SECRET": SECRET, "NASFUSION_UI_HOST": host}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "listens\n"
            yield
        finally:
            process.kill()


def status(port: int, method: str, path: str, headers: dict[str, str]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_prefix_stands_before_everything(tmp_path: Path) -> None:
    port = free_port()
    secret = authorization(SECRET)
    with server(tmp_path, port, "--port", str(port), "--url-prefix", "mine"):
        assert status(port, "GET", "/mine/api/v1/nni/trial-jobs", OWN) == 200
        assert status(port, "GET", "/mine/", OWN) == 200
        assert status(port, "POST", "/mine/api/v1/nni/trial-jobs", secret) == 200
        assert status(port, "POST", "/mine/api/v1/nni/trial-jobs", {}) == 403
        for path in ("/api/v1/nni/trial-jobs", "/minenetron/", "/mine/netron/", "/netron/", "/MINE/", "/mine/env/a/b"):
            assert status(port, "GET", path, secret) == 403, path


def test_a_port_in_one_word(tmp_path: Path) -> None:
    port = free_port()
    with server(tmp_path, port, f"--port={port}"):
        assert status(port, "GET", "/api/v1/nni/trial-jobs", OWN) == 200
        assert status(port, "POST", "/api/v1/nni/trial-jobs", OWN) == 403


def test_servers_beside_the_manager_answer_no_browser(tmp_path: Path) -> None:
    port = free_port()
    with server(tmp_path, port, "--port", "1"):
        assert status(port, "POST", "/api/v1/nni-pai/update-metrics/x/y", {}) == 200
        for headers in ({"Host": "evil.example"}, {"Origin": f"http://127.0.0.1:{port}"}, OWN):
            assert status(port, "POST", "/api/v1/nni-pai/update-metrics/x/y", headers) == 403
        assert status(port, "GET", "/x/..%2F..%2Fetc", {}) == 403
    with server(tmp_path, port, "--port", "1", host="0.0.0.0"):
        assert status(port, "POST", "/api/v1/nni-pai/update-metrics/x/y", {"Host": "gpu1"}) == 200, "trials' machines"
        assert status(port, "POST", "/api/v1/nni-pai/update-metrics/x/y", OWN) == 403
