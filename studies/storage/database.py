"""Whether a study's database, ``optuna.db``, is whole: SQLite itself notices most damage only when it is too late."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from optuna.storages import BaseStorage
from sqlalchemy.exc import DatabaseError, OperationalError

from nas_fusion.errors import DamagedFileError

REMEDY = "move it away, and the same command goes on: finished cells are kept, but trials of a tuning are nowhere else"
JOURNAL_REMEDY = "SQLite needs it to undo what was interrupted; give back the right to it, or move away what is no file"
_WAIT_SECONDS = 30.0


def check_database(path: Path) -> None:
    """Refuse a file that is no database of SQLite's, or a damaged one. One that is not there is none.

    Raises:
        DamagedFileError: says what is wrong, and what to do; so it does of a journal beside it that cannot be opened.
    """
    _check_journal(path.with_name(f"{path.name}-journal"))
    if not path.exists():
        return
    if not path.is_file():
        raise DamagedFileError(path, "it is no file", REMEDY)
    if path.stat().st_size == 0:
        return  # a new one
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as database:
            (found,) = database.execute("pragma quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return  # busy, or away: whoever uses it will say so
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise DamagedFileError(path, f"damaged: {' '.join(str(found).split())}", REMEDY)


def _check_journal(journal: Path) -> None:
    """SQLite says of such a journal that the database cannot be opened, as it does of one that is away for a while."""
    try:
        mode = journal.lstat().st_mode
    except OSError:
        return  # there is none, which is usual
    usable = os.access(journal, os.R_OK | os.W_OK) or not os.path.lexists(journal)  # it may just have been deleted
    if not stat.S_ISREG(mode) or not usable:
        raise DamagedFileError(journal, "it is no file that can be read and written", JOURNAL_REMEDY)


def check_readable(path: Path, storage: BaseStorage) -> None:
    """Read all that a database says of studies and trials, so that what cannot be read is told of at once.

    Raises:
        DamagedFileError: a row holds something else than Optuna writes.
    """
    try:
        for study in storage.get_all_studies():
            storage.get_all_trials(study._study_id, deepcopy=False)
    except OperationalError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, DatabaseError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DamagedFileError(path, f"damaged: {reason}", REMEDY) from error
