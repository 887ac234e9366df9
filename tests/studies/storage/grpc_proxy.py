"""Optuna's gRPC proxy of the tests' own, in a process that can be stopped and started again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command_process import PATIENCE_SECONDS, CommandProcess

SERVE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(
    get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]),
    thread_pool=ThreadPoolExecutor(1),  # SQLite does not keep two of them from claiming the same trial
)
"""


class GrpcProxy:
    """A proxy on loopback, of a database in a file.

    Args:
        folder: its own.
        port: a free one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._file = "proxied.db"
        self._process: CommandProcess | None = None

    def database(self, name: str) -> str:
        """The proxy's URL; it has a new database now."""
        self.stop()
        self._file = f"{name}.db"
        self.start()
        return f"grpc://127.0.0.1:{self.port}"

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[GrpcProxy]:
        """A proxy, which is gone behind the block."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            proxy = cls(folder, probe.getsockname()[1])
        try:
            proxy.start()
            yield proxy
        finally:
            proxy.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        arguments = [f"sqlite:///{self.folder}/{self._file}", str(self.port)]
        self._process = CommandProcess(arguments, self.folder, code=SERVE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.returncode is None, self._process.said()
            assert time.monotonic() < deadline, "the proxy does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; its connections are cut."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
