"""`LibsvmSource`: ``label index:value index:value …``, every line with the same number of features."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.cells import (
    NUMBER,
    ArrowColumn,
    ArrowRows,
    Categories,
    CellError,
    categories,
    plain,
    shown,
)
from nas_fusion.data.sources.chunk import numbered
from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead, PartRules, most

VALUE = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
ONE = r"^1(\.0*)?$"
LABEL = "label"

JUDGED_LINES = 1000
"""First lines that tell which fields are numbers."""


class LibsvmSource(DelimitedSource):
    """A libsvm or libfm file of a click log: feature k of every line is field k.

    A field whose value is 1 everywhere is its index (``12:1`` is category 12). A field whose index is the same on
    every of the first lines, but whose value is not always 1, is a number. Any other pair is a category as it stands.
    Rows that are to be scored may lack the label.

    Raises:
        DataError: a first line of another form.
    """

    kind = "libsvm"
    marks = ()
    suffixes: ClassVar[tuple[str, ...]] = (".libsvm", ".svm", ".libfm")
    label = LABEL
    token: ClassVar[re.Pattern[str]] = re.compile(rf"^(?P<index>\d+):(?P<value>{VALUE})$")
    """A feature."""

    form: ClassVar[str] = "index:value"
    """The same, for messages."""

    def __init__(self, head: FileHead) -> None:
        first = head.sniffed[0]
        delimiter = "\t" if "\t" in first else " "
        # Some writers end every line with a blank: one more, empty, cell.
        labelled = not self.are_features(first.split()[:1])
        self._width = len(first.rstrip().split(delimiter)) - labelled
        names = [*[LABEL] * labelled, *(f"field{k}" for k in range(1, self._width + 1))]
        padding = ["_end"] * (len(first.split(delimiter)) - len(names))
        super().__init__(head, names=names + padding, delimiter=delimiter, quotes=False)
        self.columns = tuple(names)
        if self._width == 0 or not self.are_features(first.split()[labelled:]):
            raise self.error(f"expected 'label {self.form} {self.form} …'", row=0)
        known = head.first.numbers if head.first else head.form.numbers if head.form else None
        self._constant = self._number_fields(head.lines, labelled) if known is None else dict(known)

    @property
    def for_parts(self) -> PartRules:
        """What holds for the other parts of a log of which this is the first."""
        return PartRules(delimiter=self.delimiter, numbers=self._constant)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Most lines are a label and pairs; a time of day is no pair, and a name no label."""
        tokens = [line.split() for line in lines]
        if not NUMBER.match(tokens[0][0]) and not cls.are_features(tokens[0]):
            return False  # a header
        return most([len(t) > 1 and bool(NUMBER.match(t[0])) and cls.are_features(t[1:]) for t in tokens]) or most(
            [len(t) > 1 and cls.are_features(t) for t in tokens]
        )

    @classmethod
    def are_features(cls, tokens: Sequence[str]) -> bool:
        """Whether every text is a feature."""
        return all(map(cls.token.match, tokens))

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once, turning ``index:value`` into categories or numbers.

        Raises:
            DataError: also for a pair of another form.
        """
        for chunk in numbered(self, super().batches(columns)):
            arrays = {}
            for name in columns:
                with chunk.naming(name):
                    column = chunk.column(name)
                    arrays[name] = column if name == LABEL else self._field(column, name)
            yield pa.table(arrays)

    def _number_fields(self, lines: Sequence[str], labelled: bool) -> dict[str, str]:
        """Name → index of the fields that are numbers, judged by the first lines."""
        rows = [line.split() for line in lines[:JUDGED_LINES] if line.strip()]
        found = {}
        for k in range(1, self._width + 1):
            place = k - 1 + labelled
            pairs = [m for m in (self.token.match(r[place]) for r in rows if len(r) > place) if m]
            if len({m["index"] for m in pairs}) == 1 and any(float(m["value"]) != 1 for m in pairs):
                found[f"field{k}"] = pairs[0]["index"]
        return found

    def _field(self, column: ArrowColumn, name: str) -> pa.Array:
        pairs = categories(plain(column))
        parts = pc.extract_regex(pairs.values, self.token.pattern)
        _check(pairs, np.asarray(parts.is_valid()), self.form)
        index, value = pc.struct_field(parts, "index"), pc.struct_field(parts, "value")
        if name in self._constant:
            _check(pairs, np.asarray(pc.equal(index, self._constant[name])), f"index {self._constant[name]}")
            result = value
        else:
            result = pc.if_else(pc.match_substring_regex(value, ONE), index, pairs.values)
        return result.take(pa.array(pairs.codes, mask=pairs.codes < 0))


def _check(pairs: Categories, good: npt.NDArray[np.bool_], expected: str) -> None:
    """Refuse cells that are missing, or whose value is none of the good ones, bool ``[values]``."""
    bad = (pairs.codes < 0) | ~good[pairs.codes] if len(good) else pairs.codes < 0
    if bad.any():
        index = int(bad.argmax())
        found = "an empty cell" if pairs.codes[index] < 0 else shown(pairs.values[pairs.codes[index]])
        raise CellError(f"expected {expected}, found {found}", index)
