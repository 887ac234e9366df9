"""What an error of a storage means: it is away, its disk is full, or it will never answer."""

from __future__ import annotations

import errno
import os
import sys
from json import JSONDecodeError
from pathlib import Path

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DataError, NotSupportedError, ProgrammingError, SQLAlchemyError

from nas_fusion.errors import StorageError, WriteError
from nas_fusion.studies.storage.database_urls import PASSWORD_VARIABLE

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FREE_BYTES = 64 << 10
"""SQLite reports a full disk in several ways; with less space than this it is the disk."""

_FOR_GOOD = (
    "no such table", "no such column", "not a database", "malformed", "readonly database", "authentication failed",
    "no password supplied", "no pg_hba.conf entry", "does not exist", "Access denied", "Unknown database",
    "Name or service", "could not translate host name", "failed to resolve host", "Domain name not found",
)  # fmt: skip
"""Words of errors that waiting does not mend."""

_OF_PASSWORDS = ("authentication failed", "no password supplied", "Access denied for user")
_RPC_FOR_GOOD = ("UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED")
"""gRPC's codes of answers that stay as they are: there is something else than Optuna's proxy, for instance."""


def why_away(error: Exception, url: str, name: str) -> str | None:
    """Why a storage did not answer; None if it did, and the error is its answer.

    Args:
        error: of a call.
        url: of the storage.
        name: the URL as it may be shown.

    Raises:
        WriteError: its disk is full.
        StorageError: waiting would not help.
    """
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, SQLAlchemyError | OSError) and not _is_rpc(cause) and not _is_journal(error):
        return None
    reason = _first_line(cause)
    if _is_full(cause, reason, url):
        raise WriteError(_file_of(url) or name, "the disk is full") from error
    if _is_for_good(error, cause, reason):
        raise StorageError(f"{name}: the storage cannot be used: {reason}{_hint(reason)}") from error
    return reason


def _is_full(cause: BaseException | None, reason: str, url: str) -> bool:
    if getattr(cause, "errno", None) in _FULL:
        return True
    if not url.startswith("sqlite"):
        return False
    if "disk is full" in reason:
        return True
    unclear, database = "disk I/O error" in reason or "unable to open database file" in reason, _file_of(url)
    return unclear and database is not None and _free_bytes(database.parent) < _FREE_BYTES


def _file_of(url: str) -> Path | None:
    """The file, if the storage is one."""
    for form in ("sqlite:///", "journal://"):
        if url.startswith(form):
            return Path(url.removeprefix(form).partition("?")[0])
    return None


def _is_for_good(error: BaseException, cause: BaseException | None, reason: str) -> bool:
    if "already exists" in reason:  # several processes make the tables of a new database
        return False
    wrong = isinstance(error, ValueError) or isinstance(cause, DataError | NotSupportedError | ProgrammingError)
    return wrong or _rpc_code(cause) in _RPC_FOR_GOOD or any(words in reason for words in _FOR_GOOD)


def _hint(reason: str) -> str:
    of_password = any(words in reason for words in _OF_PASSWORDS)
    return f"; the user's password belongs in the environment variable {PASSWORD_VARIABLE}" if of_password else ""


def _rpc_code(error: BaseException | None) -> str:
    code = getattr(error, "code", None)
    return str(getattr(code(), "name", "")) if _is_rpc(error) and callable(code) else ""


def _first_line(error: BaseException | None) -> str:
    details = getattr(error, "details", None)  # gRPC's own words
    text = str(details() if callable(details) else getattr(error, "orig", None) or error).strip()
    return text.split("\n")[0] or type(error).__name__


def _is_rpc(error: BaseException | None) -> bool:
    grpc = sys.modules.get("grpc")
    return grpc is not None and isinstance(error, grpc.RpcError)


def _is_journal(error: BaseException) -> bool:
    """What Optuna's journal raises when its lock was taken away, or a line cannot be read."""
    if isinstance(error, JSONDecodeError):
        return True
    return type(error) in (RuntimeError, ValueError) and str(error) in (
        "Error: did not possess lock",
        "Invalid log format.",
    )


def _free_bytes(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return _FREE_BYTES
    return found.f_bavail * found.f_frsize
