"""Whether a file or a folder could be written where a user wants it; nothing is written to find out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nas_fusion.errors import OptionError


def is_file(option: str, path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        OptionError: the system allows no such path.
    """
    return _told(option, path, Path.is_file)


def is_folder(option: str, path: Path) -> bool:
    """Whether there is such a folder.

    Raises:
        OptionError: the system allows no such path.
    """
    return _told(option, path, Path.is_dir)


def _told(option: str, path: Path, question: Callable[[Path], bool]) -> bool:
    try:
        return question(path)
    except OSError as error:
        raise _not_allowed(option, path, error) from error


def check_file_place(option: str, path: Path) -> None:
    """Refuse a path at which no file could be written.

    Raises:
        OptionError: it is a folder, or its folder is not there or may not be written to; or no path may be like it.
    """
    try:
        if path.is_dir():
            raise OptionError(option, "a file", str(path))
        is_there = path.parent.is_dir()
        path.exists()
    except OSError as error:
        raise _not_allowed(option, path, error) from error
    if not is_there:
        raise OptionError(option, "a file in a folder that exists", str(path))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OptionError(option, "a file in a folder that may be written to", str(path))


def check_folder_place(option: str, path: Path) -> None:
    """Refuse a path at which no folder is and none could be made.

    Raises:
        OptionError: it is a file or lies in one, or may not be written to, or the system allows no such path.
    """
    try:
        nearest = path
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
    except OSError as error:
        raise _not_allowed(option, path, error) from error
    if not nearest.is_dir():
        raise OptionError(option, f"a folder, and {nearest} is a file", str(path))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OptionError(option, "a folder that may be written to", str(path))


def _not_allowed(option: str, path: Path, error: OSError) -> OptionError:
    return OptionError(option, f"a path that the system allows ({error.strerror})", str(path))
