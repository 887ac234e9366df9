"""`BatchLoader`: whole batches out of an encoded split, shuffled again in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas_fusion.data.encoded_dataset import EncodedSplit
from nas_fusion.errors import OptionError

WINDOW_BYTES = 1 << 28
"""Rows that are shuffled together: a split of up to 256 MiB as a whole, a larger one window by window."""

CHUNKS_PER_WINDOW = 32
"""Runs of neighbouring rows that meet in one window: read in sequence, drawn from all over the file."""


class Batch(NamedTuple):
    """Rows of an encoded split; `values` is None if no field is scaled.

    `weights` say how much a row counts beside the split's others: their mean over the split is 1. None if all count
    alike. `whole` is the number of rows of the batch that this one is a share of; None if it is whole itself.
    """

    ids: Int[Tensor, "batch column"]
    values: Float[Tensor, "batch value"] | None
    labels: Float[Tensor, " batch"]
    weights: Float[Tensor, " batch"] | None = None
    whole: int | None = None

    @property
    def rows(self) -> int:
        """Rows of the whole batch."""
        return len(self.labels) if self.whole is None else self.whole


class Share(NamedTuple):
    """Which part of every batch a process gets, of several that train together: neighbouring rows, all of a size.

    Args:
        number: of the process, from 0.
        of: how many there are.
    """

    number: int = 0
    of: int = 1

    def part(self, rows: int) -> slice:
        """Which of so many rows."""
        return slice(rows * self.number // self.of, rows * (self.number + 1) // self.of)


ALL_ROWS = Share()
"""Of a process that trains alone."""


class _Rows(NamedTuple):
    """The same as arrays."""

    ids: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32] | None
    labels: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32] | None
    whole: int


class BatchLoader:
    """Iterate over a split in whole batches; every iteration is the next epoch.

    With `shuffle`, epoch e's order depends on `seed` and e alone. A split that fits into a window is permuted as a
    whole. A larger one is cut into chunks; the chunks are permuted, as many as fill a window are read, and their
    rows permuted: reading stays sequential within a chunk and memory is bounded by a window.

    Args:
        split: the rows.
        batch_size: rows per batch; the last one may be smaller, or larger by less than `smallest`.
        shuffle: permute the rows, else keep the order of the split.
        seed: of the permutations.
        drop_last: leave out a smaller last batch.
        pin_memory: put batches into page-locked memory, for faster copies to a GPU.
        window_rows: rows that are shuffled together; by default as many as fill 256 MiB.
        share: of every batch; batches have the same rows, whatever share is taken.

    Attributes:
        epoch: number of the next iteration, from 0. Set it to resume.
        smallest: a last batch of fewer rows joins the one before it, if there is one; 1 unless set: none is so small.

    Raises:
        OptionError: a size that is not positive.
    """

    def __init__(
        self,
        split: EncodedSplit,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
        window_rows: int | None = None,
        share: Share = ALL_ROWS,
    ) -> None:
        if batch_size < 1:
            raise OptionError("batch_size", "a positive integer", batch_size)
        if window_rows is not None and window_rows < 1:
            raise OptionError("window_rows", "a positive integer", window_rows)
        self.split, self.batch_size, self.shuffle, self.seed = split, batch_size, shuffle, seed
        self.drop_last, self.pin_memory, self.share = drop_last, pin_memory, share
        self.epoch, self.smallest = 0, 1
        width = 1 + split.ids.shape[1] + (split.values.shape[1] if split.values is not None else 0)
        width += split.weights is not None
        self.window_rows = window_rows or max(1, WINDOW_BYTES // (4 * width))

    def __len__(self) -> int:
        """The number of batches."""
        return self._pieces - self._joins

    @property
    def _pieces(self) -> int:
        """The number of batches before the last two are joined."""
        whole, rest = divmod(len(self.split), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    @property
    def _joins(self) -> bool:
        """Whether the last batch joins the one before it."""
        last = len(self.split) % self.batch_size or self.batch_size
        return self._pieces > 1 and not self.drop_last and last < self.smallest

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that of this epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        self.epoch += 1
        pieces = self._shuffled(epoch) if self.shuffle else self._in_order()
        return map(self._to_batch, _last_two_joined(pieces) if self._joins else pieces)

    def _in_order(self) -> Iterator[_Rows]:
        for start in range(0, self._pieces * self.batch_size, self.batch_size):
            yield _copied(self._shared(self._view(start, start + self.batch_size)))

    def _shuffled(self, epoch: int) -> Iterator[_Rows]:
        rng = np.random.default_rng([self.seed, epoch])
        rows = len(self.split)
        if rows <= self.window_rows:
            order = rng.permutation(rows)
            for start in range(0, self._pieces * self.batch_size, self.batch_size):
                yield self._taken(self.split, order[start : start + self.batch_size])
            return
        carried = self._view(0, 0)
        for window in self._windows(rng):
            pool = _concatenate([carried, *(self._view(start, stop) for start, stop in window)])
            # What the last window left over stays in front, so that every row's turn comes.
            first = len(carried.labels)
            order = np.concatenate([np.arange(first), first + rng.permutation(len(pool.labels) - first)])
            whole = len(order) - len(order) % self.batch_size
            for start in range(0, whole, self.batch_size):
                yield self._taken(pool, order[start : start + self.batch_size])
            carried = _take(pool, order[whole:])
        if len(carried.labels) and not self.drop_last:
            yield self._shared(carried)

    def _taken(self, rows: EncodedSplit | _Rows, index: npt.NDArray[np.int64]) -> _Rows:
        """The share of the batch with these rows."""
        return _take(rows, index[self.share.part(len(index))])._replace(whole=len(index))

    def _shared(self, batch: _Rows) -> _Rows:
        return _part(batch, self.share.part(len(batch.labels)))

    def _windows(self, rng: np.random.Generator) -> Iterator[list[tuple[int, int]]]:
        """Chunks (first row, last row + 1) in random order, as many at a time as fill a window."""
        size = max(1, self.window_rows // CHUNKS_PER_WINDOW)
        per_window = max(1, self.window_rows // size)
        starts = rng.permutation(-(-len(self.split) // size)) * size
        for first in range(0, len(starts), per_window):
            chosen = starts[first : first + per_window]
            yield [(int(s), min(int(s) + size, len(self.split))) for s in chosen]

    def _view(self, start: int, stop: int) -> _Rows:
        """Neighbouring rows where they lie: read-only, in the file."""
        part = _part(self.split, slice(start, stop))
        return part._replace(whole=len(part.labels))

    def _to_batch(self, rows: _Rows) -> Batch:
        ids, labels = self._tensor(rows.ids), self._tensor(rows.labels)
        values = None if rows.values is None else self._tensor(rows.values)
        whole = None if self.share.of == 1 else rows.whole
        if rows.weights is None:
            return Batch(ids, values, labels, whole=whole)
        relative = (rows.weights / self.split.mean_weight).astype(np.float32)
        return Batch(ids, values, labels, self._tensor(relative), whole)

    def _tensor(self, array: npt.NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory() if self.pin_memory else tensor


def _last_two_joined(pieces: Iterator[_Rows]) -> Iterator[_Rows]:
    """The same rows, the last two pieces as one."""
    before, last = next(pieces), next(pieces)
    for piece in pieces:
        yield before
        before, last = last, piece
    yield _concatenate([before, last])


def _copied(rows: _Rows) -> _Rows:
    values = None if rows.values is None else np.array(rows.values)
    weights = None if rows.weights is None else np.array(rows.weights)
    return _Rows(np.array(rows.ids), values, np.array(rows.labels), weights, rows.whole)


def _part(rows: EncodedSplit | _Rows, part: slice) -> _Rows:
    """Neighbouring rows where they lie."""
    values = None if rows.values is None else rows.values[part]
    weights = None if rows.weights is None else rows.weights[part]
    return _Rows(rows.ids[part], values, rows.labels[part], weights, len(rows.labels))


def _take(rows: EncodedSplit | _Rows, index: npt.NDArray[np.int64]) -> _Rows:
    values = None if rows.values is None else np.asarray(rows.values[index])
    weights = None if rows.weights is None else np.asarray(rows.weights[index])
    return _Rows(np.asarray(rows.ids[index]), values, np.asarray(rows.labels[index]), weights, len(index))


def _concatenate(parts: list[_Rows]) -> _Rows:
    values = [p.values for p in parts if p.values is not None]
    weights = [p.weights for p in parts if p.weights is not None]
    return _Rows(
        np.concatenate([p.ids for p in parts]),
        np.concatenate(values) if values else None,
        np.concatenate([p.labels for p in parts]),
        np.concatenate(weights) if weights else None,
        sum(p.whole for p in parts),
    )
