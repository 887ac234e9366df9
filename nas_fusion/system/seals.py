"""Checksums over what a study keeps, so that a changed digit is noticed when it is read.

They guard against accidents: a bad disk, a half-copied folder, an editor. Whoever can write to a folder can also make a
checksum fit, so they say nothing about who wrote a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas_fusion.errors import DamagedFileError
from nas_fusion.system.files import read_json

SEAL = "sha256"
"""The key under which a checksum stands beside the content that it is of."""

CHANGED = "damaged: its checksum does not fit, so it was changed since it was written"
_BLOCK = 1 << 20


class SealError(ValueError):
    """Content does not have the checksum that it says it has."""


def digest(content: Mapping[str, Any]) -> str:
    """The checksum of plain values, which does not depend on the order of keys and on white space."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sealed(content: Mapping[str, Any], default: Callable[[Any], Any] | None = None) -> str:
    """JSON text of values with their checksum; floats keep every digit.

    Args:
        content: keys are texts.
        default: as of `json.dumps`.
    """
    plain = json.loads(json.dumps(content, default=default))  # as it will be read
    return json.dumps({**plain, SEAL: digest(plain)}, indent=1)


def unsealed(content: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """Values without their checksum, which is compared.

    Raises:
        SealError: it does not fit, or there is none and there must be one.
    """
    rest = dict(content)
    seal = rest.pop(SEAL, None)
    if seal is None and required:
        raise SealError("damaged: it has no checksum")
    if seal is not None and seal != digest(rest):
        raise SealError(CHANGED)
    return rest


def read_sealed(path: Path, remedy: str = "", *, required: bool = True) -> dict[str, Any]:
    """The JSON object in a file that `sealed` wrote, without its checksum.

    Raises:
        DamagedFileError: it is missing, cannot be read, or was changed.
    """
    try:
        return unsealed(read_json(path, remedy), required=required)
    except SealError as error:
        raise DamagedFileError(path, error, remedy) from error


def seal_of_file(path: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum.update(block)
    return {"bytes": path.stat().st_size, SEAL: checksum.hexdigest()}


def check_file(path: Path, seal: Mapping[str, Any], remedy: str = "", *, largest: int | None = None) -> None:
    """Compare a file with its size and checksum.

    Args:
        path: the file.
        seal: of `seal_of_file`.
        remedy: for the message.
        largest: of a larger file, in bytes, only the size is compared.

    Raises:
        DamagedFileError: it is missing, cannot be read, or was changed.
    """
    try:
        size = path.stat().st_size
        whole = largest is None or size <= largest
        fits = size == seal["bytes"] and (not whole or seal_of_file(path)[SEAL] == seal[SEAL])
    except FileNotFoundError as error:
        raise DamagedFileError(path, "the file is missing", remedy) from error
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read ({error.strerror or error})", remedy) from error
    if not fits:
        raise DamagedFileError(path, CHANGED, remedy)
