"""Typed sources: a Parquet file and a pandas frame."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from nas_fusion.data.sources.log_files import check_file, file_digest
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


class ParquetSource(Source):
    """A Parquet file; null, NaN and the empty text are missing.

    Raises:
        DataError: no such file, or not Parquet.
    """

    kind = "parquet"

    def __init__(self, path: Path) -> None:
        self.path: Path = check_file(path)
        self.name = path.stem
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                self.columns = tuple(file.schema_arrow.names)
                self.expected_rows = file.metadata.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"cannot be read as Parquet ({str(error).splitlines()[0]})", path=path) from error

    def digest(self) -> str:
        """A hash of the file's content."""
        return file_digest(self.path)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Read the file once; row groups are decoded piece by piece."""
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=self.chunk_rows, columns=list(columns), use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise self.error(f"cannot be read as Parquet ({str(error).splitlines()[0]})") from error


class FrameSource(Source):
    """A pandas frame; its index is not used."""

    kind = "frame"
    name = "frame"

    def __init__(self, frame: pd.DataFrame) -> None:
        if not all(isinstance(c, str) for c in frame.columns) or not frame.columns.is_unique:
            raise DataError("the columns of a frame must have different names, all of them text", path=self.name)
        self._frame = frame
        self.columns = tuple(frame.columns)
        self.expected_rows = len(frame)

    def digest(self) -> str:
        """A hash of column names, types and cells."""
        from pandas.util import hash_pandas_object

        digest = hashlib.blake2b(digest_size=32)
        digest.update(repr([(c, str(self._frame[c].dtype)) for c in self.columns]).encode())
        for start in range(0, len(self._frame), self.chunk_rows):
            part = self._frame.iloc[start : start + self.chunk_rows]
            for column in self.columns:
                try:
                    hashed = hash_pandas_object(part[column], index=False, categorize=False)
                except (TypeError, ValueError) as error:
                    raise self.error(
                        f"cells are neither numbers nor texts ({str(error).splitlines()[0]})", column=column
                    ) from error
                digest.update(hashed.to_numpy().tobytes())
        return f"{digest.hexdigest()}:{len(self._frame)}"

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Walk through the frame."""
        for start in range(0, len(self._frame), self.chunk_rows):
            part = self._frame.iloc[start : start + self.chunk_rows][list(columns)]
            arrays = {}
            for column in columns:
                try:
                    arrays[column] = pa.array(part[column], from_pandas=True)
                except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                    raise self.error(f"mixed types ({str(error).splitlines()[0]})", column=column) from error
            yield pa.table(arrays)
