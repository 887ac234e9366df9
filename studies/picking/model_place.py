"""Where the model goes: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from nas_fusion.errors import OptionError, WriteError
from nas_fusion.serving import copy_model
from nas_fusion.studies.cells.cell_files import MODEL
from nas_fusion.system.places import check_folder_place

PAGE = "report.html"


def check_out(out: Path) -> None:
    """Refuse a place where something else than a model is.

    Raises:
        OptionError: there is.
    """
    check_folder_place("out", out)
    if out.is_dir() and any(out.iterdir()) and not (out / PAGE).is_file():
        raise OptionError("out", "a new folder, or one with a model of an earlier fit", str(out))


def put_model(cell: Path, out: Path, page: str) -> None:
    """Copy a cell's model, with a page about it; the folder gets its name when all is there.

    Args:
        cell: folder of the cell.
        out: folder of the model; an older one is replaced.
        page: HTML.

    Raises:
        DamagedFileError: the cell has no model.
        WriteError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(out.parent, error.strerror or error) from error
    copy_model(cell / MODEL, out, {PAGE: page})
