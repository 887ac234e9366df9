"""Optuna's storage of a study, on this machine or one that several machines share."""

from __future__ import annotations

import warnings
from pathlib import Path
from urllib.parse import urlsplit

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.studies.storage.database import check_database, check_readable
from nas_fusion.studies.storage.database_urls import as_connected, missing_driver
from nas_fusion.studies.storage.journal import WholeJournal
from nas_fusion.studies.storage.patience import patience
from nas_fusion.studies.storage.patient_storage import PatientStorage
from nas_fusion.studies.storage.proxy import DEFAULT_PORT, LivelyProxy
from nas_fusion.system.passwords import without_password

METRIC = "validation AUC"
FORMS = "sqlite:///FILE, journal:///FILE, postgresql://…, mysql://… or grpc://HOST:PORT"
STUDY_ANEW = "the command that made the study puts it there again, and computes no finished cell a second time"
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_PYMYSQL = {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60}
_NOTICE_ABSENCE = {"psycopg": _LIBPQ, "psycopg2": _LIBPQ, "pymysql": _PYMYSQL}
"""Driver → options with which a machine that does not answer is not waited for without end."""


def no_storage(url: str) -> OptionError:
    """What is raised of a text that names no storage."""
    shown = without_password(url if "://" in url else f"://{url}").removeprefix("://")
    return OptionError("storage", FORMS, shown)


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
        raise no_storage(url)
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
            return LivelyProxy(host=parts.hostname or "localhost", port=parts.port or DEFAULT_PORT)
        return _database(as_connected(url))
    except (ImportError, ModuleNotFoundError) as error:
        raise OptionError("storage", missing_driver(url, error), without_password(url)) from error
    except (ArgumentError, ValueError) as error:
        raise no_storage(url) from error


def _database(url: URL) -> RDBStorage:
    """Connections that were cut are noticed, and a machine that does not answer is not waited for without end."""
    text = url.render_as_string(hide_password=False)
    if url.get_backend_name() == "sqlite":
        return RDBStorage(text)
    timeouts = {n: v for n, v in _NOTICE_ABSENCE.get(url.get_driver_name(), {}).items() if n not in url.query}
    return RDBStorage(text, engine_kwargs={"pool_pre_ping": True, "connect_args": timeouts})


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
