"""The folder of a finished cell: its record with checksums, its design, drawing, model and test predictions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.design_file import CONTEXT, design_text
from nas_fusion.errors import DamagedFileError, StudyError, WriteError
from nas_fusion.records import CellRecord
from nas_fusion.report import cell_page, draw_design, draw_reliability
from nas_fusion.serving import check_model
from nas_fusion.system.files import read_text, write_text
from nas_fusion.system.seals import check_file, seal_of_file

CELL, DESIGN, DRAWING = "cell.json", "design.json", "design.svg"
CURVE, PAGE = "reliability.svg", "report.md"
COPIES = (DESIGN, DRAWING, CURVE, PAGE)
"""What is made from a cell's record, and shown in dashboards: design and drawing, reliability curve, and a page."""
PREDICTIONS = "predictions.parquet"
MODEL = "model"
MANIFEST = f"{MODEL}/model.json"
"""Of the cell's model (`nas_fusion.serving`); it holds the checksums of the model's other files."""
BARE_WEIGHTS = "model.pt"
"""What cells had in place of a model: weights without anything that says what they are of."""
MADE_ONCE = (MANIFEST, BARE_WEIGHTS, PREDICTIONS)
"""What cannot be made anew from a cell's record; no figure of the record depends on it any more."""
AGAIN = "delete its folder, and the command that made the study computes the cell again"
CHECKED_WHOLE = 1 << 24
"""Weights up to this many bytes are compared with their checksum whenever a cell is read; of larger ones, the size."""

logger = logging.getLogger("nas_fusion")


def write_cell(folder: Path, record: CellRecord) -> None:
    """Write a cell's record and its `COPIES` into its folder, and checksums of all that lies there.

    Raises:
        WriteError: a file cannot be written.
    """
    _write_copies(folder, record)
    write_text(folder / CELL, record.to_json(_seals(folder, (*COPIES, *MADE_ONCE))))


def read_cell(folder: Path, remedy: str = "") -> CellRecord:
    """The record of a finished cell.

    `COPIES` tell what the record says, and are made anew where they are damaged; damaged weights and
    predictions are warned of, since no figure of the record depends on them any more.

    Args:
        folder: the cell's.
        remedy: what to do about a damaged record, for the message.

    Raises:
        DamagedFileError: the record is missing, cannot be read or was changed.
    """
    path = folder / CELL
    try:
        record, files = CellRecord.with_files(read_text(path, remedy))
    except DamagedFileError:
        raise
    except StudyError as error:
        raise DamagedFileError(path, error, remedy) from error
    if f"{record.strategy}-{record.seed}" != folder.name:
        raise DamagedFileError(path, f"it is the record of {record.strategy}, seed {record.seed}", remedy)
    if files is not None:
        _check_files(folder, record, files)
    return record


def warn_of_unsealed(folders: Iterable[Path]) -> None:
    """Say how many cells that can be read have no checksum, being of the first format."""
    count = sum(CellRecord.with_files(read_text(folder / CELL))[1] is None for folder in folders)
    if count:
        logger.warning("%d cells have no checksum, being older; damage to them would not be noticed", count)


def _check_files(folder: Path, record: CellRecord, files: Mapping[str, Any]) -> None:
    damaged = []
    for name, seal in files.items():
        try:
            check_file(folder / name, seal, largest=CHECKED_WHOLE)
            if name == MANIFEST:
                check_model(folder / MODEL, largest=CHECKED_WHOLE)
        except DamagedFileError as error:
            damaged.append(name)
            what = "predictions" if name == PREDICTIONS else "weights"
            fate = f"the cell's figures hold, its {what} do not ({AGAIN})" if name in MADE_ONCE else "it is made anew"
            logger.warning("%s: %s", error, fate)
    if set(damaged) - set(MADE_ONCE):
        try:
            _write_copies(folder, record)
            # A drawing of this version may be another one than that of the version that computed the cell.
            write_text(folder / CELL, record.to_json({**files, **_seals(folder, COPIES)}))
        except WriteError as error:
            logger.warning("%s", error)


def _seals(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    return {name: seal_of_file(folder / name) for name in names if (folder / name).is_file()}


def _write_copies(folder: Path, record: CellRecord) -> None:
    write_text(folder / DESIGN, design_text(record.design, record.details.get(CONTEXT)))
    title = f"{record.strategy}, seed {record.seed}"
    if isinstance(record.design, FusionDesign):
        write_text(folder / DRAWING, draw_design(record.design, title=title))
    if record.reliability:
        write_text(folder / CURVE, draw_reliability(record.reliability, title))
    write_text(folder / PAGE, cell_page(record))
