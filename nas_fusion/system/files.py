"""Write files and folders whole or not at all, and read them without trusting them.

Nothing is written through a symbolic link: a folder may be a stranger's, or be shared with one. A file that is replaced
is written under a name that nobody can foresee, and what a killed process left of it is told from what a living one
writes by the lock that the living one holds on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nas_fusion.errors import DamagedFileError, StudyError, WriteError

if TYPE_CHECKING:
    from torch import Tensor

IS_A_LINK = "it is a symbolic link, and nothing is written through one"
_TEMPORARY = ".tmp"


def refuse_link(path: Path) -> None:
    """Refuse to write to a symbolic link.

    Raises:
        WriteError: it is one.
    """
    if path.is_symlink():
        raise WriteError(path, IS_A_LINK)


class LockedError(StudyError):
    """Another process holds a lock that is not waited for."""


@contextmanager
def lock_file(path: str | Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock that the operating system releases when its process dies; the file stays, with what is in it.

    Two blocks of one process keep each other out, too.

    Args:
        path: the file; made if need be.
        wait: until it is free.

    Raises:
        LockedError: it is taken and not to be waited for.
        WriteError: the file is a symbolic link, or cannot be made or locked.
    """
    path = Path(path)
    refuse_link(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            os.close(descriptor)
            raise
    except BlockingIOError as error:
        raise LockedError(f"{path} is locked by another process") from error
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error
    try:
        yield
    finally:
        os.close(descriptor)


# Writing -------------------------------------------------------------------------------------------------------------


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`: a reader sees the old file or the new one, never a part.

    A link at `path` is replaced, not followed.

    Raises:
        WriteError: the file cannot be written (no such folder, no permission, a full disk).
    """
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def save_tensors(path: str | Path, tensors: Mapping[str, Any]) -> None:
    """Write a dictionary of tensors, or of others' plain values and tensors, in torch's format, whole or not at all.

    Raises:
        WriteError: the file cannot be written.
    """
    import torch

    with new_file(path) as temporary:
        try:
            torch.save(dict(tensors), temporary)
        except RuntimeError as error:  # torch reports a full disk as a RuntimeError of its own writer
            raise WriteError(path, error) from error


def open_new(path: Path) -> IO[bytes]:
    """A new, empty file to write bytes to; an older one of its name, or a link, is removed.

    Raises:
        WriteError: it cannot be made.
    """
    try:
        path.unlink(missing_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb")
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder under a temporary name; it gets its own name, replacing an older one, when the block ends well.

    Raises:
        WriteError: the folder cannot be written.
    """
    path = Path(path)
    try:
        refuse_link(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _held(path, os.mkdir) as temporary:
            try:
                yield temporary
                if path.exists():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                os.replace(temporary, path)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, if it is there; a link is refused.

    Raises:
        WriteError: it cannot be removed.
    """
    refuse_link(path)
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error


@contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A hidden folder that is gone behind the block; `sweep` removes it if the process is killed.

    Raises:
        WriteError: it cannot be made.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(_held(parent / name, os.mkdir))
        except OSError as error:
            raise WriteError(parent / name, error.strerror or error) from error
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes left in a folder; those of living ones stay."""
    for path in folder.glob(f".*{_TEMPORARY}"):
        with suppress(OSError):  # another process sweeps, too, or it is a link, which is nobody's
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Fill a file under a temporary name; it gets its own name, replacing an older one, when the block ends well.

    Raises:
        WriteError: the file cannot be written.
    """
    path = Path(path)
    try:
        with _held(path, _make_file) as temporary:
            try:
                yield temporary
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error


@contextmanager
def _held(path: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """A new file or folder beside `path` under a name of its own, locked as long as the block lasts."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_TEMPORARY}")
        make(temporary)
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with suppress(OSError):  # a file system without locks: nobody sweeps there either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            break
        os.close(descriptor)  # swept before it was locked
    try:
        yield temporary
    finally:
        os.close(descriptor)


def _make_file(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


# Reading -------------------------------------------------------------------------------------------------------------


def read_text(path: str | Path, remedy: str = "") -> str:
    """The text of a file in UTF-8.

    Args:
        path: the file.
        remedy: what a user can do if it is damaged, for the message.

    Raises:
        DamagedFileError: it is missing, cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_text("utf-8")
    except FileNotFoundError as error:
        raise DamagedFileError(path, "the file is missing", remedy) from error
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read ({error.strerror or error})", remedy) from error
    except UnicodeDecodeError as error:
        raise DamagedFileError(path, f"damaged: not UTF-8 text (byte {error.start})", remedy) from error


def read_json(path: str | Path, remedy: str = "") -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        DamagedFileError: it is missing, cannot be read, or holds something else.
    """
    text = read_text(path, remedy)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(path, f"damaged: not JSON ({error})", remedy) from error
    if not isinstance(content, dict):
        raise DamagedFileError(path, f"damaged: not a JSON object but {type(content).__name__}", remedy)
    return content


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read what `save_tensors` wrote; nothing but tensors is unpickled.

    Raises:
        DamagedFileError: the file cannot be read, or holds something else.
    """
    from pickle import UnpicklingError

    import torch

    try:
        tensors = torch.load(Path(path), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError, LookupError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DamagedFileError(path, f"no tensors can be read from it ({reason})") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise DamagedFileError(path, "it holds no dictionary of tensors")
    return tensors
