"""A PostgreSQL server of the tests' own, which can be stopped and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command_process import PATIENCE_SECONDS


def program(name: str) -> str | None:
    """A program of PostgreSQL's server; Debian does not put them on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


def as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


class PostgreSQL:
    """A server on loopback.

    Args:
        folder: its own.
        port: a free one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def database(self, name: str) -> str:
        """The URL of a new database."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{self.url.removesuffix('/postgres')}/{name}"

    @staticmethod
    def missing() -> bool:
        """Whether this machine has no server."""
        return program("initdb") is None or program("postgres") is None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[PostgreSQL]:
        """A new server, which is gone behind the block."""
        # Not below a folder of this user's, which another user may not enter; the path of its socket must be short.
        folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/nasfusion-pg-XXXXXX"], text=True).strip())
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = cls(folder, probe.getsockname()[1])
        try:
            initdb = [*as_postgres(), str(program("initdb")), "-D", str(folder / "data"), "-U", "postgres"]
            subprocess.run([*initdb, "--auth=trust", "--no-sync"], check=True, capture_output=True, cwd=folder)
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}", "-k", str(self.folder)]
        self._process = subprocess.Popen(
            [*as_postgres(), str(program("postgres")), "-D", str(self.folder / "data"), *options, "-c", "fsync=off"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "PostgreSQL did not start"
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; its connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
