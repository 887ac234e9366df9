"""The weights of a chunk's rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.data.sources.cells import CellError, shown
from nas_fusion.data.sources.chunk import Chunk


def read_weights(chunk: Chunk, column: str) -> npt.NDArray[np.float32]:
    """How much every row of a chunk counts, float32 ``[rows]``.

    Raises:
        DataError: there is no such column, or a cell is no finite number of at least 0; names row and column.
    """
    found = chunk.numbers(column)
    with chunk.naming(column), np.errstate(over="ignore"):
        weights = found.astype(np.float32)
        good = (weights >= 0) & np.isfinite(weights)  # NaN is neither
        if not good.all():
            index = int(good.argmin())
            cell = chunk.column(column)[index]
            raise CellError(f"a weight must be a finite number of at least 0, found {shown(cell)}", index)
    return weights
