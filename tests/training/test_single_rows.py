"""A last batch of one row under batch norm, which needs two: it joins the batch before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from nas_fusion.baselines import FusionDARTS, FusionGumbelDARTS, FusionRandomOneShot
from nas_fusion.baselines.models import MODELS
from nas_fusion.data import DataOptions, EncodedSplit, SearchData, prepare
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.nni_bridge import RawFormatModelSpace, SequentialExecutionEngine
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TrainConfig, fit, oneshot_evaluator

CONFIG = TrainConfig(batch_size=32, max_epochs=2, patience=0, device="cpu")
TRAIN, VALID = 65, 33
"""Rows of the splits: one more than whole batches."""

NORMED = [name for name, model in MODELS.items() if model.parameters.get("batch_norm")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    rng = np.random.default_rng(0)
    rows = TRAIN + VALID + 30
    frame = pd.DataFrame({name: rng.integers(0, 4, rows).astype(str) for name in "abc"})
    frame["label"] = np.arange(rows) % 2
    frame["part"] = ["train"] * TRAIN + ["valid"] * VALID + ["test"] * 30
    found = prepare(frame, DataOptions(split_column="part"), cache=tmp_path_factory.mktemp("cache")).search_view()
    assert (len(found.train), len(found.valid)) == (TRAIN, VALID)
    return found


def space(data: SearchData, **options: Any) -> FusionSpace:
    torch.manual_seed(0)
    return FusionSpace.for_schema(data.schema, levels=1, emb_dim=2, **options)


class Batches(pl.Callback):
    """The rows of every training batch."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        parts = batch if isinstance(batch, dict) else {"train": batch}
        self.rows.append([len(part.labels) for part in parts.values()])


@pytest.mark.parametrize(
    ("strategy", "rows"),
    [
        (OptFusion(), [[32], [33]]),
        (FusionRandomOneShot(1, 0), [[32], [33]]),
        (FusionDARTS(0.1), [[32, 33], [33, 33]]),  # 33 validation rows, again and again
        (FusionGumbelDARTS(0.1), [[32, 33], [33, 33]]),
    ],
)
def test_supernets_train_on_every_row(strategy: Any, rows: list[list[int]], data: SearchData) -> None:
    seen = Batches()
    run = oneshot_evaluator(data, CONFIG, keep_best=False, callbacks=[seen])
    strategy(RawFormatModelSpace(space(data, batch_norm=True), run.evaluator), SequentialExecutionEngine())
    assert seen.rows == rows * 2
    assert run.meter.samples == sum(sum(parts) for parts in seen.rows)


@pytest.mark.parametrize("name", NORMED)
def test_hand_made_models_train_on_every_row(name: str, data: SearchData) -> None:
    tower = {"hidden_width": 4} if "hidden_width" in MODELS[name].parameters else {}
    model = MODELS[name].for_schema(data.schema, 2, **tower, **({"heads": 1} if name == "finalmlp" else {}))
    assert fit(model, data, replace(CONFIG, max_epochs=1)).samples == TRAIN


def test_a_derived_model_trains_and_the_budget_ends_with_the_joined_batch(data: SearchData) -> None:
    normed = space(data, batch_norm=True)
    design = next(d for d in normed.designs if "deep1" in d.live_blocks() and ("embedding", "deep1") in d.connections)
    result = fit(normed.derive(design, weights=False), data, replace(CONFIG, max_samples=64))
    assert (result.samples, result.stopped) == (65, "budget")
    assert len(result.history) == 1


def test_without_batch_norm_a_single_row_is_a_batch(data: SearchData) -> None:
    seen = Batches()
    run = oneshot_evaluator(data, CONFIG, keep_best=False, callbacks=[seen])
    OptFusion()(RawFormatModelSpace(space(data), run.evaluator), SequentialExecutionEngine())
    assert seen.rows == [[32], [32], [1]] * 2


def test_where_no_row_has_company_it_is_said(data: SearchData) -> None:
    model = MODELS["fnn"].for_schema(data.schema, 2, hidden_width=4)
    with pytest.raises(OptionError, match="batch_size must be at least 2 with batch norm, got 1"):
        fit(model, data, replace(CONFIG, batch_size=1))
    split = data.train
    first: tuple[Any, Any] = (split.ids[:1], split.labels[:1])
    alone = EncodedSplit(first[0], None, first[1], 0)
    with pytest.raises(TrainingError, match="batch norm needs 2 rows to train on, got 1"):
        fit(model, replace(data, train=alone), CONFIG)
