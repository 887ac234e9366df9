"""Two levels on the training rows: batches for the weights, and batches of other rows for gates and mixtures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from nas_fusion.data import Batch, BatchLoader, EncodedSplit

HELD_OUT = 0x6A7E
"""Name of the stream of random numbers by which rows are held out."""


class TwoLevels(TypedDict):
    """A step's rows: those that the weights learn from, and those that gates and mixtures learn from."""

    train: Batch
    held_out: Batch


class TwoLevelLoader:
    """Iterate over batches of both kinds; an epoch takes every row of either once.

    Args:
        weights, gates: loaders of disjoint rows, with as many batches each.
    """

    def __init__(self, weights: BatchLoader, gates: BatchLoader) -> None:
        self.weights, self.gates = weights, gates

    @classmethod
    def of(cls, loader: BatchLoader, share: float) -> TwoLevelLoader:
        """Divide a loader's rows; which are held out depends on its seed alone."""
        rows = len(loader.split)
        count = min(max(round(share * rows), 1), rows - 1)
        order = np.random.default_rng([loader.seed, HELD_OUT]).permutation(rows)
        steps = -(-rows // loader.batch_size)

        def part(index: npt.NDArray[np.int64]) -> BatchLoader:
            return BatchLoader(
                _rows_of(loader.split, np.sort(index)),
                -(-len(index) // steps),
                shuffle=loader.shuffle,
                seed=loader.seed,
                pin_memory=loader.pin_memory,
            )

        return cls(part(order[count:]), part(order[:count]))

    def __len__(self) -> int:
        """The number of steps."""
        return min(len(self.weights), len(self.gates))

    def __iter__(self) -> Iterator[TwoLevels]:
        for train, held_out in zip(self.weights, self.gates, strict=False):
            yield {"train": train, "held_out": held_out}


def _rows_of(split: EncodedSplit, index: npt.NDArray[np.int64]) -> EncodedSplit:
    """Some rows of a split, in memory."""
    labels = split.labels[index]
    arrays = {
        name: None if (array := getattr(split, name)) is None else array[index]
        for name in ("values", "numbers", "weights", "groups", "rows")
    }
    return replace(split, ids=split.ids[index], labels=labels, positives=int(labels.sum()), **arrays)
