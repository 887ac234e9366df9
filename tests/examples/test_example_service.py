"""The example of a service: it gives the model's own scores, and says what is wrong with a request."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import httpx
import pytest
import uvicorn

import nas_fusion
from nas_fusion.serving import SavedModel
from tests.serving.clicks_log import clicks, trained_cells

pytestmark = pytest.mark.slow

SERVICE = Path(__file__).resolve().parents[2] / "examples" / "service" / "service.py"
ROWS: list[dict[str, Any]] = [dict(row) for _, row in clicks(4).drop(columns="clicked").iterrows()]
FIRST = ROWS[0]
JSON = {"content-type": "application/json"}
START_SECONDS = 120.0


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study, _ = trained_cells(tmp_path_factory.mktemp("log"), ["stacked"])
    return study.cell("stacked", 0) / "model"


@pytest.fixture(scope="module")
def model(path: Path) -> SavedModel:
    return nas_fusion.load(path)


@pytest.fixture(scope="module")
def service() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_service", SERVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks for the names of its annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def app(service: ModuleType, model: SavedModel) -> Any:
    return service.make_app(model)


def ask(app: Any, path: str = "/scores", content: str | bytes | None = None, **headers: str) -> httpx.Response:
    """What the service answers, without a network between."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            if content is None:
                return await client.get(path, headers=headers)
            return await client.post(path, content=content, headers=JSON | headers)

    # In a thread of its own: a browser that another test has opened keeps an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, answer()).result()


def score(app: Any, *rows: object) -> httpx.Response:
    return ask(app, content=json.dumps({"rows": rows}))


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < end, "it does not start"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_it_starts_and_gives_the_model_s_scores(
    service: ModuleType, path: Path, model: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[uvicorn.Server] = []

    def run(app: Any, **options: Any) -> None:
        servers.append(uvicorn.Server(uvicorn.Config(app, **options)))
        servers[0].run()

    # A process of its own would be as well served, and would import torch once more.
    monkeypatch.setattr(service.uvicorn, "run", run)
    monkeypatch.setattr(sys, "argv", ["service.py", str(path), "--port", str(port := free_port())])
    thread = Thread(target=service.main)
    thread.start()
    try:
        wait_until(lambda: bool(servers) and servers[0].started)
        (address,) = (one.getsockname() for server in servers[0].servers for one in server.sockets)
        assert address == ("127.0.0.1", port)
        url = f"http://127.0.0.1:{port}"
        health = {"status": "ok", "model": "stacked, seed 0", "columns": list(model.columns)}
        assert httpx.get(f"{url}/health").json() == health
        with_more = [{"extra": 1, **row, "clicked": "1"} for row in ROWS]
        found = httpx.post(f"{url}/scores", json={"rows": with_more})
        assert found.json() == {"scores": model.scores(ROWS).tolist(), "warnings": []}
    finally:
        servers[0].should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ({k: v for k, v in FIRST.items() if k != "price"}, "price", "the model needs this column; null stands for no"),
        ({**FIRST, "age": [1]}, "age", "expected a text, as in the rows before, found a list"),
        ({**FIRST, "user": 7}, "user", "expected a text, as in the rows before, found a number"),
        ({**FIRST, "user": {"a": 1}}, "user", "expected a text, a flag, a number, a list or null, found an object"),
        ({**FIRST, "price": 10**400}, "price", "expected an integer of at most 63 bits"),
        (5, None, "rows: Input should be a valid dictionary"),
    ],
)
def test_a_bad_cell_is_refused_by_row_and_column(app: Any, row: object, column: str | None, problem: str) -> None:
    answer = score(app, FIRST, row)
    assert answer.status_code == 422
    (found,) = answer.json()["detail"]
    assert (found["row"], found["column"]) == (2, column)
    assert found["problem"].startswith(problem)


def test_what_looks_wrong_is_in_the_answer(app: Any, model: SavedModel) -> None:
    answer = score(app, FIRST, {**FIRST, "price": "cheap"}).json()
    assert answer["warnings"] == [
        "column 'price': 1 cell no number in a column of numbers: read as missing (row 2: 'cheap')"
    ]
    assert answer["scores"] == model.scores([FIRST, {**FIRST, "price": None}]).tolist()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "JSON decode error"),
        ('{"rows": []}', "rows: List should have at least 1 item"),
        (json.dumps({"rows": [FIRST] * 1001}), "rows: List should have at most 1000 items"),
        ('{"lines": [1]}', "rows: Field required"),
    ],
)
def test_a_bad_body_is_refused(app: Any, content: str, problem: str) -> None:
    answer = ask(app, content=content)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["problem"].startswith(problem)


def test_what_a_page_in_a_browser_may_send_without_asking_is_not_read(app: Any) -> None:
    content = json.dumps({"rows": ROWS})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = ask(app, content=content, **{"content-type": kind})
        assert (answer.status_code, answer.json()["detail"][0]["problem"]) == (422, "the body must be application/json")
    assert ask(app, "/health", origin="http://page.example").headers.keys().isdisjoint({"access-control-allow-origin"})
    assert ask(app, "/health", host="page.example").status_code == 400  # its name leads to this machine


def test_a_long_body_is_refused(app: Any, service: ModuleType) -> None:
    answer = ask(app, content=json.dumps({"rows": [{**FIRST, "user": "x" * service.MOST_BYTES}]}))
    assert answer.status_code == 413
