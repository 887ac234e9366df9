"""What Optuna's dashboard shows of a cell: copies of what tells of it, made anew where they are damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from optuna.artifacts import get_all_artifact_meta
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from nas_fusion.errors import WriteError
from nas_fusion.studies.cells.cell_files import COPIES
from nas_fusion.studies.setup.strangers import plain_name
from nas_fusion.system.files import write_text

logger = logging.getLogger("nas_fusion")


def artifact_folder(path: Path) -> Path:
    """The folder of the artifacts, which is there afterwards.

    Raises:
        WriteError: it cannot be made.
    """
    try:
        if path.exists() and not path.is_dir():
            logger.warning("%s is no folder: it is made anew", path)
            path.unlink()
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error
    return path


def copy_artifacts(trial: FrozenTrial, storage: BaseStorage, cell: Path, artifacts: Path) -> None:
    """Let a dashboard find what tells of a cell (`COPIES`); only this, whatever the storage says of others.

    Args:
        trial: of the cell.
        storage: knows under which names the artifacts lie.
        cell: the cell's folder.
        artifacts: the folder of the artifacts.
    """
    for name, artifact in _artifacts(trial, storage):
        source, copy = cell / name, artifacts / artifact
        if not source.is_file() or (copy.is_file() and copy.read_bytes() == source.read_bytes()):
            continue
        try:
            write_text(copy, source.read_bytes().decode())
        except WriteError as error:  # only a copy
            logger.warning("%s", error)


def _artifacts(trial: FrozenTrial, storage: BaseStorage) -> Iterable[tuple[str, str]]:
    try:
        for meta in get_all_artifact_meta(trial, storage=storage):
            if meta.filename in COPIES:
                yield meta.filename, plain_name(meta.artifact_id)
    except (ValueError, TypeError) as error:
        logger.warning("trial %d: artifacts that the storage names badly are left out (%s)", trial.number, error)
