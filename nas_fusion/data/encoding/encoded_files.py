"""Files of an encoded data set: ``.npy`` arrays and vocabularies with checksums, and one ``schema.json``.

Arrays are written through ordinary file writes, not through a memory map: on a full disk a write raises `OSError`,
where a map would end the process.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.lib.format
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.errors import DataError

FORMAT_VERSION = 2
"""Of the folder. Raise it when encoding changes: older folders are then made anew."""

SCHEMA_FILE = "schema.json"
READ_BYTES = 1 << 22


def array_file(folder: Path, split: str, array: str) -> Path:
    """Where an array of a split lies."""
    return folder / f"{split}_{array}.npy"


def vocabulary_file(folder: Path, field: int) -> Path:
    """Where the vocabulary of the field at this position lies."""
    return folder / f"vocabulary_{field:03d}.parquet"


class ArrayWriter:
    """Writes an array of known shape front to back.

    Args:
        path: the file.
        dtype: type of the elements.
        shape: the whole array's shape; the chunks add up along the first axis.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self.path = np.dtype(dtype), shape, path
        self._crc = 0
        self._rows = 0
        self._file = path.open("wb")
        self._header_bytes = self._file.write(_header(self.dtype, shape))

    def append(self, chunk: npt.NDArray[Any]) -> None:
        """Write the next rows: an array whose shape, but for the first axis, is that of the whole."""
        data = np.ascontiguousarray(chunk, self.dtype).tobytes()
        self._crc = zlib.crc32(data, self._crc)
        self._rows += len(chunk)
        self._file.write(data)

    def close(self) -> dict[str, Any]:
        """Finish, and return what `check_array` needs.

        Raises:
            DataError: the chunks do not add up to the shape.
        """
        self._file.close()
        if self._rows != self.shape[0]:
            raise DataError(f"{self._rows} rows were written of {self.shape[0]}; did the log change?", path=self.path)
        size = self._header_bytes + self.dtype.itemsize * int(np.prod(self.shape))
        return {"bytes": size, "crc32": self._crc, "dtype": self.dtype.str, "shape": list(self.shape)}

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def open_array(path: Path, record: dict[str, Any], *, verify: bool) -> np.memmap[Any, Any]:
    """Map an array into memory.

    Args:
        path: the file.
        record: what `ArrayWriter.close` returned.
        verify: also read it all and compare the checksum.

    Raises:
        DataError: it is not the array that was written.
    """
    try:
        size = path.stat().st_size
        if size != record["bytes"]:
            raise DataError(f"corrupted: expected {record['bytes']} bytes, found {size}", path=path)
        # Numpy evaluates a header that it does not know, and reads the same bytes in another order if that says so.
        header = _header(np.dtype(record["dtype"]), tuple(record["shape"]))
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                raise DataError(f"corrupted: expected the header of {record['dtype']} {record['shape']}", path=path)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"corrupted: cannot be read ({error})", path=path) from error
    if not isinstance(array, np.memmap) or array.dtype.str != record["dtype"] or list(array.shape) != record["shape"]:
        raise DataError(f"corrupted: expected {record['dtype']} {record['shape']}", path=path)
    if verify and _checksum(path, skip=array.offset) != record["crc32"]:
        raise DataError("corrupted: the checksum does not fit", path=path)
    return array


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    found = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(found, header)
    return found.getvalue()


def write_vocabulary(folder: Path, field: int, vocabulary: Vocabulary) -> tuple[str, dict[str, int]]:
    """Write the vocabulary of the field at this position; the file's name, and what `check_file_record` needs."""
    file = vocabulary_file(folder, field)
    pyarrow.parquet.write_table(pa.table({"value": vocabulary.values}), file)
    return file.name, file_record(file)


def read_vocabulary(folder: Path, field: int) -> Vocabulary | None:
    """The vocabulary of the field at this position; None if it has none."""
    file = vocabulary_file(folder, field)
    if not file.exists():
        return None
    values = pyarrow.parquet.read_table(file).column("value")
    return Vocabulary(values.combine_chunks().cast(pa.large_string()))


def file_record(path: Path) -> dict[str, int]:
    """Size and checksum of any other file, for `check_file_record`."""
    return {"bytes": path.stat().st_size, "crc32": _checksum(path, skip=0)}


def check_file_record(path: Path, record: dict[str, int]) -> None:
    """Compare a file with its record.

    Raises:
        DataError: it is gone or was changed.
    """
    if not path.is_file() or file_record(path) != record:
        raise DataError("corrupted: size or checksum does not fit", path=path)


def _checksum(path: Path, skip: int) -> int:
    crc = 0
    with path.open("rb") as file:
        file.seek(skip)
        while piece := file.read(READ_BYTES):
            crc = zlib.crc32(piece, crc)
    return crc


def write_schema(folder: Path, content: dict[str, Any]) -> None:
    """Write ``schema.json`` with a checksum of its content."""
    sealed = {**content, "checksum": _digest(content)}
    (folder / SCHEMA_FILE).write_text(json.dumps(sealed, indent=1) + "\n", encoding="utf-8")


def read_schema(folder: Path, version: int) -> dict[str, Any]:
    """Read what `write_schema` wrote.

    Raises:
        DataError: there is none, it was damaged, or it is of another version.
    """
    path = folder / SCHEMA_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        checksum = content.pop("checksum")
        found = content["format"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError("not an encoded data set, or corrupted: the schema cannot be read", path=path) from error
    if checksum != _digest(content):
        raise DataError("corrupted: the checksum of the schema does not fit", path=path)
    if found != version:
        raise DataError(f"an encoded data set of format {found}, expected {version}", path=path)
    return content


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
