"""Every error that nas-fusion raises on purpose.

All of them are `NasFusionError`, so that a caller can catch one class; each also inherits the builtin that it
stands for. The command line prints such an error as one line and exits with code 2.
"""

from __future__ import annotations

import difflib
import errno
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_SHOWN_FAILURES = 3
"""In one line; they are mostly alike."""


class NasFusionError(Exception):
    """Root of all errors raised on purpose."""


class OptionError(NasFusionError, ValueError):
    """An option or parameter has a value that is not allowed.

    Args:
        option: name of the option, as the user wrote it.
        expected: what is allowed.
        found: what was given.
    """

    def __init__(self, option: str, expected: str, found: object) -> None:
        super().__init__(f"{option} must be {expected}, got {found!r}")
        self.option, self.expected, self.found = option, expected, found


class DataError(NasFusionError, ValueError):
    """A log, or a data set made from it, cannot be used.

    Args:
        message: what was expected and what was found.
        path: the file, if one is to blame.
        row: 1-based line (text formats) or row (Parquet) in that file.
        column: name of the column.
    """

    def __init__(
        self, message: str, *, path: str | Path | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        place = [str(path)] if path is not None else []
        place += [f"line {row}"] if row is not None else []
        place += [f"column {column!r}"] if column is not None else []
        super().__init__(f"{', '.join(place)}: {message}" if place else message)
        self.path, self.row, self.column = path, row, column


class DesignError(NasFusionError, ValueError):
    """A fusion design is not legal, or does not belong to the space."""


class StudyError(NasFusionError, RuntimeError):
    """A study folder cannot be used as asked."""


class WriteError(StudyError):
    """A file or folder cannot be written: a full disk, no permission, no such folder.

    It is the machine's fault and not that of the cell that was being computed: a comparison stops, and can go on later.

    Args:
        path: what was to be written.
        reason: why it cannot be.
    """

    def __init__(self, path: str | Path, reason: object) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = Path(path)


class StorageError(StudyError):
    """A study's storage cannot be reached, and has been waited for in vain; the study can go on later."""


class NothingFinishedError(StudyError):
    """Not one cell of a comparison could be run, so there is nothing to report.

    Args:
        failures: the cells (`nas_fusion.records.FailedCell`).
    """

    def __init__(self, failures: Sequence[Any]) -> None:
        shown = "; ".join(failed.words for failed in failures[:_SHOWN_FAILURES])
        more = len(failures) - _SHOWN_FAILURES
        super().__init__(f"no cell could be run: {shown}" + (f"; and {more} more" if more > 0 else ""))
        self.failures = tuple(failures)


class DamagedFileError(StudyError):
    """A file of a study was changed or cut short since it was written.

    Args:
        path: the file.
        problem: what is wrong with it.
        remedy: what to do about it.
    """

    def __init__(self, path: str | Path, problem: object, remedy: str = "") -> None:
        super().__init__(f"{path}: {problem}" + (f"; {remedy}" if remedy else ""))
        self.path = Path(path)


class TrainingError(NasFusionError, RuntimeError):
    """A training run ended without a usable result (a non-finite loss or metric, for instance)."""


class StrategyError(NasFusionError, RuntimeError):
    """A strategy did what it must not do: it raised something, found no design, or did not stop.

    Args:
        strategy: its name.
        problem: what it did, in words, or the exception that it raised.
    """

    def __init__(self, strategy: str, problem: str | BaseException) -> None:
        self.strategy = strategy
        self.reason = problem if isinstance(problem, str) else words_of(problem)
        super().__init__(f"{strategy}: {self.reason}")


class UnknownNameError(NasFusionError, LookupError):
    """A name that is not registered; the message lists the known ones, nearest first."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=len(names) or 1, cutoff=0.4)
        ordered = near + [n for n in names if n not in near]
        hint = f"did you mean {near[0]!r}? " if near else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}known are {', '.join(ordered) or 'none'}")
        self.kind, self.name, self.known = kind, name, tuple(ordered)


LONGEST_WORDS = 500
"""Of an error's text, in a message of one line."""

_OF_THE_MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE,
)  # fmt: skip


def words_of(error: BaseException) -> str:
    """An error in one line: its text, behind its type if it is none that nas-fusion raises on purpose."""
    text = " ".join(str(error).split())
    if not isinstance(error, NasFusionError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]} …"


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error is the machine's fault, so that whatever else is tried would meet it, too.

    A full disk, a storage that is away, no more file handles. Out of memory is none: a supernet may not fit where a
    smaller model does.
    """
    if isinstance(error, OSError):
        return error.errno in _OF_THE_MACHINE
    return isinstance(error, (WriteError, StorageError, sqlite3.OperationalError))
