"""Batches are whole, every row comes exactly once per epoch, and the order is a function of seed and epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nas_fusion.data import ALL_ROWS, Batch, BatchLoader, DataOptions, EncodedSplit, Share, prepare
from nas_fusion.errors import OptionError

WINDOWS = [None, 64, 40, 7]
"""None: the whole split; the others: several windows, smaller ones than a batch among them."""


@pytest.fixture
def split(tmp_path: Path) -> EncodedSplit:
    """403 training rows whose scaled field `row` tells them apart."""
    rows = 503
    frame = pd.DataFrame(
        {
            "row": np.arange(rows),
            "x": np.arange(rows) % 7,
            "label": np.arange(rows) % 2,
            "split": ["train"] * 403 + ["valid"] * 50 + ["test"] * 50,
        }
    )
    data = prepare(frame, DataOptions(numeric={"row": "scale"}), cache=tmp_path / "cache")
    return data.train


def order(batches: list[Batch]) -> list[int]:
    """Which rows came, by rank of their scaled number."""
    values = torch.cat([b.values for b in batches if b.values is not None])[:, 0]
    # Rows are equidistant: (row - mean) / std.
    step = (2.0 * 3**0.5) / np.sqrt(403**2 - 1)
    return [int(i) for i in (values.numpy() / step + 201).round()]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_row_once_in_whole_batches(split: EncodedSplit, window: int | None, shuffle: bool) -> None:
    loader = BatchLoader(split, 32, shuffle=shuffle, window_rows=window)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == 13
        assert [len(b.labels) for b in batches] == [32] * 12 + [19]
        assert sorted(order(batches)) == list(range(403))


@pytest.mark.parametrize("window", WINDOWS)
def test_drop_last(split: EncodedSplit, window: int | None) -> None:
    for shuffle in (False, True):
        loader = BatchLoader(split, 32, shuffle=shuffle, drop_last=True, window_rows=window)
        batches = list(loader)
        assert [len(b.labels) for b in batches] == [32] * 12
        assert len(loader) == 12
        assert len(set(order(batches))) == 384


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_last_batch_that_is_too_small_joins_the_one_before(
    split: EncodedSplit, window: int | None, shuffle: bool
) -> None:
    def batches(batch_size: int, smallest: int) -> list[Batch]:
        loader = BatchLoader(split, batch_size, shuffle=shuffle, window_rows=window)
        loader.smallest = smallest
        found = list(loader)
        assert len(found) == len(loader)
        return found

    joined = batches(67, 2)  # 403 = 6 · 67 + 1
    assert [len(b.labels) for b in joined] == [67] * 5 + [68]
    assert order(joined) == order(batches(67, 1))  # the same rows in the same order
    assert torch.equal(joined[0].ids, batches(67, 1)[0].ids)
    assert [len(b.labels) for b in batches(402, 2)] == [403]
    assert [len(b.labels) for b in batches(32, 20)] == [32] * 11 + [51]
    assert [len(b.labels) for b in batches(31, 2)] == [31] * 13
    assert [len(b.labels) for b in batches(500, 501)] == [403]  # there is none before it


@pytest.mark.parametrize("window", WINDOWS)
def test_ids_values_and_labels_stay_together(split: EncodedSplit, window: int | None) -> None:
    batches = list(BatchLoader(split, 50, shuffle=True, window_rows=window))
    rows = order(batches)
    np.testing.assert_array_equal(torch.cat([b.ids for b in batches]), split.ids[rows])
    np.testing.assert_array_equal(torch.cat([b.labels for b in batches]), split.labels[rows])


@pytest.mark.parametrize("window", WINDOWS)
def test_order_is_a_function_of_seed_and_epoch(split: EncodedSplit, window: int | None) -> None:
    loader = BatchLoader(split, 32, shuffle=True, seed=3, window_rows=window)
    epochs = [order(list(loader)) for _ in range(3)]
    assert loader.epoch == 3
    assert epochs[0] != epochs[1] != epochs[2]
    resumed = BatchLoader(split, 32, shuffle=True, seed=3, window_rows=window)
    resumed.epoch = 2
    assert order(list(resumed)) == epochs[2]
    resumed.set_epoch(1)
    assert order(list(resumed)) == epochs[1]
    assert order(list(BatchLoader(split, 32, shuffle=True, seed=4, window_rows=window))) != epochs[0]


def test_without_shuffle_the_order_is_that_of_the_split(split: EncodedSplit) -> None:
    assert order(list(BatchLoader(split, 32))) == list(range(403))


def test_windows_mix_rows_from_all_over(split: EncodedSplit) -> None:
    loader = BatchLoader(split, 32, shuffle=True, window_rows=128)
    spread = [max(rows) - min(rows) for rows in (order([b]) for b in loader)]
    assert min(spread) > 200
    first = order(list(loader))
    assert np.abs(np.corrcoef(first, np.arange(403))[0, 1]) < 0.3


def test_types_and_writability(split: EncodedSplit) -> None:
    for shuffle in (False, True):
        batch = next(iter(BatchLoader(split, 8, shuffle=shuffle)))
        assert batch.values is not None
        assert (batch.ids.dtype, batch.values.dtype, batch.labels.dtype) == (torch.int32, torch.float32, torch.float32)
        assert (batch.ids.shape, batch.values.shape, batch.labels.shape) == ((8, 2), (8, 1), (8,))
        batch.ids.zero_()  # a view of the read-only map would end the process
    assert split.ids[:8].sum() > 0


def test_no_scaled_field_no_values(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(100) % 3, "label": np.arange(100) // 3 % 2})
    train = prepare(frame, cache=tmp_path).train
    for window in (None, 10):
        assert all(b.values is None for b in BatchLoader(train, 16, shuffle=True, window_rows=window))


def test_sizes_are_checked(split: EncodedSplit) -> None:
    with pytest.raises(OptionError, match="batch_size"):
        BatchLoader(split, 0)
    with pytest.raises(OptionError, match="window_rows"):
        BatchLoader(split, 1, window_rows=0)


@pytest.mark.parametrize("window", [None, 40])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [7, 12])
def test_shares_together_are_the_whole_batches(
    split: EncodedSplit, window: int | None, shuffle: bool, size: int
) -> None:
    def loader(share: Share) -> BatchLoader:
        made = BatchLoader(split, size, shuffle=shuffle, seed=3, window_rows=window, share=share)
        made.smallest = 3
        return made

    whole = list(loader(ALL_ROWS))
    parts = [list(loader(Share(number, 3))) for number in range(3)]
    assert all(batch.whole is None for batch in whole)
    for batch, *shares in zip(whole, *parts, strict=True):
        assert [share.whole for share in shares] == 3 * [len(batch.labels)] == [s.rows for s in shares]
        together = torch.cat([share.ids for share in shares])
        assert sorted(together.tolist()) == sorted(batch.ids.tolist())
        sizes = [len(share.labels) for share in shares]
        assert max(sizes) - min(sizes) <= (1 if batch is not whole[-1] else 2)
        assert min(sizes) > 0
