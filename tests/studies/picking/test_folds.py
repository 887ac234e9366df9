"""Folds: every training row judges once, the log's own validation rows train meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from nas_fusion.data import EncodedSplit, Schema, SearchData
from nas_fusion.studies.picking.folds import Folds


def split(first: int, rows: int, positives: int) -> EncodedSplit:
    """Rows whose id is their place in the log, the positives first."""
    labels = (np.arange(rows) < positives).astype(np.float32)
    ids = np.arange(first, first + rows, dtype=np.int32)[:, None]
    return EncodedSplit(ids, None, labels, positives, weights=ids[:, 0].astype(np.float32))


@pytest.fixture
def folds() -> Folds:
    data = SearchData("log", cast(Schema, SimpleNamespace()), split(0, 85, 17), split(85, 10, 3), "fingerprint")
    return Folds(data, seed=3)


def test_the_first_fold_is_the_logs_own(folds: Folds) -> None:
    assert folds.most == 9
    assert folds.fold(0) is folds.data


def test_every_training_row_judges_once(folds: Folds) -> None:
    judging = [folds.fold(number).valid for number in range(1, folds.most)]
    assert sorted(np.concatenate([one.ids[:, 0] for one in judging])) == list(range(85))
    assert {len(one) for one in judging} == {10, 11}
    assert {one.positives for one in judging} == {2, 3}  # each has its share


def test_all_other_rows_train(folds: Folds) -> None:
    fold = folds.fold(4)
    assert sorted([*fold.train.ids[:, 0], *fold.valid.ids[:, 0]]) == list(range(95))
    assert set(range(85, 95)) <= set(fold.train.ids[:, 0])
    assert fold.train.positives == int(fold.train.labels.sum())
    assert fold.train.weights is not None
    assert np.array_equal(fold.train.weights, fold.train.ids[:, 0])


def test_a_seed_gives_the_same_folds_again(folds: Folds) -> None:
    again, other = Folds(folds.data, seed=3), Folds(folds.data, seed=4)
    assert np.array_equal(folds.fold(2).valid.ids, again.fold(2).valid.ids)
    assert not np.array_equal(folds.fold(2).valid.ids, other.fold(2).valid.ids)
