"""The cells that lie in a study folder."""

from __future__ import annotations

import logging

from nas_fusion.errors import DamagedFileError
from nas_fusion.records import CellRecord
from nas_fusion.studies.cells.cell_files import CELL, read_cell
from nas_fusion.studies.setup.study_folder import StudyFolder

logger = logging.getLogger("nas_fusion")


class WrittenCells:
    """Reads the cells of a study folder, whoever wrote them.

    Args:
        folder: the study's.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder
        self._damaged: set[tuple[str, int]] = set()

    def load(self, strategy: str, seed: int) -> CellRecord | None:
        """A cell that was written; one whose record is damaged was not, which is warned of once."""
        folder = self._folder.cell(strategy, seed)
        if not (folder / CELL).exists():
            return None
        try:
            return read_cell(folder)
        except DamagedFileError as error:
            if (strategy, seed) not in self._damaged:
                self._damaged.add((strategy, seed))
                logger.warning("%s: its cell is computed again", error)
            return None
