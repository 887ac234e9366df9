"""`GroupCounter`: the rows of a log by a column whose equal cells belong together: a user, a session."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.data.sources.cells import Categories

Groups = npt.NDArray[np.int32]


class GroupCounter:
    """Numbers the groups of a log. Life: `observe` for every chunk, `numbers` once.

    A group's number is its place among the groups as they are first met. A row whose cell is missing belongs to nobody
    and is a group of its own. Memory: the different cells, and four bytes a row.
    """

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._numbers: list[Groups] = []

    def observe(self, column: Categories) -> None:
        """Take in a chunk's cells."""
        known = self._known
        values = [known.setdefault(value, len(known)) for value in column.values.to_pylist()]
        self._numbers.append(np.array([*values, -1], np.int32)[column.codes])  # code -1 picks the last

    def numbers(self) -> Groups:
        """The number of every row's group, int32 ``[rows]``."""
        found = np.concatenate(self._numbers) if self._numbers else np.zeros(0, np.int32)
        alone = found < 0
        found[alone] = len(self._known) + np.arange(int(alone.sum()), dtype=np.int32)
        return found

    @property
    def missing(self) -> int:
        """How many rows belong to nobody."""
        return sum(int((numbers < 0).sum()) for numbers in self._numbers)
