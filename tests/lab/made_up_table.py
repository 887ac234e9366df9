"""A table of designs with figures that are written down, not trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from nas_fusion.design import OPERATIONS
from nas_fusion.lab.table_file import COLUMNS, write_figures

FACTS = {"levels": 1, "operations": list(OPERATIONS), "rows": [100, 50, 50], "batch_size": 10}


def write_made_up(
    path: Path,
    codes: list[int],
    valid: np.ndarray,
    test: np.ndarray,
    *,
    log: str = "made-up",
    facts: Mapping[str, object] = FACTS,
) -> Path:
    """Write figures ``[design, seed, epoch]``; a design with one connection more weighs ten weights more."""
    _, seeds, epochs = valid.shape
    code, seed, epoch = (grid.ravel() for grid in np.meshgrid(codes, range(seeds), range(1, epochs + 1), indexing="ij"))
    weights = [10 * bin(one & 511).count("1") for one in code.tolist()]
    columns = {
        "log": [log] * len(code), "code": code, "seed": seed, "epoch": epoch, "valid_auc": valid.ravel(),
        "test_auc": test.ravel(), "seconds": [1.0] * len(code), "weights": weights, "multiply_adds": weights,
    }  # fmt: skip
    figures = pa.table({name: pa.array(columns[name]).cast(kind) for name, kind in COLUMNS.items()})
    write_figures(path, figures, {log: facts})
    return path
