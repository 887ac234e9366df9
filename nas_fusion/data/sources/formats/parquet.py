"""`ParquetSource`: a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet

from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.source import ArrowRows, FileSource
from nas_fusion.errors import DataError


class ParquetSource(FileSource):
    """A Parquet file; null, NaN and the empty text are missing.

    Raises:
        DataError: not Parquet.
    """

    kind = "parquet"
    suffixes = (".parquet", ".pq")
    magic = b"PAR1"

    def __init__(self, head: FileHead) -> None:
        super().__init__(head)
        self.name = self.path.stem  # compression is inside the file, no second extension
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                self.columns = tuple(file.schema_arrow.names)
                self.expected_rows = file.metadata.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(error) from error

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once; row groups are decoded piece by piece.

        Raises:
            DataError: a part of it cannot be read.
        """
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=self.chunk_rows, columns=list(columns), use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        return self.error(f"cannot be read as Parquet ({str(error).splitlines()[0]})")
