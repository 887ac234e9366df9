"""Optuna's gRPC proxy: out of reach, something else, back again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.storages._grpc.server import make_server

from nas_fusion.errors import OptionError, StorageError
from nas_fusion.studies import check_storage, open_storage
from nas_fusion.studies.storage import storage_url
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.studies.storage.patience import PATIENCE_VARIABLE

grpc = pytest.importorskip("grpc")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(storage: InMemoryStorage, port: int) -> Iterator[None]:
    server = make_server(storage, "127.0.0.1", port, ThreadPoolExecutor(1))
    server.start()
    try:
        yield
    finally:
        server.stop(grace=None).wait()


def test_a_proxy_that_comes_back_has_lost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # which is nothing for this machine
    monkeypatch.setenv(PATIENCE_VARIABLE, "60")
    behind, port = InMemoryStorage(), free_port()
    with serving(behind, port):
        storage = open_storage(f"grpc://127.0.0.1:{port}")
        study = open_study(storage, "study")
        study.enqueue_trial({"x": 1})
    with ExitStack() as again:
        monkeypatch.setattr(storage, "_sleep", lambda seconds: again.enter_context(serving(behind, port)))
        study.enqueue_trial({"x": 2})
        assert [t.system_attrs["fixed_params"] for t in study.trials] == [{"x": 1}, {"x": 2}]
        storage.close()
        assert len(study.trials) == 2, "the next call opens a new connection"
        storage.close()


def test_a_proxy_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "0")
    port = free_port()
    with pytest.raises(StorageError, match=rf"grpc://127\.0\.0\.1:{port}: the storage cannot be reached: .*connect"):
        open_study(open_storage(f"grpc://127.0.0.1:{port}"), "study")


def test_a_server_of_something_else_is_told_of_at_once() -> None:
    port = free_port()
    other = grpc.server(ThreadPoolExecutor(1))
    other.add_insecure_port(f"127.0.0.1:{port}")
    other.start()
    try:
        with pytest.raises(StorageError, match="the storage cannot be used: Method not found"):
            open_study(open_storage(f"grpc://127.0.0.1:{port}"), "study")
    finally:
        other.stop(grace=None).wait()


def test_a_proxy_without_grpc_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_url, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"storage must be grpc://HOST:PORT.*'\.\[grpc\]'"):
        check_storage("grpc://host:13000")


def test_optunas_own_client_waits_longer_and_longer() -> None:
    """If this fails, Optuna has options for this, and `LivelyProxy` is hardly needed any more."""
    from inspect import signature

    assert list(signature(optuna.storages.GrpcStorageProxy.__init__).parameters) == ["self", "host", "port"]
