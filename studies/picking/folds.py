"""Other divisions of a log's training and validation rows, so that more rows than its own few judge a candidate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_fusion.data import EncodedSplit, SearchData

ROWS = ("ids", "values", "labels", "numbers", "weights", "groups", "rows")
"""What a split has for every row."""

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Folds:
    """Divisions of a log: fold 0 is its own, and in every other one a part of the training rows judges instead.

    Each part is about as large as the log's validation rows, which train meanwhile, and has its share of positives.

    Args:
        data: the log; its test rows are not in it.
        seed: of the division.
    """

    data: SearchData
    seed: int

    @property
    def most(self) -> int:
        """How many folds there are, the log's own counted."""
        return 1 + len(self.data.train) // max(1, len(self.data.valid))

    def fold(self, number: int) -> SearchData:
        """Training and validation rows of a fold; rows are copied, but for the log's own fold.

        Args:
            number: from 0, below `most`.
        """
        if number == 0:
            return self.data
        is_held = self._parts == number - 1
        train, valid = self.data.train, self.data.valid
        rest = rows_of(train, np.flatnonzero(~is_held))
        return replace(self.data, train=joined(rest, valid), valid=rows_of(train, np.flatnonzero(is_held)))

    @cached_property
    def _parts(self) -> Places:
        """The part of every training row."""
        labels = np.asarray(self.data.train.labels)
        order = np.random.default_rng(self.seed).permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]  # dealt out by label
        parts = np.empty(len(labels), np.int64)
        parts[order] = np.arange(len(labels)) % max(1, self.most - 1)
        return parts


def rows_of(split: EncodedSplit, places: Places) -> EncodedSplit:
    """Some rows of a split, copied.

    Args:
        split: of a log.
        places: of the rows, ascending.
    """
    parts: dict[str, Any] = {
        name: None if (array := getattr(split, name)) is None else np.asarray(array[places]) for name in ROWS
    }
    return EncodedSplit(**parts, positives=int(np.sum(parts["labels"])))


def joined(first: EncodedSplit, second: EncodedSplit) -> EncodedSplit:
    """The rows of one split, and behind them those of another one of the same log."""
    parts: dict[str, Any] = {}
    for name in ROWS:
        arrays = [getattr(split, name) for split in (first, second)]
        parts[name] = None if any(array is None for array in arrays) else np.concatenate(arrays)
    return EncodedSplit(**parts, positives=first.positives + second.positives)
