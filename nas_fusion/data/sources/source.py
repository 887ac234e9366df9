"""`Source`: a raw log as a stream of Arrow batches. What every reader shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import pyarrow as pa

from nas_fusion.data.sources.cells import COMMON_MARKS, COMMON_RULES, ArrowRows, CellRules
from nas_fusion.data.sources.log_files import FileHead, LogForm, PartRules
from nas_fusion.errors import DataError
from nas_fusion.log_formats import AUTO
from nas_fusion.settings import DataOptions

ANY_TEXT = "csv"
"""The format that any text may be of, so that taking a text for it is no guess worth mentioning."""


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

    kind: str
    """The format's name. It is part of the fingerprint: another name means that cached logs are not found again."""

    encoding_version: int = 3
    """Raise it when the same options give other ids or values: a study of the earlier ones is then another study.

    2: numbers between knots. 3: numbers with signs around them ($1,270.00, 3%) are numbers.
    """

    name: str
    """What the data set is called."""

    columns: tuple[str, ...]
    """Every column that `batches` can deliver."""

    guesses: tuple[Guess, ...] = ()
    """What was guessed about how the log is read, for a reading plan."""

    expected_rows: int = 0
    """About how many rows there are, for progress; 0 if that cannot be told."""

    types: Mapping[str, pa.DataType] = MappingProxyType({})
    """Of a format with types, those of its columns; parts of one log are made alike by them."""

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

    @property
    def for_parts(self) -> PartRules:
        """What holds for the other parts of a log of which this is the first."""
        return PartRules()

    @property
    def log_form(self) -> LogForm:
        """What holds for rows that are scored by a model that learns from this log."""
        rules, numbers = self.rules, self.for_parts.numbers
        return LogForm(self.kind, self.typed, rules.marks, rules.decimal, self.counts_clicks, numbers)

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
        return DataError(message, path=self.name, row=place, column=column)


class WrappedSource(Source):
    """A log that is another one in every way, but for what a subclass changes.

    Args:
        source: the other one; `batches` is left to the subclass.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.kind, self.encoding_version = source.name, source.kind, source.encoding_version
        self.columns, self.types, self.typed, self.rules = source.columns, source.types, source.typed, source.rules
        self.guesses, self.expected_rows, self.told = source.guesses, source.expected_rows, source.told
        self.label, self.counts_clicks, self.probability = source.label, source.counts_clicks, source.probability
        self.not_fields, self.log_buckets = source.not_fields, source.log_buckets
        self.infer_numbers = source.infer_numbers

    @property
    def for_parts(self) -> PartRules:
        """What the other one says."""
        return self._source.for_parts

    def digest(self) -> str:
        """The other one's."""
        return self._source.digest()

    def position(self, row: int) -> int:
        """Where a user finds the 0-based `row`."""
        return self._source.position(row)

    def place(self, row: int) -> str:
        """The same in words."""
        return self._source.place(row)

    def error(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """The other one's error."""
        return self._source.error(message, row=row, column=column)


class FileSource(Source):
    """A log in one file, or one part of a log: what a format is registered with (`nas_fusion.data.sources.readers`).

    Args:
        head: the file and its beginning.

    Raises:
        DataError: the file is not of this format.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    """Extensions of its files, in lower case."""

    magic: ClassVar[bytes] = b""
    """The mark at the beginning of its files, if the format has one."""

    has_header: bool = True
    """Whether a part of a log says itself what its columns are."""

    def __init__(self, head: FileHead) -> None:
        self.file = head.file
        self.name = head.plain_stem
        self.rules = head.form.rules if head.form else CellRules((*self.marks, *head.options.missing))
        named = head.options.format != AUTO or self.magic or head.plain_suffix in self.suffixes
        self._is_guess = not named and self.kind != ANY_TEXT
        if self._is_guess:
            self.guesses = (Guess(f"format {self.kind}", "the first lines look like it", "--format"),)

    @classmethod
    def recognises(cls, head: FileHead) -> bool:
        """Whether a file looks like this format: by its extension, or by its first bytes.

        Raises:
            DataError: the file cannot be read, as text for instance.
        """
        if cls.magic:  # a file with a mark is read as it lies on the disk, never decompressed
            return head.suffix in cls.suffixes or head.magic.startswith(cls.magic)
        return head.plain_suffix in cls.suffixes

    @classmethod
    def of_rows(cls, source: Source, options: DataOptions) -> Source | None:
        """A log of this format that came as something else, with what the format makes of its columns.

        Args:
            source: rows that have types: a frame, Parquet.
            options: say which texts are missing values.

        Returns:
            None if this format is one of text only.

        Raises:
            DataError: the rows are not of this format.
        """
        return None

    def digest(self) -> str:
        """A hash of the file's content and size."""
        return self.file.digest()

    def error(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """A `DataError` that names the file, the place of the 0-based `row`, and a format that was guessed."""
        return self.error_at(message, None if row is None else self.position(row), column=column)

    def error_at(self, message: str, line: int | None, *, column: str | None = None) -> DataError:
        """The same about a 1-based line."""
        guess = f"; taken for {self.kind} by its first lines, --format names another one" if self._is_guess else ""
        return DataError(f"{message}{guess}", path=self.file.name, row=line, column=column)
