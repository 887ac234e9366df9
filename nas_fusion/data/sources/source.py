"""`Source`: a raw log as a stream of chunks. What every reader shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from nas_fusion.data.sources.chunk import ArrowRows, Chunk, FloatArray
from nas_fusion.data.sources.log_files import FileHead, file_digest
from nas_fusion.errors import DataError


class Source(ABC):
    """A raw log.

    It is read front to back several times: first the label and whatever decides the split, then the fields to fit
    vocabularies, then the fields again to encode them. Every reading yields the same rows in the same order. A reader
    sets the attributes and writes `digest` and `batches`; it knows nothing of what becomes of its rows.
    """

    chunk_rows: ClassVar[int] = 1 << 17
    """Rows of one batch, where the format lets the reader choose."""

    chunk_bytes: ClassVar[int] = 1 << 24
    """Bytes of text that become one batch. With 16 MiB a reading of Criteo stays below 200 MiB."""

    kind: ClassVar[str]
    """The format's name. It is part of the fingerprint: another name means that cached logs are not found again."""

    name: str
    """What the data set is called."""

    path: Path | None = None
    """The file, if there is one."""

    columns: tuple[str, ...]
    """Every column that `batches` can deliver."""

    expected_rows: int = 0
    """About how many rows there are, for progress; 0 if that cannot be told."""

    label: str | None = None
    """The format's own label."""

    not_fields: frozenset[str] = frozenset()
    """Columns that are fields only if asked for by name."""

    typed: bool = True
    """Whether cells have types; else all are text, in which numbers have to be looked for."""

    infer_numbers: bool = True
    """Whether undeclared columns with fractional numbers become buckets."""

    log_buckets: frozenset[str] = frozenset()
    """Columns that are bucketed by Criteo's rule."""

    probability: str | None = None
    """The column with the true probability of every row; only the synthetic log has one."""

    @abstractmethod
    def digest(self) -> str:
        """A hash of the content: equal content gives an equal hash, wherever it lies."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the log once, yielding Arrow tables or record batches with these columns.

        Raises:
            DataError: a part of the log cannot be read.
        """

    def labels(self, chunk: Chunk, column: str) -> FloatArray:
        """The labels of a chunk, 0.0 or 1.0, float64 ``[rows]``.

        Raises:
            DataError: a cell is neither.
        """
        return chunk.zeros_and_ones(column)

    def position(self, row: int) -> int:
        """Where a user finds the 0-based `row`: a 1-based line of a text file, a 1-based row of anything else."""
        return row + 1

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Read the log once, yielding chunks with these columns.

        Raises:
            DataError: a part of the log cannot be read.
        """
        return self.numbered(self.batches(columns))

    def numbered(self, batches: Iterable[ArrowRows]) -> Iterator[Chunk]:
        """The batches of one reading as chunks that know where their rows stand."""
        row = 0
        for batch in batches:
            yield Chunk(batch, row, self.error)
            row += batch.num_rows

    def error(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """A `DataError` that names this log, and the place of the 0-based `row`."""
        place = None if row is None else self.position(row)
        return DataError(message, path=self.path or self.name, row=place, column=column)


class FileSource(Source):
    """A log in one file: what a format is registered with (`nas_fusion.data.sources.readers`).

    Args:
        head: the file and its beginning.

    Raises:
        DataError: the file is not of this format.
    """

    def __init__(self, head: FileHead) -> None:
        self.path: Path = head.path
        self.name = head.plain_stem

    @classmethod
    @abstractmethod
    def recognises(cls, head: FileHead) -> bool:
        """Whether a file looks like this format.

        Raises:
            DataError: the file cannot be read, as text for instance.
        """

    def digest(self) -> str:
        """A hash of the file's content and size."""
        return file_digest(self.path)
