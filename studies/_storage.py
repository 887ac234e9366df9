"""Optuna's storage of a study, on this machine or one that several machines share."""

from __future__ import annotations

import warnings
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from nas_fusion.errors import OptionError, StudyError

METRIC = "validation AUC"
FORMS = "sqlite:///FILE, journal:///FILE, postgresql://…, mysql://… or grpc://HOST:PORT"
_GRPC_PORT = 13000


def open_storage(url: str) -> BaseStorage:
    """The storage that a URL names.

    ``journal:///FILE`` is Optuna's journal in a file, also on a network file system; ``grpc://HOST:PORT`` is Optuna's
    gRPC proxy; everything else is a database as SQLAlchemy names it.

    Raises:
        OptionError: the URL has another form, or needs a package that is not installed.
        StudyError: the storage cannot be reached.
    """
    parts = urlsplit(url)
    if not parts.scheme or "://" not in url:
        raise OptionError("storage", FORMS, url)
    try:
        if parts.scheme == "journal":
            return _journal(parts.netloc + parts.path, url)
        if parts.scheme == "grpc":
            return GrpcStorageProxy(host=parts.hostname or "localhost", port=parts.port or _GRPC_PORT)
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True} if parts.scheme != "sqlite" else None)
    except (ImportError, ModuleNotFoundError) as error:
        raise OptionError("storage", f"a storage whose driver is installed ({error})", without_password(url)) from error
    except (ArgumentError, ValueError) as error:
        raise OptionError("storage", FORMS, without_password(url)) from error
    except (SQLAlchemyError, OSError) as error:
        reason = str(error).split("\n")[0]
        raise StudyError(f"{without_password(url)}: the storage cannot be reached: {reason}") from error


def _journal(path: str, url: str) -> JournalStorage:
    file = Path(path)
    if not path or file.is_dir() or not file.parent.is_dir():
        raise OptionError("storage", "journal:///FILE in a folder that exists", url)
    return JournalStorage(JournalFileBackend(str(file)))


def open_study(storage: BaseStorage, name: str, *, create: bool = True) -> optuna.Study:
    """A study that maximises the validation AUC.

    Raises:
        StudyError: it is not there and is not to be created.
    """
    if not create:
        try:
            return optuna.load_study(study_name=name, storage=storage)
        except KeyError as error:
            known = ", ".join(sorted(s.study_name for s in optuna.get_all_study_summaries(storage))) or "none"
            raise StudyError(f"the storage has no study {name!r}; there are: {known}") from error
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
