"""What is exported is compared with the model that it was made of, before anybody gets to see it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding import EncodedRows
from nas_fusion.errors import NasFusionError
from nas_fusion.serving.export.encoding_map import ENCODING
from nas_fusion.serving.export.export_formats import Arrays, Run
from nas_fusion.serving.export.made_up_rows import Row
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.training import probabilities

TOLERANCE = 1e-5
"""Of probabilities: float32 is summed in another order elsewhere, which moves the seventh digit."""

BATCH_SIZES = (1, 2, 7)
"""Beside all rows at once. One row is what a size that was taken for a constant fails on."""

SINGLE_ROWS = 16
"""Of so many rows every batch size is tried; one by one all rows would take long."""

Probabilities = npt.NDArray[np.float64]
Encode = Callable[[Sequence[Row]], tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]


class ExportError(NasFusionError, RuntimeError):
    """A model cannot be exported, or what was exported gives other scores."""


class Compared(NamedTuple):
    """What a check found.

    Args:
        worst: the largest difference of two probabilities.
        rows: how many there were.
        batch_sizes: that were tried.
    """

    worst: float
    rows: int
    batch_sizes: tuple[int, ...]


def inputs_of(rows: EncodedRows) -> Arrays:
    """Encoded rows as an exported model takes them: ids int64, and values float32 if there are any."""
    ids = rows.ids.astype(np.int64)
    return [ids] if rows.values is None else [ids, rows.values.astype(np.float32)]


def compare_scores(model: SavedModel, run: Run, rows: EncodedRows) -> Compared:
    """Compare the probabilities of an exported model with ours, in batches of several sizes.

    Args:
        model: that was exported.
        run: what came of it.
        rows: any.

    Raises:
        ExportError: two of them differ by more than `TOLERANCE`, or have other shapes; says where.
    """
    ours, arrays = probabilities(model.encoded_logits(rows)), inputs_of(rows)
    sizes = (*BATCH_SIZES, len(ours))
    worst = max(_worst(ours, run, arrays, size) for size in sizes)
    return Compared(worst, len(ours), sizes)


def _worst(ours: Probabilities, run: Run, arrays: Arrays, size: int) -> float:
    rows = len(ours) if size == len(ours) else min(SINGLE_ROWS, len(ours))
    theirs = [run([array[start : start + size] for array in arrays]) for start in range(0, rows, size)]
    found, expected = np.concatenate(theirs), ours[: sum(map(len, theirs))]
    if found.shape != expected.shape:
        raise ExportError(f"in batches of {size}: expected probabilities {expected.shape}, found {found.shape}")
    differences = np.abs(found - expected)
    if not differences.max() <= TOLERANCE:  # NaN, too
        row = int(differences.argmax())
        raise ExportError(
            f"in batches of {size}, row {row + 1} has the probability {found[row]:.8f} where the model itself gives "
            f"{expected[row]:.8f}: they may differ by {TOLERANCE:g}"
        )
    return float(differences.max())


def compare_encoding(folder: Path, rows: Sequence[Row], ours: EncodedRows) -> None:
    """Compare what the exported encoder makes of rows with what the model's own makes of them: the same, to the bit.

    Args:
        folder: of the exported model.
        rows: as dictionaries.
        ours: the same rows, encoded.

    Raises:
        ExportError: an id or a value differs; says where.
    """
    with reference_encoder(folder) as encode:
        theirs = encode(rows)
    for name, one, other in zip(
        ("id", "value"), map(np.asarray, theirs), map(np.asarray, inputs_of(ours)), strict=False
    ):
        if not np.array_equal(one, other):
            row, column = (int(place[0]) for place in np.nonzero(one != other))
            raise ExportError(
                f"encoder.py gives row {row + 1} the {name} {one[row, column]} in column {column + 1} where the model "
                f"itself gives {other[row, column]}; the row is {rows[row]!r}"
            )


@contextmanager
def reference_encoder(folder: Path) -> Iterator[Encode]:
    """The exported encoder, as whoever gets the folder has it: from its files there.

    Args:
        folder: of the exported model, written by nas-fusion itself.
    """
    spec = importlib.util.spec_from_file_location("exported_encoder", folder / "encoder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    beside = {name: sys.modules.pop(name, None) for name in ("encoder_hashes", "encoder_times")}
    sys.path.insert(0, str(folder))
    written = sys.dont_write_bytecode
    try:
        sys.dont_write_bytecode = True
        spec.loader.exec_module(module)
        yield module.Encoder(folder / ENCODING)
    finally:
        sys.dont_write_bytecode = written
        sys.path.remove(str(folder))
        for name, before in beside.items():
            sys.modules.pop(name, None)
            if before is not None:
                sys.modules[name] = before
