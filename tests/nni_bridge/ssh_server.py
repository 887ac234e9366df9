"""An ssh server of the tests' own, on loopback: a machine on which NNI's remote service may run trials."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.command_process import PATIENCE_SECONDS

HOST = "127.0.0.1"
PASSPHRASE = "an open secret of the tests"
_NEEDED = ("sshd", "ssh", "ssh-keygen")


def program(name: str) -> str | None:
    """A program of OpenSSH's; Debian puts the server where only root's path looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


class SshServer:
    """A server that lets this user in, by a key with a passphrase.

    Whoever logs in has a home folder of his own, this interpreter, and this package.

    Args:
        folder: its own.
        port: a free one.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.user = getpass.getuser()
        self.there = folder / "a home there"
        self.here = folder / "home"
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> list[str]:
        """What this machine lacks for it."""
        return [name for name in _NEEDED if program(name) is None]

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[SshServer]:
        """A new server, which is gone behind the block."""
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        server = cls(Path(tempfile.mkdtemp(prefix="nasfusion-ssh-", dir="/tmp")), port)
        try:
            server._set_up()
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(server.folder)

    @property
    def key(self) -> Path:
        """The user's key."""
        return self.folder / "key"

    def machine(self, **more: object) -> dict[str, object]:
        """As NNI's configuration has it."""
        access = {"sshKeyFile": str(self.key), "sshPassphrase": PASSPHRASE}
        return {"host": HOST, "port": self.port, "user": self.user, **access, **more}

    def lets_in(self) -> bool:
        """Whether a login works; a locked account may not log in."""
        options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={self._known_hosts}", "-i", str(self._open_key)]
        asked = [str(program("ssh")), "-F", "none", *options, "-p", str(self.port), f"{self.user}@{HOST}", "true"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself up; the system makes it at boot
        self._process = subprocess.Popen(
            [str(program("sshd")), "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.folder / "log")],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "sshd does not answer"
            time.sleep(0.1)

    @property
    def is_stopped(self) -> bool:
        """Whether nobody listens."""
        return self._process is None

    def cut(self) -> None:
        """Cut the connections; new ones are let in."""
        assert self._process is not None
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def stop(self) -> None:
        """Stop it; its connections are cut."""
        if self._process is not None:
            server = psutil.Process(self._process.pid)
            server.suspend()  # no new connection in between
            self.cut()
            server.kill()
            self._process.wait()
            self._process = None

    def is_known_as(self, name: str, port: int, key: str = "host.pub") -> None:
        """Let the user who starts searches know a machine by a key."""
        kind, text, *_ = (self.folder / key).read_text().split()
        with self._known_hosts.open("a") as known:
            known.write(f"[{name}]:{port} {kind} {text}\n")

    @property
    def _known_hosts(self) -> Path:
        return self.here / ".ssh" / "known_hosts"

    @property
    def _open_key(self) -> Path:
        return self.folder / "open"

    def _set_up(self) -> None:
        self.there.mkdir()
        self._known_hosts.parent.mkdir(parents=True)
        for name, passphrase in (("host", ""), ("other", ""), ("open", ""), ("key", PASSPHRASE)):
            make = [str(program("ssh-keygen")), "-q", "-t", "ed25519", "-a", "1", "-N", passphrase]
            subprocess.run([*make, "-f", str(self.folder / name)], check=True)
        keys = [(self.folder / name).read_text() for name in ("key.pub", "open.pub")]
        (self.folder / "authorized").write_text("".join(keys))
        self.is_known_as(HOST, self.port)
        package = Path(__file__).parents[2]
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        settings = {
            "ListenAddress": f"{HOST}:{self.port}",
            "HostKey": self.folder / "host",
            "AuthorizedKeysFile": self.folder / "authorized",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "Subsystem": "sftp internal-sftp",
            "SetEnv": f'"HOME={self.there}" "PATH={path}" "PYTHONPATH={package}" OMP_NUM_THREADS=1',
        }
        (self.folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0


@contextmanager
def ssh_server() -> Iterator[SshServer]:
    """A server, or why there is none: a text for `pytest.skip`."""
    import pytest

    if lacking := SshServer.missing():
        pytest.skip(f"no {', '.join(lacking)} on this machine")
    with SshServer.running() as server, pytest.MonkeyPatch.context() as patch:
        if not server.lets_in():
            pytest.skip(f"the account of {server.user} may not log in by ssh")
        patch.setenv("HOME", str(server.here))
        yield server
