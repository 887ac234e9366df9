"""NNI's remote service: the machines that its manager reaches by ssh.

What NNI leaves out, or does wrong, is in ``remote_machines.js``. Here is what is looked at before anything starts: each
machine has to be known (``known_hosts``), as for OpenSSH itself. And passwords go to the manager by its environment,
not by the experiment, which it stores and shows to everybody on this machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nas_fusion.errors import OptionError

SCRIPT = Path(__file__).with_name("remote_machines.js")
_VARIABLE = "NASFUSION_MACHINES"
_SSH_PORT = 22
_RSA = ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
"""Ways of signing with the one kind of key that has several."""

_SECRETS = {"password": "password", "sshPassphrase": "passphrase"}


def are_remote(experiment: Mapping[str, Any]) -> bool:
    """Whether an experiment's trials run on machines that the manager reaches by ssh."""
    service = experiment["trainingService"]
    return isinstance(service, dict) and service["platform"] == "remote" and not service.get("reuseMode")


def take_machines(experiment: dict[str, Any], why: Path, *, forward: bool) -> dict[str, str]:
    """What the manager has to have in its environment; the experiment has no passwords afterwards.

    Args:
        experiment: as `nas_fusion.nni_bridge.ServiceSettings.experiment` gives it.
        why: the file in which the manager says why it has ended.
        forward: whether the machines reach the manager through ssh, too, and not over the network.

    Raises:
        OptionError: a machine is not known; says how to make it known.
    """
    machines = [_taken(machine) for machine in experiment["trainingService"]["machineList"]]
    content = {"machines": machines, "forward": forward, "why": str(why), "version": version("nni")}
    return {_VARIABLE: json.dumps(content)}


def refuse_passwords(experiment: Mapping[str, Any]) -> None:
    """Of services whose passwords NNI would store and show.

    Raises:
        OptionError: there is one.
    """
    services = experiment["trainingService"]
    for service in services if isinstance(services, list) else [services]:
        for machine in service.get("machineList") or []:
            if any(machine.get(name) for name in _SECRETS):
                allowed = "sshKeyFile of a key without a passphrase, since NNI would show a password to everybody"
                raise OptionError(f"machineList, {machine['host']}", allowed, "a password")


def _taken(machine: dict[str, Any]) -> dict[str, Any]:
    keys = _known_keys(machine)
    algorithms = [a for kind in dict(keys) for a in (_RSA if kind == "ssh-rsa" else [kind])]
    secrets = {ours: machine.pop(nnis) for nnis, ours in _SECRETS.items() if machine.get(nnis) is not None}
    whose = {name: machine[name] for name in ("host", "port", "user")}
    return {**whose, **secrets, "keys": [key for _, key in keys], "algorithms": algorithms}


def _known_keys(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    host, port = machine["host"], machine["port"]
    program = shutil.which("ssh-keygen")
    if program is None:
        raise OptionError("machineList", "on a machine with OpenSSH's ssh-keygen, which looks into known_hosts", host)
    name = host if port == _SSH_PORT else f"[{host}]:{port}"
    found = [key for file in _files() for key in _keys_in(file, program, name)]
    revoked = {key for marker, _, key in found if marker == "@revoked"}
    keys = [(kind, key) for marker, kind, key in found if not marker and key not in revoked]
    if not keys:
        how = f"ssh -p {port} {machine['user']}@{host} true"
        known = f"machines whose keys are in known_hosts; look at the key once, by `{how}`"
        raise OptionError("machineList", known, f"{host}:{port}")
    return keys


def _files() -> list[Path]:
    return [file for file in (Path.home() / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts")) if file.is_file()]


def _keys_in(file: Path, program: str, name: str) -> list[tuple[str, str, str]]:
    """Marker, kind and key of each line for a name; names may be hashed."""
    asked = [program, "-F", name, "-f", str(file)]
    lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    found = []
    for line in lines:
        parts = line.split()
        marker = parts.pop(0) if parts and parts[0].startswith("@") else ""
        if len(parts) >= 3 and not parts[0].startswith("#"):
            found.append((marker, parts[1], parts[2]))
    return found
