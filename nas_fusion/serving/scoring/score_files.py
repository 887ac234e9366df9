"""Scores in a file: `score_file` writes Parquet or CSV while it reads, and nothing half."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from nas_fusion.data.sources import Chunk, Log, Source, open_rows
from nas_fusion.errors import OptionError
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.serving.scoring.score_stream import Progress, score_stream
from nas_fusion.settings import DataOptions
from nas_fusion.system.files import new_file
from nas_fusion.system.places import check_file_place
from nas_fusion.training import probabilities

ROW, SCORE = "row", "score"
"""The columns of a file of scores: the row's 0-based position among the rows, and the probability of a click."""

PARQUET, CSV = (".parquet", ".pq"), (".csv", ".csv.gz")


def check_out(out: Path, keep: Sequence[str] = ()) -> None:
    """Refuse, before anything is read, a file of scores that could not be written.

    Raises:
        OptionError: its name ends in none of the formats, it cannot lie there, or a kept column has the name of another
            one.
    """
    if not out.name.lower().endswith((*PARQUET, *CSV)):
        raise OptionError("out", f"a file that ends in {', '.join((*PARQUET, *CSV))}", str(out))
    check_file_place("out", out)
    if taken := [name for name in keep if name in (ROW, SCORE, "")]:
        raise OptionError("keep", f"columns of other names than {ROW} and {SCORE}", taken[0])
    if len(set(keep)) < len(keep):
        raise OptionError("keep", "different columns", ",".join(keep))


def score_file(
    model: SavedModel,
    rows: Log,
    out: Path,
    *,
    keep: Sequence[str] = (),
    options: DataOptions | None = None,
    progress: Progress | None = None,
) -> int:
    """Score rows and write them: one line per row, in the order of the rows.

    Args:
        model: scores them.
        rows: whatever `nas_fusion.data.open_rows` takes.
        out: the file; ``.parquet``, ``.csv`` or ``.csv.gz`` says the format. It appears when all rows are scored.
        keep: columns of the rows that are copied, between row and score.
        options: how a file is read; as the log that the model learnt from if not given.
        progress: told the number of rows that are scored.

    Returns:
        The number of rows.

    Raises:
        DataError: a column is missing or a cell cannot be used; names file, line and column.
        OptionError: `out` or `keep` is not allowed.
        WriteError: the file cannot be written.
    """
    check_out(out, keep)
    source = open_for(model, rows, keep, options)
    kept = _Kept(keep)
    row = 0
    with new_file(out) as temporary, _writing(temporary, out.name) as write:
        for scored in score_stream(model, source, keep, seen=kept.see, progress=progress):
            write(_table(scored.first_row, probabilities(scored.logits), kept.take(len(scored.logits))))
            row = scored.stop
        if not row:
            write(_table(0, np.zeros(0), {name: pa.array([], pa.string()) for name in keep}))
    return row


def open_for(model: SavedModel, rows: Log, columns: Sequence[str], options: DataOptions | None) -> Source:
    """The reader of rows that a model scores, of which these columns are read, too.

    Raises:
        DataError: no such rows, or a column is missing.
    """
    needed = list(dict.fromkeys([*model.columns, *columns]))
    return open_rows(rows, needed, model.manifest.log.form, options or model.reading_options)


@dataclass
class _Kept:
    """Columns that wait until their rows are scored, which is a batch later at most."""

    names: Sequence[str]
    waiting: list[pa.Table] = field(default_factory=list)

    def see(self, chunk: Chunk) -> None:
        """Take in a chunk."""
        if self.names:
            found = pa.table({name: _written(chunk.column(name)) for name in self.names})
            # A piece of a frame in which no cell has a value has no type.
            self.waiting.append(found.cast(self.waiting[0].schema) if self.waiting else found)

    def take(self, rows: int) -> dict[str, pa.ChunkedArray]:
        """The cells of the next rows."""
        if not self.names:
            return {}
        table = pa.concat_tables(self.waiting)
        self.waiting = [table.slice(rows)]
        first = table.slice(0, rows)
        return {name: first.column(name) for name in self.names}


def _written(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in one piece whose type is the same in every chunk: texts as texts."""
    array = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    return array.cast(pa.large_string() if pa.types.is_string(kind) else kind)


def _table(first_row: int, scores: np.ndarray, kept: dict[str, pa.ChunkedArray]) -> pa.Table:
    rows = pa.array(np.arange(first_row, first_row + len(scores), dtype=np.int64))
    return pa.table({ROW: rows, **kept, SCORE: pa.array(scores)})


class _Write(Protocol):
    def __call__(self, table: pa.Table) -> None:
        """Append rows."""


@contextmanager
def _writing(path: Path, name: str) -> Iterator[_Write]:
    """Writes tables of one schema one after another into a file whose format `name` tells."""
    writer: pa.parquet.ParquetWriter | pa.csv.CSVWriter | None = None
    compression = "gzip" if name.lower().endswith(".gz") else None
    with pa.output_stream(str(path), compression=compression) as stream:

        def write(table: pa.Table) -> None:
            nonlocal writer
            if writer is None:
                make = pyarrow.parquet.ParquetWriter if name.lower().endswith(PARQUET) else pyarrow.csv.CSVWriter
                writer = make(stream, table.schema)
            writer.write_table(table)

        try:
            yield write
        finally:
            if writer is not None:
                writer.close()
