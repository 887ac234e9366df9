"""Batches of an encoded split: how fast they come alone, and how long a training waits for them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks._harness import Options, Row, in_ms, take_turns
from benchmarks.encoding import write_log
from nas_fusion.baselines import parallel
from nas_fusion.data import Batch, BatchLoader, DataOptions, EncodedSplit, prepare
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TrainConfig, fit

FIELDS, BATCH = 39, 4096
PLAIN_ROWS = 100_000


def run(options: Options) -> Iterator[Row]:
    """Shuffled batches of 4096 rows of 39 fields: a split that is shuffled as a whole, and one window by window."""
    shrink = 100 if options.quick else 1
    plain_rows = PLAIN_ROWS // shrink
    for case, rows in (("shuffled as a whole", 1_000_000 // shrink), ("window by window", 4_000_000 // shrink)):
        split = random_split(options.folder, rows)
        plain, ours = take_turns([_plain_epoch(split, plain_rows), _epoch(split)], options.repeats, warm_up=1)
        rate, plain_rate = rows / statistics.median(ours), plain_rows / statistics.median(plain)
        details = {
            "epoch ms": in_ms(ours),
            "plain rows/s": round(plain_rate),
            "times plain": round(rate / plain_rate, 1),
        }
        yield Row(f"{rows:,} rows, {case}", rate, "rows/s", 2e6, details)
        del split
    yield _waiting(options)


def random_split(folder: Path, rows: int) -> EncodedSplit:
    """Ids and labels in files, as `prepare` leaves them."""
    rng = np.random.default_rng(0)
    np.save(folder / "ids.npy", rng.integers(0, 10_000, (rows, FIELDS), np.int32))
    np.save(folder / "labels.npy", rng.integers(0, 2, rows).astype(np.float32))
    ids, labels = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "labels"))
    return EncodedSplit(ids, None, labels, int(labels.sum()))


def _epoch(split: EncodedSplit) -> Any:
    loader = BatchLoader(split, BATCH, shuffle=True)
    return lambda: _drain(loader)


def _plain_epoch(split: EncodedSplit, rows: int) -> Any:
    """What one writes first: rows one by one out of a `TensorDataset`, collated by a `DataLoader`."""
    ids: Tensor = torch.from_numpy(np.array(split.ids[:rows]))
    labels: Tensor = torch.from_numpy(np.array(split.labels[:rows]))
    loader = DataLoader(TensorDataset(ids, labels), BATCH, shuffle=True)
    return lambda: _drain(loader)


def _drain(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


class _Clock:
    """Adds up the seconds that are spent in `next` of any `BatchLoader`."""

    def __init__(self) -> None:
        self.seconds, self.batches = 0.0, 0

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - start
            if batch is None:
                return
            self.batches += 1
            yield batch


def _waiting(options: Options) -> Row:
    """The share of an epoch, its validation included, that the training of a derived model waits for batches."""
    rows = 5_000 if options.quick else 300_000
    log = options.folder / "criteo.txt"
    write_log(log, rows)
    data = prepare(log, DataOptions(format="criteo"), cache=options.folder / "cache").search_view()
    log.unlink()
    config = TrainConfig(max_epochs=1, batch_size=256 if options.quick else BATCH)
    space = FusionSpace.for_schema(data.schema)
    model = space.derive(parallel(space.designs), weights=False)
    clock, original = _Clock(), BatchLoader.__iter__
    with patch.object(BatchLoader, "__iter__", lambda loader: clock.timed(original(loader))):
        seconds = fit(model, data, config).seconds
    details = {"epoch s": round(seconds, 2), "waiting s": round(clock.seconds, 3), "batches": clock.batches}
    return Row("share of a training spent waiting", clock.seconds / seconds, "", 0.03, details, at_most=True)
