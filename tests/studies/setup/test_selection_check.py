"""Choosing by the AUC within groups is refused, before anything is trained, where the log cannot tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import OptionError
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, assemble

SETTINGS = ComparisonSettings(
    source="synthetic:600",
    data=DataOptions(),
    strategies=("stacked",),
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(select="gauc"),
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:600", cache=tmp_path_factory.mktemp("cache"))


def grouped(dataset: EncodedDataset, rows: int) -> EncodedDataset:
    """The log in groups of so many rows."""
    groups: Any = np.arange(len(dataset.valid), dtype=np.int32) // rows
    return replace(dataset, valid=replace(dataset.valid, groups=groups))


def test_choosing_within_groups_needs_groups_with_both_classes(dataset: EncodedDataset) -> None:
    with pytest.raises(OptionError, match="select must be auc or logloss, since the log has no groups, got 'gauc'"):
        assemble(SETTINGS, dataset)
    with pytest.raises(OptionError, match="since the log has no group with both classes among its validation rows"):
        assemble(SETTINGS, grouped(dataset, 1))
    assert assemble(SETTINGS, grouped(dataset, 20)).settings == SETTINGS
