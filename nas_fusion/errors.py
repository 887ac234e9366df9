"""Every error that nas-fusion raises on purpose.

All of them are `NasFusionError`, so that a caller can catch one class; each also inherits the builtin that it
stands for. The command line prints such an error as one line and exits with code 2.

Messages quote what users, files and libraries say through `shown`, `plain` and `listed`: shortened, and without
characters that a terminal would obey.
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

LONGEST_QUOTE = 200
"""Characters of a value, a cell or a file that a message shows at most."""

MOST_NAMES = 40
"""Names that a message lists at most."""

LONGEST_NAME = 60
"""Characters of each of them."""

LONGEST_MESSAGE = 2000
"""Characters of a line about an error."""

_LONGEST_INTEGER = 600
"""Bits of an integer that a message still shows digit by digit."""


def shortened(text: str, most: int = LONGEST_QUOTE) -> str:
    """The text, with its middle left out where it has more than `most` characters."""
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def shown(value: object) -> str:
    """A value as a message quotes it: its ``repr``, shortened to `LONGEST_QUOTE` characters."""
    if isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER:
        return f"an integer of {value.bit_length():,} bits"
    # Only the ends of a long text are shown, so there is no need to escape all of it.
    if isinstance(value, str | bytes) and len(value) > 2 * LONGEST_QUOTE:
        middle: Any = "…" if isinstance(value, str) else b"..."
        value = value[:LONGEST_QUOTE] + middle + value[-LONGEST_QUOTE:]
    return shortened(repr(value))


def harmless(text: str) -> str:
    """A text whose characters that are not printable (controls, escapes, half of a pair) are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def plain(text: str) -> str:
    """A `harmless` text in one line, one space between words."""
    return harmless(" ".join(text.split()))


def one_line(message: str) -> str:
    """A whole message as it is printed: `plain`, no word and not the line itself too long."""
    words = (shortened(word, LONGEST_QUOTE) for word in plain(message).split(" "))
    return shortened(" ".join(words), LONGEST_MESSAGE)


def listed(names: Iterable[object]) -> str:
    """Names with commas between them: the first `MOST_NAMES`, and how many more there are; "none" without any."""
    every = [shortened(plain(str(name)), LONGEST_NAME) for name in names]
    more = len(every) - MOST_NAMES
    return ", ".join(every[:MOST_NAMES] + ([f"and {more:,} more"] if more > 0 else [])) or "none"


class NasFusionError(Exception):
    """Root of all errors raised on purpose."""


class UsageError(NasFusionError):
    """A command line that cannot be read: says which option, what is allowed and what was given."""


class OptionError(NasFusionError, ValueError):
    """An option or parameter has a value that is not allowed.

    Args:
        option: name of the option, as the user wrote it.
        expected: what is allowed.
        found: what was given.
    """

    def __init__(self, option: str, expected: str, found: object) -> None:
        super().__init__(f"{option} must be {expected}, got {shown(found)}")
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
        place = [shortened(str(path))] if path is not None else []
        place += [f"line {row}"] if row is not None else []
        place += [f"column {shown(column)}"] if column is not None else []
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


class LostRankError(StudyError):
    """A process of several that trained together is gone, so that the others end, too; the same command goes on."""


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


class MissingPackageError(NasFusionError, ImportError):
    """A package that only an optional part needs is not installed.

    Args:
        needed_by: what needs it, as the user asked for it.
        package: its name, as it is installed.
        extra: the extra of nas-fusion that has it.
        problem: how its import failed, if it was tried.
    """

    def __init__(self, needed_by: str, package: str, extra: str, problem: object = "") -> None:
        how = f"pip install '.[{extra}]' in nas-fusion's folder, or pip install {package}"
        super().__init__(
            f"{needed_by} needs {package}, which is not installed: {how}" + (f" ({problem})" if problem else "")
        )
        self.package, self.extra = package, extra


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
        near = difflib.get_close_matches(name[:LONGEST_QUOTE], names, n=len(names) or 1, cutoff=0.4)
        ordered = near + [n for n in names if n not in near]
        hint = f"did you mean {shown(near[0])}? " if near else ""
        super().__init__(f"unknown {kind} {shown(name)}: {hint}known are {listed(ordered)}")
        self.kind, self.name, self.known = kind, name, tuple(ordered)


LONGEST_WORDS = 500
"""Of an error's text, in a message of one line."""

_OF_THE_MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE,
)  # fmt: skip


NEAR = 0.4
"""Names that agree to this share with what was asked for are offered first."""


def nearest_first(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """All known names, those that look like a wanted one first."""
    looked_for = [w[:LONGEST_QUOTE] for w in wanted]
    ratios = [
        -max(difflib.SequenceMatcher(None, w, name[:LONGEST_QUOTE].lower()).ratio() for w in looked_for)
        for name in known
    ]
    near = [name for ratio, name in sorted(zip(ratios, known, strict=True)) if ratio <= -NEAR]
    return near + [name for name in known if name not in near]


def words_of(error: BaseException) -> str:
    """An error in one line: its text, after its type unless nas-fusion raises it on purpose."""
    text = " ".join(str(error).split())
    if not isinstance(error, NasFusionError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]} …"


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error is the machine's fault, so that whatever else is tried would meet it, too.

    A full disk, a storage that is away, no more file handles, a lost process of several. Out of memory is none: a
    supernet may not fit where a smaller model does.
    """
    if isinstance(error, OSError):
        return error.errno in _OF_THE_MACHINE
    return isinstance(error, (WriteError, StorageError, LostRankError, sqlite3.OperationalError))
