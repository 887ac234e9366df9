"""``tracked.json``: which tracker knows which cells of a study, so that none is told twice."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from nas_fusion.errors import DamagedFileError
from nas_fusion.system.files import write_text
from nas_fusion.system.seals import read_sealed, sealed
from nas_fusion.tracking.tracked_cell import Tracked

FORMAT_VERSION = 1
_BYTES = 4

logger = logging.getLogger("nas_fusion")


class ToldCells:
    """Remembers in a file who was told of what. Where the file is damaged, everybody is told again.

    Args:
        path: of the file; it need not be there.

    Attributes:
        identifier: of the study, for trackers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.identifier = secrets.token_hex(_BYTES)
        self._told: dict[str, dict[str, str]] = {}
        try:
            self._read()
        except DamagedFileError as error:
            logger.warning("%s: trackers are told of every cell again", error)

    def knows(self, tracker: str, place: str, cell: Tracked) -> bool:
        """Whether a tracker was told of a cell as it is now, at this place."""
        return self._told.get(f"{tracker} {place}", {}).get(cell.name) == cell.identifier

    def add(self, tracker: str, place: str, cell: Tracked) -> None:
        """A tracker was told.

        Raises:
            WriteError: the file cannot be written.
        """
        self._told.setdefault(f"{tracker} {place}", {})[cell.name] = cell.identifier
        content = {"format": FORMAT_VERSION, "study": self.identifier, "told": self._told}
        write_text(self._path, sealed(content) + "\n")

    def _read(self) -> None:
        if not self._path.exists():
            return
        content = read_sealed(self._path)
        try:
            if content["format"] != FORMAT_VERSION:
                raise ValueError(f"format must be {FORMAT_VERSION}")
            told = {str(key): {str(c): str(i) for c, i in cells.items()} for key, cells in content["told"].items()}
            self.identifier, self._told = str(content["study"]), told
        except (KeyError, ValueError, AttributeError) as error:
            raise DamagedFileError(self._path, f"not what trackers were told: {error}") from error
