"""Where the files of a saved model lie: in a folder, or in one zip of it. They are read, and never executed."""

from __future__ import annotations

import hashlib
import json
import lzma
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file
from torch import Tensor

from nas_fusion.errors import DamagedFileError, DataError
from nas_fusion.system.files import read_json, read_text
from nas_fusion.system.seals import CHANGED, SEAL, SealError, check_file, unsealed

MANIFEST, SCHEMA, WEIGHTS = "model.json", "schema.json", "weights.safetensors"
README, DESIGN, DRAWING = "README.md", "design.json", "design.svg"
VOCABULARIES = "vocabularies"
PROFILE = "profile.json"

ZIP_ERRORS = (OSError, zipfile.BadZipFile, NotImplementedError, ValueError)

LARGEST_TEXT = 1 << 28
"""Bytes of a manifest or a schema in a zip; a log of ten thousand columns needs a hundredth of it."""


def vocabulary_name(field: int) -> str:
    """The file of the vocabulary of the field at this position."""
    return f"{VOCABULARIES}/{field:03d}.parquet"


def index_name(field: int) -> str:
    """The file of the order of that vocabulary, if it is a long one."""
    return f"{VOCABULARIES}/{field:03d}.index.arrow"


class ModelFiles(ABC):
    """The files of one saved model.

    Args:
        path: the folder or the zip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, name: str) -> Path:
        """What messages call a file."""
        return self.path / name

    def manifest(self) -> dict[str, Any]:
        """What ``model.json`` says; its checksum is compared.

        Raises:
            DamagedFileError: it is missing, cannot be read, or was changed.
        """
        content = self.json(MANIFEST)
        try:
            return unsealed(content)
        except SealError as error:
            raise DamagedFileError(self.place(MANIFEST), error) from error

    @abstractmethod
    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in a file.

        Raises:
            DamagedFileError: it is missing, cannot be read, or holds something else.
        """

    @abstractmethod
    def text(self, name: str) -> str:
        """The text in a file.

        Raises:
            DamagedFileError: it is missing, or cannot be read.
        """

    @abstractmethod
    def check(self, name: str, seal: Mapping[str, Any], *, largest: int | None = None) -> None:
        """Compare a file with its size and checksum; of one of more than `largest` bytes, only the size.

        Raises:
            DamagedFileError: it is missing, cannot be read, or was changed.
        """

    @abstractmethod
    def table(self, name: str) -> pa.Table:
        """The Arrow table in a Parquet file.

        Raises:
            DamagedFileError: it is missing or holds none.
        """

    @abstractmethod
    def batch(self, name: str) -> pa.RecordBatch:
        """The record batch in a file of Arrow's format, which may be mapped into memory.

        Raises:
            DamagedFileError: it is missing or holds none.
        """

    @abstractmethod
    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors in a file, which may be mapped into memory.

        Raises:
            DamagedFileError: it is missing or holds none.
        """


class FolderFiles(ModelFiles):
    """The files in a folder."""

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in a file."""
        return read_json(self.path / name)

    def text(self, name: str) -> str:
        """The text in a file."""
        return read_text(self.path / name)

    def check(self, name: str, seal: Mapping[str, Any], *, largest: int | None = None) -> None:
        """Compare a file with its size and checksum."""
        check_file(self.path / name, seal, largest=largest)

    def table(self, name: str) -> pa.Table:
        """The Arrow table in a Parquet file."""
        try:
            return pq.read_table(self.path / name, memory_map=True, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise _no_table(self.place(name), error) from error

    def batch(self, name: str) -> pa.RecordBatch:
        """The record batch in a file, mapped into memory."""
        try:
            return _only_batch(pa.memory_map(str(self.path / name)))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _no_table(self.place(name), error) from error

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors in a file, mapped into memory."""
        try:
            return load_file(self.path / name)
        except (OSError, SafetensorError) as error:
            raise _no_tensors(self.place(name), error) from error


class ZipFiles(ModelFiles):
    """The files in a zip, at its top or in its only folder; they are read into memory, and nothing is unpacked.

    Raises:
        DamagedFileError: it cannot be read, holds no model, or a name in it leads out of it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except ZIP_ERRORS as error:
            raise DamagedFileError(path, f"no zip can be read from it ({error})") from error
        for info in self._zip.infolist():
            _check_member(path, info)
        names = self._zip.namelist()
        found = [name for name in names if PurePosixPath(name).name == MANIFEST and name.count("/") <= 1]
        if len(found) != 1 or len(set(names)) < len(names):
            raise DamagedFileError(path, f"holds no saved model: one {MANIFEST} is expected, and every name once")
        self._prefix = found[0].removesuffix(MANIFEST)

    def read(self, name: str, largest: int) -> bytes:
        """The content of a file of at most so many bytes.

        Raises:
            DamagedFileError: it is missing, larger, or cannot be read.
        """
        try:
            info = self._zip.getinfo(self._prefix + name)
            if info.file_size > largest:
                raise DamagedFileError(self.place(name), CHANGED)
            with self._zip.open(info) as file:
                content = file.read(largest + 1)
        except KeyError as error:
            raise DamagedFileError(self.place(name), "the file is missing") from error
        except (*ZIP_ERRORS, zlib.error, lzma.LZMAError, RuntimeError, EOFError) as error:
            raise DamagedFileError(self.place(name), f"cannot be read ({error})") from error
        if len(content) > largest:
            raise DamagedFileError(self.place(name), CHANGED)
        return content

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in a file."""
        try:
            content = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise DamagedFileError(self.place(name), f"damaged: not JSON ({error})") from error
        if not isinstance(content, dict):
            raise DamagedFileError(self.place(name), f"damaged: not a JSON object but {type(content).__name__}")
        return content

    def text(self, name: str) -> str:
        """The text in a file."""
        try:
            return self.read(name, LARGEST_TEXT).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFileError(self.place(name), f"damaged: no UTF-8 ({error})") from error

    def check(self, name: str, seal: Mapping[str, Any], *, largest: int | None = None) -> None:
        """Compare a file with its size and checksum."""
        content = self.read(name, seal["bytes"])
        whole = largest is None or len(content) <= largest
        if len(content) != seal["bytes"] or (whole and hashlib.sha256(content).hexdigest() != seal[SEAL]):
            raise DamagedFileError(self.place(name), CHANGED)

    def table(self, name: str) -> pa.Table:
        """The Arrow table in a Parquet file."""
        try:
            return pq.read_table(pa.BufferReader(self._whole(name)))
        except (OSError, pa.ArrowException) as error:
            raise _no_table(self.place(name), error) from error

    def batch(self, name: str) -> pa.RecordBatch:
        """The record batch in a file."""
        try:
            return _only_batch(pa.BufferReader(self._whole(name)))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _no_table(self.place(name), error) from error

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors in a file."""
        try:
            return load_bytes(self._whole(name))
        except SafetensorError as error:
            raise _no_tensors(self.place(name), error) from error

    def _whole(self, name: str) -> bytes:
        return self.read(name, self._zip.getinfo(self._prefix + name).file_size)


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    """Refuse a name that would lead elsewhere if somebody unpacked the zip."""
    parts = info.filename.replace("\\", "/").split("/")
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if info.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in info.filename or is_link:
        raise DamagedFileError(path, f"refused: {info.filename!r} in it leads out of it")


def model_files(path: str | Path) -> ModelFiles:
    """The files of the saved model at a path.

    Raises:
        DataError: there is nothing.
        DamagedFileError: there is no saved model.
    """
    place = Path(path)
    if place.is_dir():
        if not (place / MANIFEST).is_file():
            raise DamagedFileError(place, f"holds no saved model (no {MANIFEST})")
        return FolderFiles(place)
    if not place.exists():
        raise DataError("no such file or folder", path=place)
    return ZipFiles(place)


def _only_batch(file: pa.NativeFile) -> pa.RecordBatch:
    batch = pa.ipc.open_file(file).get_batch(0)
    batch.validate(full=True)  # else wrong offsets of texts would lead out of the file
    return batch


def _no_table(path: Path, error: Exception) -> DamagedFileError:
    return DamagedFileError(
        path, f"no table can be read from it ({(str(error) or type(error).__name__).splitlines()[0]})"
    )


def _no_tensors(path: Path, error: Exception) -> DamagedFileError:
    return DamagedFileError(path, f"no tensors can be read from it ({error})")
