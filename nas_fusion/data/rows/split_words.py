"""`SplitWords`: a column that says the split of every row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.data.sources.cells import Categories, CellError
from nas_fusion.errors import shown

Codes = npt.NDArray[np.int8]

SPLIT_WORDS = {
    **{"train": 0, "training": 0, "0": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "1": 1},
    **{"test": 2, "testing": 2, "2": 2},
}
"""What a split column may hold, in any case."""

NO_SPLIT = -1
"""Code of a word that names no split."""


class SplitWords:
    """Reads the splits of a column. Life: `observe` for every chunk, `codes` once.

    Attributes:
        odd: row and text of the first cell that names no split; a column that is only called "split" is then a field.
    """

    def __init__(self) -> None:
        self._codes: list[Codes] = []
        self.odd: tuple[int, str] | None = None

    def observe(self, column: Categories, first_row: int) -> None:
        """Take in a chunk's cells."""
        words = [str(word) for word in column.values.to_pylist()]
        splits = [SPLIT_WORDS.get(word.lower().removesuffix(".0"), NO_SPLIT) for word in words]  # pandas writes 1.0
        codes = np.array([*splits, NO_SPLIT], np.int8)[column.codes]  # code -1, of a missing cell, picks the last
        if self.odd is None and (codes == NO_SPLIT).any():
            index = int((codes == NO_SPLIT).argmax())
            self.odd = first_row + index, words[column.codes[index]] if column.codes[index] >= 0 else ""
        self._codes.append(codes)

    def codes(self) -> Codes:
        """The split of every row, as its position in `SPLITS`, int8 ``[rows]``.

        Raises:
            CellError: a cell names no split.
        """
        if self.odd is not None:
            row, word = self.odd
            raise CellError(f"a split must be train, valid, test, 0, 1 or 2, found {shown(word)}", row)
        return np.concatenate(self._codes) if self._codes else np.zeros(0, np.int8)
