"""Write files and folders whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.errors import StudyError, WriteError

if TYPE_CHECKING:
    from torch import Tensor


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary = _temporary(path)
    try:
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`: a reader sees the old file or the new one, never a part.

    Raises:
        WriteError: the file cannot be written (no such folder, no permission, a full disk).
    """
    with _replacing(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a dictionary of tensors in torch's format, whole or not at all.

    Raises:
        WriteError: the file cannot be written.
    """
    import torch

    with _replacing(Path(path)) as temporary:
        try:
            torch.save(dict(tensors), temporary)
        except RuntimeError as error:  # torch reports a full disk as a RuntimeError of its own writer
            raise WriteError(path, error) from error


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read what `save_tensors` wrote; nothing but tensors is unpickled.

    Raises:
        StudyError: the file cannot be read.
    """
    from pickle import UnpicklingError

    import torch

    try:
        found: dict[str, Tensor] = torch.load(Path(path), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise StudyError(f"cannot read {path}: {(str(error) or type(error).__name__).splitlines()[0]}") from error
    return found


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder under a temporary name; it gets its own name, replacing an older one, when the block ends well.

    Raises:
        WriteError: the folder cannot be written.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error
