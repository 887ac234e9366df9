"""`Source`: a raw log as a stream of Arrow batches. What every reader shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple

from nas_fusion.data.sources.cells import COMMON_MARKS, COMMON_RULES, ArrowRows, CellRules
from nas_fusion.data.sources.log_files import FileHead, file_digest
from nas_fusion.errors import DataError


class Guess(NamedTuple):
    """Something that nobody told, so that it was guessed.

    Args:
        what: was taken: "delimiter ';'".
        why: what speaks for it.
        option: says otherwise; empty if none does.
    """

    what: str
    why: str
    option: str


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

    encoding_version: ClassVar[int] = 2
    """Raise it when the same options give other ids or values: a study of the earlier ones is then another study."""

    name: str
    """What the data set is called."""

    path: Path | None = None
    """The file, if there is one."""

    columns: tuple[str, ...]
    """Every column that `batches` can deliver."""

    guesses: tuple[Guess, ...] = ()
    """What was guessed about how the log is read, for a reading plan."""

    expected_rows: int = 0
    """About how many rows there are, for progress; 0 if that cannot be told."""

    label: str | None = None
    """The format's own label."""

    counts_clicks: bool = False
    """Whether a label is a number of clicks, any of which makes it 1; else it has to be 0 or 1."""

    not_fields: frozenset[str] = frozenset()
    """Columns that are fields only if asked for by name."""

    typed: bool = True
    """Whether cells have types; else all are text, in which numbers have to be looked for."""

    marks: ClassVar[tuple[str, ...]] = COMMON_MARKS
    """Texts that are missing values in this format, beside the user's; none where a setting was published."""

    rules: CellRules = COMMON_RULES
    """How cells that are text are read."""

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

    @cached_property
    def told(self) -> set[tuple[str, str]]:
        """What was warned of already; a log is read several times."""
        return set()

    def place(self, row: int) -> str:
        """Where a user finds the 0-based `row`, in words."""
        return f"line {self.position(row)}"

    def position(self, row: int) -> int:
        """Where a user finds the 0-based `row`: a 1-based line of a text file, a 1-based row of anything else."""
        return row + 1

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

    suffixes: ClassVar[tuple[str, ...]] = ()
    """Extensions of its files, in lower case."""

    magic: ClassVar[bytes] = b""
    """The mark at the beginning of its files, if the format has one."""

    def __init__(self, head: FileHead) -> None:
        self.path: Path = head.path
        self.rules = CellRules((*self.marks, *head.options.missing))
        self.name = head.plain_stem

    @classmethod
    def recognises(cls, head: FileHead) -> bool:
        """Whether a file looks like this format: by its extension, or by its first bytes.

        Raises:
            DataError: the file cannot be read, as text for instance.
        """
        if cls.magic:  # a file with a mark is read as it lies on the disk, never decompressed
            return head.path.suffix.lower() in cls.suffixes or head.magic.startswith(cls.magic)
        return head.plain_suffix in cls.suffixes

    def digest(self) -> str:
        """A hash of the file's content and size."""
        return file_digest(self.path)
