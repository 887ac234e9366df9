"""A small piece of a log, in which a training goes through the same steps as in the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nas_fusion.data import EncodedSplit, SearchData

BATCHES = 6
"""Of the training rows: the first ones take longer, and what is timed must not be one hiccup."""


@dataclass(frozen=True)
class Miniature:
    """A piece of a log's training and validation rows.

    Args:
        data: the piece.
        share: which part of the training rows it has.
        valid_share: which part of the validation rows.
    """

    data: SearchData
    share: float
    valid_share: float

    @classmethod
    def of(cls, data: SearchData, batch_size: int, batches: int = BATCHES) -> Miniature:
        """The first batches of the training rows, and about as large a part of the validation rows.

        Args:
            data: the log.
            batch_size: rows of a batch.
            batches: how many.
        """
        rows = _with_both_classes(data.train, min(len(data.train), batches * batch_size))
        valid = _with_both_classes(data.valid, max(1, round(len(data.valid) * rows / len(data.train))))
        piece = replace(data, train=head(data.train, rows), valid=head(data.valid, valid))
        return cls(piece, rows / len(data.train), valid / len(data.valid))


def head(split: EncodedSplit, rows: int) -> EncodedSplit:
    """The first rows of a split."""
    parts: dict[str, Any] = {
        name: None if (array := getattr(split, name)) is None else array[:rows]
        for name in ("ids", "values", "labels", "numbers", "weights", "groups", "rows")
    }
    return EncodedSplit(**parts, positives=int(np.asarray(split.labels[:rows]).sum()))


def _with_both_classes(split: EncodedSplit, rows: int) -> int:
    """So many rows, or as many more as it takes to have a positive and a negative one, two of each if there are."""
    labels = np.asarray(split.labels)
    places = [np.flatnonzero(labels == label)[:2] for label in (0, 1)]
    return max(rows, *(int(found[-1]) + 1 for found in places if len(found)))
