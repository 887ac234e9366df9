"""`ParquetSource`: a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet

from nas_fusion.data.sources.arrow_types import PlainColumns, formless_columns
from nas_fusion.data.sources.cells import ArrowRows
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.source import FileSource
from nas_fusion.errors import DataError, shown


class ParquetSource(FileSource):
    """A Parquet file; null, NaN, the empty text and the marks of missing values are missing.

    Raises:
        DataError: not Parquet.
    """

    kind = "parquet"
    suffixes = (".parquet", ".pq")
    magic = b"PAR1"

    def __init__(self, head: FileHead) -> None:
        super().__init__(head)
        self.name = PurePosixPath(self.file.path).stem  # compression is inside the file, no second extension
        try:
            with self.file.open() as data, pyarrow.parquet.ParquetFile(data) as file:
                self._plain = PlainColumns(file.schema_arrow)
                self.expected_rows = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        if self._plain.doubled:
            raise self.error(f"two columns are called {shown(self._plain.doubled)}")
        self.columns, self.types = self._plain.names, self._plain.types
        self.guesses += formless_columns(self._plain)

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once; row groups are decoded piece by piece.

        Raises:
            DataError: a part of it cannot be read.
        """
        try:
            with self.file.open() as data, pyarrow.parquet.ParquetFile(data) as file:
                roots = self._plain.roots(columns)
                for rows in file.iter_batches(batch_size=self.chunk_rows, columns=roots, use_threads=False):
                    yield self._plain.take(rows, columns)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        return self.error(f"cannot be read as Parquet ({str(error).splitlines()[0]})")
