"""`LibsvmSource`: ``label index:value index:value …``, every line with the same number of features."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.arrow_columns import Categories, ColumnError, categories, plain, shown
from nas_fusion.data.sources.delimited import TextSource
from nas_fusion.data.sources.log_files import check_file, first_lines

TOKEN = re.compile(r"^(?P<index>\d+):(?P<value>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$")
ONE = r"^1(\.0*)?$"
LABEL = "label"


class LibsvmSource(TextSource):
    """A libsvm or libfm file of a click log: feature k of every line is field k.

    A field whose value is 1 everywhere is its index (``12:1`` is category 12). A field whose index is the same on
    every of the first lines, but whose value is not always 1, is a number. Any other pair is a category as it stands.

    Raises:
        DataError: no such file, nothing in it, a first line of another form.
    """

    kind = "libsvm"
    label = LABEL

    def __init__(self, path: Path, lines: Sequence[str] | None = None) -> None:
        lines = list(lines) if lines is not None else first_lines(check_file(path))
        first = next(line for line in lines if line.strip())
        self.delimiter = "\t" if "\t" in first else " "
        # Some writers end every line with a blank: one more, empty, cell.
        self._width = len(first.rstrip().split(self.delimiter)) - 1
        names = [LABEL, *(f"field{k}" for k in range(1, self._width + 1))]
        padding = ["_end"] * (len(first.split(self.delimiter)) - len(names))
        super().__init__(path, names=names + padding, delimiter=self.delimiter, quotes=False, lines=lines)
        self.columns = tuple(names)
        if self._width == 0 or not all(TOKEN.match(t) for t in first.split()[1:]):
            raise self.error("expected 'label index:value index:value …'", row=0)
        self._constant = self._number_fields(lines)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Read the file once, turning ``index:value`` into categories or numbers.

        Raises:
            DataError: also for a pair of another form.
        """
        row = 0
        for batch in super().batches(columns):
            arrays = {}
            for name in columns:
                try:
                    arrays[name] = batch.column(name) if name == LABEL else self._field(batch.column(name), name)
                except ColumnError as error:
                    raise self.column_error(error, name, row) from error
            row += batch.num_rows
            yield pa.table(arrays)

    def _number_fields(self, lines: Sequence[str]) -> dict[str, str]:
        """Name → index of the fields that are numbers, judged by the first lines."""
        rows = [line.split() for line in lines[:1000] if line.strip()]
        found = {}
        for k in range(1, self._width + 1):
            pairs = [m for m in (TOKEN.match(r[k]) for r in rows if len(r) > k) if m]
            if len({m["index"] for m in pairs}) == 1 and any(float(m["value"]) != 1 for m in pairs):
                found[f"field{k}"] = pairs[0]["index"]
        return found

    def _field(self, column: Any, name: str) -> Any:
        pairs = categories(plain(column))
        parts = pc.extract_regex(pairs.values, TOKEN.pattern)
        self._check(pairs, np.asarray(parts.is_valid()), "index:value")
        index, value = pc.struct_field(parts, [0]), pc.struct_field(parts, [1])
        if name in self._constant:
            self._check(pairs, np.asarray(pc.equal(index, self._constant[name])), f"index {self._constant[name]}")
            result = value
        else:
            result = pc.if_else(pc.match_substring_regex(value, ONE), index, pairs.values)
        return result.take(pa.array(pairs.codes, mask=pairs.codes < 0))

    def _check(self, pairs: Categories, good: Any, expected: str) -> None:
        bad = (pairs.codes < 0) | ~good[pairs.codes] if len(good) else pairs.codes < 0
        if bad.any():
            index = int(bad.argmax())
            found = "an empty cell" if pairs.codes[index] < 0 else shown(pairs.values[pairs.codes[index]])
            raise ColumnError(f"expected {expected}, found {found}", index)
