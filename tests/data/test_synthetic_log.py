"""The synthetic log: the same for a seed, and its best attainable AUC is what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nas_fusion.data import describe, prepare, synthetic_log
from nas_fusion.data.click_model import click_model
from nas_fusion.data.encoding.scan import auc
from nas_fusion.errors import OptionError


def test_same_seed_same_log() -> None:
    one, p = synthetic_log(3000, seed=5)
    two, q = synthetic_log(3000, seed=5)
    other, _ = synthetic_log(3000, seed=6)
    assert list(one) == ["click", *(f"field{i}" for i in range(1, 11))]
    assert all(np.array_equal(one[c], two[c]) for c in one)
    np.testing.assert_array_equal(p, q)
    assert not np.array_equal(one["field1"], other["field1"])


def test_a_shorter_log_begins_a_longer_one() -> None:
    long, p = synthetic_log(70_000)
    short, q = synthetic_log(1000)
    assert all(np.array_equal(long[c][:1000], short[c]) for c in short)
    np.testing.assert_array_equal(p[:1000], q)


def test_clicks_follow_the_probabilities() -> None:
    columns, p = synthetic_log(100_000, seed=1)
    order = np.argsort(p)
    for part in np.array_split(order, 10):
        assert columns["click"][part].mean() == pytest.approx(p[part].mean(), abs=0.02)


def test_ids_follow_zipf() -> None:
    columns, _ = synthetic_log(50_000)
    sizes = click_model(0).sizes
    assert (sizes[0], sizes[-1]) == (10, 1000)
    counts = np.bincount(columns["field5"], minlength=sizes[4])
    assert counts[0] / counts[3] == pytest.approx(4**1.6, rel=0.15)
    assert all(columns[f"field{i + 1}"].max() < size for i, size in enumerate(sizes))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_attainable_auc(seed: int, cache: Path) -> None:
    data = prepare(f"synthetic:100000:{seed}", cache=cache)
    assert (len(data.train), len(data.valid), len(data.test)) == (80_000, 10_000, 10_000)
    assert data.attainable_auc is not None
    assert 0.80 < data.attainable_auc < 0.86
    assert describe(data).attainable_auc == data.attainable_auc


def test_attainable_auc_is_that_of_the_test_rows(cache: Path) -> None:
    columns, p = synthetic_log(5000, seed=3)
    data = prepare("synthetic:5000:3", cache=cache)
    # Find the rows of the test split again: the random split depends on the number of rows and the seed alone.
    codes = np.repeat([0, 1, 2], [4000, 500, 500]).astype(np.int8)
    np.random.default_rng(2025).shuffle(codes)
    test = codes == 2
    np.testing.assert_array_equal(data.test.labels, columns["click"][test])
    assert data.attainable_auc == pytest.approx(roc_auc_score(columns["click"][test], p[test]), abs=1e-6)


def test_probabilities_are_no_field(cache: Path) -> None:
    data = prepare("synthetic:2000", cache=cache)
    assert [f.name for f in data.schema.fields] == [f"field{i}" for i in range(1, 11)]
    assert not hasattr(data.search_view(), "attainable_auc")


def test_main_effects_alone_leave_much_to_win() -> None:
    """The best additive score (the true main effects) stays more than .05 below the true probabilities."""
    columns, p = synthetic_log(50_000)
    model = click_model(0)
    ids = np.stack([columns[f"field{i}"] for i in range(1, 11)], axis=1)
    additive = model.parts(ids)[:, 0]
    assert auc(columns["click"], p) - auc(columns["click"], additive) > 0.05


@pytest.mark.slow
def test_a_small_network_learns_most_of_it(cache: Path) -> None:
    """90 % of the way from .5 to the best, by an embedding of 8 and two dense layers of 64."""
    import torch
    from torch import nn

    from nas_fusion.data import BatchLoader
    from nas_fusion.nn.embedding import FieldEmbedding

    data = prepare("synthetic:100000", cache=cache)
    torch.manual_seed(0)
    embedding = FieldEmbedding(data.schema.field_sizes, 8)
    dense = nn.Sequential(nn.Linear(80, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam([*embedding.parameters(), *dense.parameters()], lr=3e-3)
    loader = BatchLoader(data.train, 1024, shuffle=True)
    for _ in range(6):
        for batch in loader:
            optimizer.zero_grad()
            logits = dense(embedding(batch.ids)).squeeze(1)
            nn.functional.binary_cross_entropy_with_logits(logits, batch.labels).backward()
            optimizer.step()
    with torch.no_grad():
        scores = np.concatenate([dense(embedding(b.ids)).squeeze(1).numpy() for b in BatchLoader(data.test, 5000)])
    assert data.attainable_auc is not None
    reached = (auc(data.test.labels, scores) - 0.5) / (data.attainable_auc - 0.5)
    assert 0.9 < reached < 1.01


@pytest.mark.parametrize("arguments", [{"rows": 0}, {"fields": 2}, {"seed": -1}])
def test_sizes_are_checked(arguments: dict[str, int]) -> None:
    with pytest.raises(OptionError):
        synthetic_log(**arguments)


@pytest.mark.parametrize("fields", [3, 4, 5, 12])
def test_other_numbers_of_fields(fields: int) -> None:
    columns, p = synthetic_log(500, fields=fields)
    assert len(columns) == fields + 1
    assert np.isfinite(p).all()


def test_auc_counts_ties_half() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 500), rng.integers(0, 20, 500)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
