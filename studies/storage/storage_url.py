"""Whether a URL can name a storage: told without opening it, since opening one makes files and tables."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from nas_fusion.errors import OptionError
from nas_fusion.studies.storage.database_urls import (
    as_connected,
    missing_driver,
    warn_of_shown_password,
)
from nas_fusion.studies.storage.optuna_storage import no_storage
from nas_fusion.system.passwords import without_password
from nas_fusion.system.places import check_file_place

SQLITE_MAGIC = b"SQLite format 3\0"
GRPC = "grpc://HOST:PORT, with the package grpcio installed (pip install '.[grpc]' in nas-fusion's folder)"
QUOTED = "a URL with one @; in a user's name or password, %40 stands for @, %2F for /, %3A for :"
_LOCAL = ("sqlite", "journal")


def check_storage(url: str, *, is_there: bool = False) -> None:
    """Refuse a URL that names no storage, or one that this installation cannot use. Writes nothing.

    Args:
        url: of Optuna's storage.
        is_there: whether the storage has to be there already, because somebody else made it.

    Raises:
        OptionError: it names none; says what is wrong, without a password.
    """
    parts = _split(url)
    kind = parts.scheme.partition("+")[0]
    if kind == "grpc":
        if not parts.hostname or find_spec("grpc") is None:
            raise OptionError("storage", GRPC, without_password(url))
    elif kind in _LOCAL:
        _check_file(_file(kind, parts, url), kind, url, is_there)
    else:
        _check_driver(url)
        warn_of_shown_password(url)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is none
    except ValueError as error:
        raise no_storage(url) from error
    if not parts.scheme or "://" not in url:
        raise no_storage(url)
    return parts


def _file(kind: str, parts: SplitResult, url: str) -> Path:
    if kind == "sqlite":
        name = make_url(url).database or ""
        if parts.netloc or not name or name == ":memory:":  # what only one process sees
            raise OptionError("storage", "sqlite:///FILE", url)
    else:
        name = parts.netloc + parts.path
        if not name:
            raise OptionError("storage", "journal:///FILE", url)
    return Path(name)


def _check_file(file: Path, kind: str, url: str, is_there: bool) -> None:
    check_file_place("storage", file)
    if is_there and not file.is_file():
        raise OptionError("storage", "one that is there already, and there is no such file", url)
    if kind == "sqlite" and file.is_file() and file.stat().st_size:
        with file.open("rb") as found:
            if found.read(len(SQLITE_MAGIC)) != SQLITE_MAGIC:
                raise OptionError("storage", "a SQLite database, and the file is none", url)


def _check_driver(url: str) -> None:
    if url.partition("?")[0].count("@") > 1:  # what is before the last one would be taken for a host, and be shown
        raise OptionError("storage", QUOTED, without_password(url))
    try:
        as_connected(url).get_dialect().import_dbapi()
    except ImportError as error:
        raise OptionError("storage", missing_driver(url, error), without_password(url)) from error
    except (ArgumentError, ValueError) as error:  # no such database, or no URL
        raise no_storage(url) from error
