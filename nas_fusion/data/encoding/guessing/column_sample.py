"""A sample of training rows, by which columns are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas_fusion.data.encoding.scan import Scan
from nas_fusion.data.sources.cells import CellRules
from nas_fusion.data.sources.chunk import Chunk, chunks_of
from nas_fusion.data.sources.source import Source

SAMPLE_ROWS = 100_000
"""Enough to tell a number from an id that has been seen some hundred times."""

SAMPLE_CELLS = 8_000_000
"""Of all columns together, so that memory stays bounded: 1,000 columns are judged by 8,000 rows."""

ROWS_OF_A_CLASS = 200
"""Of each class there should be so many, even where a log is sorted by its label."""


@dataclass(frozen=True, eq=False)
class ColumnSample:
    """Some training rows of a log, in its order.

    Args:
        cells: the columns.
        labels: 0 or 1, float64 ``[rows]``.
        rules: how cells that are text are read.
    """

    cells: Chunk
    labels: npt.NDArray[np.float64]
    rules: CellRules


def sample_columns(source: Source, columns: Sequence[str], scan: Scan, *, most: int | None = None) -> ColumnSample:
    """Read training rows from the beginning of a log, and go on as far as both classes need it.

    Args:
        source: the log.
        columns: those that are to be judged.
        scan: says which rows train, and their labels.
        most: so many rows are enough; `SAMPLE_ROWS` if not given.

    Raises:
        DataError: the log cannot be read.
    """
    chosen = _chosen(scan, min(most or SAMPLE_ROWS, SAMPLE_CELLS // len(columns)))
    tables = []
    for chunk in chunks_of(source, columns):
        first = np.searchsorted(chosen, chunk.span.start)
        last = np.searchsorted(chosen, chunk.span.stop)
        tables.append(_spelt_out(pa.table(chunk.rows).take(pa.array(chosen[first:last] - chunk.span.start))))
        if chunk.span.stop > chosen[-1]:
            break
    cells = Chunk(pa.concat_tables(tables, promote_options="permissive"), rules=source.rules)
    return ColumnSample(cells, scan.labels[chosen].astype(np.float64), source.rules)


def _spelt_out(rows: pa.Table) -> pa.Table:
    """Rows without dictionaries, which may hold values that no row has."""
    kinds = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.schema.names, kinds, strict=True))))


def _chosen(scan: Scan, most: int) -> npt.NDArray[np.int64]:
    """Positions of the sampled rows in the log, ascending, int64 ``[rows]``."""
    train = np.flatnonzero(scan.codes == 0)
    end = min(most, len(train))
    for label in (0, 1):
        of_class = np.flatnonzero(scan.labels[train] == label)
        end = max(end, int(of_class[min(len(of_class), ROWS_OF_A_CLASS) - 1]) + 1)
    spread = np.unique(np.linspace(0, end - 1, min(most, end)).round().astype(np.int64))
    return train[spread]
