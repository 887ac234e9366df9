"""A MariaDB server of the tests' own, which can be stopped and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.command_process import PATIENCE_SECONDS

USER, PASSWORD = "worker", "an open/secret:of@the tests"


def program(name: str) -> str | None:
    """A program of MariaDB's server; Debian puts the server where only root's path looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


class MariaDB:
    """A server on loopback, with a user who has a password.

    Args:
        folder: its own.
        port: a free one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._socket = folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    def database(self, name: str) -> str:
        """The URL of a new database, without the user's password."""
        with self._root() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"GRANT ALL ON {name}.* TO '{USER}'@'127.0.0.1'")
        return f"mysql://{USER}@127.0.0.1:{self.port}/{name}"

    @staticmethod
    def missing() -> bool:
        """Whether this machine has no server."""
        return program("mariadb-install-db") is None or program("mariadbd") is None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[MariaDB]:
        """A new server, which is gone behind the block."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = Path(tempfile.mkdtemp(prefix="nasfusion-db-", dir="/tmp"))  # the path of a socket must be short
        server = cls(folder, port)
        try:
            install = [
                str(program("mariadb-install-db")),
                "--no-defaults",
                f"--datadir={folder}/data",
                *_as_this_user(),
            ]
            install += ["--auth-root-authentication-method=normal", *_as_this_user()]
            subprocess.run(install, check=True, capture_output=True)
            server.start()
            with server._root() as cursor:
                cursor.execute(f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        here = [f"--datadir={self.folder}/data", f"--socket={self._socket}", f"--pid-file={self.folder}/pid"]
        reach = ["--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve"]
        fast = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-log-bin"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(program("mariadbd")), "--no-defaults", *here, *reach, *fast, *_as_this_user()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "MariaDB does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; its connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextmanager
    def _root(self) -> Iterator[Any]:
        import pymysql

        with closing(pymysql.connect(user="root", unix_socket=str(self._socket), autocommit=True)) as connection:
            yield connection.cursor()


def _as_this_user() -> list[str]:
    """MariaDB runs as root only by request."""
    return ["--user=root"] if os.geteuid() == 0 else []
