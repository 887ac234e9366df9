"""`PartedSource`: a log in several files, read as one."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from nas_fusion.data.sources.arrow_types import common_type
from nas_fusion.data.sources.cells import ArrowRows
from nas_fusion.data.sources.log_files import PartRules
from nas_fusion.data.sources.source import FileSource, Guess, Source
from nas_fusion.errors import DataError, listed


@dataclass(frozen=True)
class Part:
    """A file of a log.

    Args:
        source: its reader.
        keys: what Hive's folders say about all of its rows, None where that is missing.
    """

    source: FileSource
    keys: Mapping[str, str | None]


class PartedSource(Source):
    """A log in several files of one format, whose rows follow each other in the order of the files.

    What the files do not hold but Hive's folders say (``day=2024-03-01``) are columns, too, at the end; a column that
    the files hold wins.

    Args:
        name: what the data set is called.
        parts: the files, at least one.
        needed: the columns that are going to be read, so that parts may differ in others; None: all.

    Raises:
        DataError: a part has not the columns of the first, or cells of another type in one of them; names it.
    """

    def __init__(self, name: str, parts: Sequence[Part], needed: Collection[str] | None = None) -> None:
        first = parts[0].source
        self.name, self._parts = name, tuple(parts)
        self._first_rows: list[int] = []
        self.kind, self.encoding_version = first.kind, first.encoding_version
        held = first.columns if needed is None else _in_all(parts)
        self._keys = tuple(key for key in parts[0].keys if key not in held)
        self.columns = (*held, *self._keys)
        self.expected_rows = sum(part.source.expected_rows for part in parts)
        self.label, self.counts_clicks, self.not_fields = first.label, first.counts_clicks, first.not_fields
        self.typed, self.infer_numbers, self.log_buckets = first.typed, first.infer_numbers, first.log_buckets
        self.rules = first.rules
        for part in parts[1:]:
            self._check_columns(part.source, needed)
        self.types = {name: self._common(name) for name in first.types if name in held}
        self.guesses = (*first.guesses, *self._guessed())

    def digest(self) -> str:
        """A hash of the parts' content and keys, in their order."""
        digest = hashlib.blake2b(digest_size=32)
        for part in self._parts:
            digest.update(f"{part.source.digest()}{sorted(part.keys.items())}\n".encode())
        return f"{digest.hexdigest()}:{len(self._parts)}"

    @property
    def for_parts(self) -> PartRules:
        """What the first part says."""
        return self._parts[0].source.for_parts

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the parts one after another.

        Raises:
            DataError: a part cannot be read.
        """
        self._first_rows = []
        row = 0
        for part in self._parts:
            self._first_rows.append(row)
            held = [name for name in columns if name not in self._keys]
            # Rows without any column would have no number.
            for rows in part.source.batches(held or part.source.columns[:1]):
                row += rows.num_rows
                yield pa.table({name: self._column(part, rows, name) for name in columns})

    def position(self, row: int) -> int:
        """Where a user finds the 0-based `row` in its part."""
        part, first_row = self._at(row)
        return part.source.position(row - first_row)

    def place(self, row: int) -> str:
        """Where a user finds the 0-based `row`, in words."""
        part, first_row = self._at(row)
        return f"{part.source.file.name} {part.source.place(row - first_row)}"

    def error(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """A `DataError` that names the part and the place of the 0-based `row`; without a row, the first part."""
        if row is None:
            return self._parts[0].source.error(message, column=column)
        part, first_row = self._at(row)
        return part.source.error(message, row=row - first_row, column=column)

    def _at(self, row: int) -> tuple[Part, int]:
        place = max(bisect_right(self._first_rows, row) - 1, 0)
        return self._parts[place], self._first_rows[place] if self._first_rows else 0

    def _column(self, part: Part, rows: ArrowRows, name: str) -> pa.Array | pa.ChunkedArray:
        if name in self._keys:
            return pa.repeat(pa.scalar(part.keys[name], pa.string()), rows.num_rows)
        column = rows.column(name)
        wanted = self.types.get(name)
        return column if wanted is None or part.source.types.get(name) == wanted else column.cast(wanted)

    def _check_columns(self, part: FileSource, needed: Collection[str] | None) -> None:
        columns = self._parts[0].source.columns
        lack = [name for name in needed or columns if name in columns and name not in part.columns]
        more = [name for name in part.columns if name not in columns and needed is None]
        if lack or more:
            found = [f"it lacks {listed(lack)}"] * bool(lack) + [f"only it has {listed(more)}"] * bool(more)
            name = self._parts[0].source.file.name
            raise part.error(f"the parts of a log must have the same columns, as {name} has them: {', '.join(found)}")

    def _common(self, name: str) -> pa.DataType:
        kinds = [part.source.types[name] for part in self._parts]
        found = common_type(list(dict.fromkeys(kinds)))
        if found is None:
            odd = next(part.source for part in self._parts if common_type([kinds[0], part.source.types[name]]) is None)
            raise odd.error(f"cells of type {odd.types[name]}, and of type {kinds[0]} in the first part", column=name)
        return found

    def _guessed(self) -> Iterator[Guess]:
        headless = [part.source.file.name for part in self._parts if not part.source.has_header]
        if headless and len(headless) < len(self._parts):
            why = f"they begin with rows: {listed(headless)}"
            yield Guess(f"{len(headless)} of {len(self._parts)} parts have no header", why, "")


def _in_all(parts: Sequence[Part]) -> tuple[str, ...]:
    """The columns that every part has, in the order of the first."""
    return tuple(name for name in parts[0].source.columns if all(name in part.source.columns for part in parts))
