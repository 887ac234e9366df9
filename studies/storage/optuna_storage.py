"""Optuna's storage of a study, on this machine or one that several machines share."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage
from sqlalchemy.exc import ArgumentError

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.studies.storage.database import check_database, check_readable
from nas_fusion.studies.storage.journal import WholeJournal
from nas_fusion.studies.storage.patience import patience
from nas_fusion.studies.storage.patient_storage import PatientStorage

METRIC = "validation AUC"
FORMS = "sqlite:///FILE, journal:///FILE, postgresql://…, mysql://… or grpc://HOST:PORT"
STUDY_ANEW = "the command that made the study puts it there again, and computes no finished cell a second time"
_GRPC_PORT = 13000
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def open_storage(url: str, seconds: float | None = None) -> PatientStorage:
    """The storage that a URL names; when it is away, its calls wait for it.

    ``journal:///FILE`` is Optuna's journal in a file, also on a network file system; ``grpc://HOST:PORT`` is Optuna's
    gRPC proxy; everything else is a database as SQLAlchemy names it.

    Args:
        url: of the storage.
        seconds: how long it is waited for; as the environment says if not given.

    Raises:
        OptionError: the URL has another form, or needs a package that is not installed.
        StorageError: the storage cannot be reached.
        WriteError: the disk is full.
        DamagedFileError: it is a database in a file that is damaged.
    """
    parts = urlsplit(url)
    if not parts.scheme or "://" not in url:
        raise OptionError("storage", FORMS, url)
    if parts.scheme == "sqlite" and parts.path and not Path(parts.path.removeprefix("/")).parent.is_dir():
        raise OptionError("storage", "sqlite:///FILE in a folder that exists", url)
    return PatientStorage(lambda: _connect(url), url, without_password(url), patience() if seconds is None else seconds)


def _connect(url: str) -> BaseStorage:
    parts = urlsplit(url)
    try:
        if parts.scheme == "journal":
            return _journal(parts.netloc + parts.path, url)
        if parts.scheme == "sqlite" and parts.path:
            return _sqlite(Path(parts.path.removeprefix("/")), url)
        if parts.scheme == "grpc":
            return GrpcStorageProxy(host=parts.hostname or "localhost", port=parts.port or _GRPC_PORT)
        return RDBStorage(url, engine_kwargs=_engine_options(parts))
    except (ImportError, ModuleNotFoundError) as error:
        raise OptionError("storage", f"a storage whose driver is installed ({error})", without_password(url)) from error
    except (ArgumentError, ValueError) as error:
        raise OptionError("storage", FORMS, without_password(url)) from error


def _engine_options(parts: SplitResult) -> dict[str, Any] | None:
    """Connections that were cut are noticed, and a machine that does not answer is not waited for without end."""
    if parts.scheme == "sqlite":
        return None
    options: dict[str, Any] = {"pool_pre_ping": True}
    if parts.scheme in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        given = parse_qs(parts.query)
        options["connect_args"] = {name: value for name, value in _LIBPQ.items() if name not in given}
    return options


def _sqlite(path: Path, url: str) -> RDBStorage:
    check_database(path)
    storage = RDBStorage(url)
    check_readable(path, storage)
    return storage


def _journal(path: str, url: str) -> JournalStorage:
    file = Path(path)
    if not path or file.is_dir() or not file.parent.is_dir():
        raise OptionError("storage", "journal:///FILE in a folder that exists", url)
    return JournalStorage(WholeJournal(str(file)))


def open_study(storage: BaseStorage, name: str, *, create: bool = True) -> optuna.Study:
    """A study that maximises the validation AUC.

    Raises:
        StudyError: it is not there and is not to be created.
    """
    if not create:
        try:
            return optuna.load_study(study_name=name, storage=storage)
        except KeyError as error:
            known = ", ".join(sorted(s.study_name for s in optuna.get_all_study_summaries(storage)))
            where = f"the storage {storage.name}" if isinstance(storage, PatientStorage) else "the storage"
            there = f"there are: {known}" if known else f"there are none: {STUDY_ANEW}"
            raise StudyError(f"{where} has no study {name!r}; {there}") from error
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([METRIC])
    return study


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))
