"""`Source`: a raw log as a stream of Arrow batches. What every reader shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, ClassVar

from nas_fusion.data.sources.arrow_columns import ColumnError, FloatArray, numbers, shown
from nas_fusion.errors import LONGEST_QUOTE, DataError, listed
from nas_fusion.errors import shown as quoted

LABEL_NAMES = ("label", "click", "y", "target")
"""Columns that are taken as the label where none is named."""

NEAR = 0.4
"""Names that agree to this share with what was asked for are offered first."""


class Source(ABC):
    """A raw log.

    It is read front to back several times: first the label and whatever decides the split, then the fields to fit
    vocabularies, then the fields again to encode them. Every reading yields the same rows in the same order.
    """

    chunk_rows: ClassVar[int] = 1 << 17
    """Rows of one batch, where the format lets the reader choose."""

    chunk_bytes: ClassVar[int] = 1 << 24
    """Bytes of text that become one batch. With 16 MiB a reading of Criteo stays below 200 MiB."""

    kind: ClassVar[str]
    """The format's name."""

    name: str
    """What the data set is called."""

    path: Path | None = None
    """The file, if there is one."""

    columns: tuple[str, ...]
    """Every column that `batches` can deliver."""

    label: str | None = None
    """The format's own label."""

    not_fields: frozenset[str] = frozenset()
    """Columns that are fields only if asked for by name."""

    infer_numbers: bool = True
    """Whether undeclared columns with fractional numbers become buckets."""

    log_buckets: frozenset[str] = frozenset()
    """Columns that are bucketed by Criteo's rule."""

    probability: str | None = None
    """The column with the true probability of every row; only the synthetic log has one."""

    expected_rows: int = 0
    """About how many rows there are, for progress; 0 if that cannot be told."""

    @abstractmethod
    def digest(self) -> str:
        """A hash of the content: equal content gives an equal hash, wherever it lies."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Read the log once, yielding Arrow tables or record batches with these columns."""

    def position(self, row: int) -> int:
        """Where a user finds the 0-based `row`: a 1-based line of a text file, a 1-based row of anything else."""
        return row + 1

    def error(self, message: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """A `DataError` that names this log, and the place of the 0-based `row`."""
        place = None if row is None else self.position(row)
        return DataError(message, path=self.path or self.name, row=place, column=column)

    def column_error(self, error: ColumnError, column: str, first_row: int) -> DataError:
        """The `DataError` for a bad cell of the batch that starts at `first_row`."""
        return self.error(str(error), row=None if error.index is None else first_row + error.index, column=column)

    def labels(self, column: Any) -> FloatArray:
        """The labels of one batch as 0.0 and 1.0.

        Raises:
            ColumnError: a cell is neither.
        """
        found = numbers(column.cast("int8") if str(column.type) == "bool" else column)
        bad = (found != 0) & (found != 1)
        if bad.any():
            index = int(bad.argmax())
            raise ColumnError(f"a label must be 0 or 1, found {shown(column[index])}", index)
        return found

    def label_column(self, wanted: str | None) -> str:
        """The column of the label: the wanted one, the format's own, or one with a usual name.

        Raises:
            DataError: there is none; names the columns.
        """
        if wanted is not None:
            return self.check_column(wanted, "label")
        if self.label is not None:
            return self.label
        usual = [c for name in LABEL_NAMES for c in self.columns if c.lower() == name]
        if usual:
            return usual[0]
        known = listed(nearest(LABEL_NAMES, self.columns))
        raise self.error(f"no label is named and no column is called {', '.join(LABEL_NAMES)}; columns are {known}")

    def check_column(self, name: str, role: str) -> str:
        """Return `name` if there is such a column.

        Raises:
            DataError: there is none; names the columns, nearest first.
        """
        if name in self.columns:
            return name
        raise self.error(f"no {role} column {quoted(name)}; columns are {listed(nearest([name], self.columns))}")


def nearest(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """All known names, those that look like a wanted one first."""
    looked_for = [w[:LONGEST_QUOTE] for w in wanted]
    ratios = [
        -max(SequenceMatcher(None, w, name[:LONGEST_QUOTE].lower()).ratio() for w in looked_for) for name in known
    ]
    near = [name for ratio, name in sorted(zip(ratios, known, strict=True)) if ratio <= -NEAR]
    return near + [name for name in known if name not in near]
