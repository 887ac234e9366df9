"""A cell's test predictions, row by row, so that anyone can compute more than a record holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nas_fusion.errors import WriteError
from nas_fusion.system.files import open_new
from nas_fusion.training import Predictions, probabilities
from nas_fusion.training.quality import IntArray


def write_predictions(path: Path, found: Predictions, rows: IntArray | None = None) -> None:
    """Write predictions as Parquet.

    The columns are ``row`` (of the log, from 0; where that is not known ``test_row``, of the split), ``label`` (0 or 1)
    and ``probability`` (float64, so that every metric can be computed again), and, where the log has them, ``weight``
    and ``group`` (the number of a row's group).

    Args:
        path: the file.
        found: of every test row, in the order of the split.
        rows: which rows of the log they are, ``[rows]``.

    Raises:
        WriteError: it cannot be written.
    """
    columns = {
        **({"test_row": np.arange(len(found))} if rows is None else {"row": np.asarray(rows, np.int64)}),
        "label": found.labels.astype(np.int8),
        "probability": probabilities(found.logits),
    }
    if found.weights is not None:
        columns["weight"] = found.weights.astype(np.float32)
    if found.groups is not None:
        columns["group"] = found.groups
    try:
        with open_new(path) as file:
            pq.write_table(pa.table(columns), file, compression="zstd")
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error
