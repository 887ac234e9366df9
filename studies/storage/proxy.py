"""Optuna's gRPC proxy as a storage: found again soon after an outage, and never waited for without end."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.storages import GrpcStorageProxy
from optuna.storages._grpc import client

DEFAULT_PORT = 13000
_LONGEST_PAUSE_MS = 5_000
_SILENCE_MS, _ANSWER_MS = 30_000, 10_000
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),  # as Optuna has it
    ("grpc.initial_reconnect_backoff_ms", 200),  # gRPC's own pauses grow to two minutes
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", _LONGEST_PAUSE_MS),
    ("grpc.keepalive_time_ms", _SILENCE_MS),  # a machine that is gone does not say so
    ("grpc.keepalive_timeout_ms", _ANSWER_MS),
]
_ON_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class LivelyProxy(GrpcStorageProxy):
    """Optuna's client of its gRPC proxy, whose connection is tried again as often as a `PatientStorage` asks.

    Args:
        host: of the proxy.
        port: of the proxy.
    """

    def __init__(self, *, host: str, port: int = DEFAULT_PORT) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(host=host, port=port)

    def _setup(self) -> None:
        import grpc
        from optuna.storages._grpc.auto_generated import api_pb2_grpc

        name = f"[{self._host}]" if ":" in self._host else self._host
        options = list(_OPTIONS)
        if self._host in _ON_THIS_MACHINE:  # a proxy of the environment's does not reach it
            options.append(("grpc.enable_http_proxy", 0))
        self._channel = grpc.insecure_channel(f"{name}:{self._port}", options=options)
        make_stub: Callable[[grpc.Channel], Any] = api_pb2_grpc.StorageServiceStub  # which has no types
        self._stub = make_stub(self._channel)
        self._cache = client.GrpcClientCache(self._stub)
