"""Whether a URL can name a storage: told without opening it, since opening one makes files and tables."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from nas_fusion.errors import OptionError
from nas_fusion.studies.storage.optuna_storage import FORMS, without_password
from nas_fusion.system.places import check_file_place

SQLITE_MAGIC = b"SQLite format 3\0"
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
            raise OptionError("storage", "grpc://HOST:PORT, with the package grpcio installed", without_password(url))
    elif kind in _LOCAL:
        _check_file(_file(kind, parts, url), kind, url, is_there)
    else:
        _check_driver(url)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is none
    except ValueError as error:
        raise OptionError("storage", FORMS, url) from error
    if not parts.scheme or "://" not in url:
        raise OptionError("storage", FORMS, url)
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
    try:
        make_url(url).get_dialect().import_dbapi()
    except ImportError as error:
        raise OptionError("storage", f"a storage whose driver is installed ({error})", without_password(url)) from error
    except (ArgumentError, ValueError) as error:  # no such database, or no URL
        raise OptionError("storage", FORMS, without_password(url)) from error
