"""A cell's test predictions in Parquet: with them anyone gets the record's figures again."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import logit

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.records import TEST_METRICS, CellRecord
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, StudyFolder, assemble
from nas_fusion.studies.cells.cell import run_cell
from nas_fusion.studies.cells.cell_files import PREDICTIONS, read_cell
from nas_fusion.studies.cells.kept_predictions import write_predictions
from nas_fusion.training import METRICS, Predictions, quality_of

SETTINGS = ComparisonSettings(
    source="synthetic:800",
    data=DataOptions(),
    strategies=("stacked",),
    seeds=(0,),
    budget="1x",
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
    importance=False,
    anytime_test=False,
    device="cpu",
)


def test_the_file_has_a_row_for_every_row(tmp_path: Path) -> None:
    found = Predictions.of([0.0, 40.0, -50.0], [0, 1, 0], [1.0, 0.5, 2.0], [7, 7, 9])
    write_predictions(tmp_path / PREDICTIONS, found, np.array([4, 5, 9]))
    table = pq.read_table(tmp_path / PREDICTIONS)
    assert table.column_names == ["row", "label", "probability", "weight", "group"]
    assert table["row"].to_pylist() == [4, 5, 9]
    assert table["label"].to_pylist() == [0, 1, 0]
    assert table["probability"].to_pylist() == pytest.approx([0.5, 1.0, np.exp(-50)], rel=1e-12)
    assert (table["weight"].to_pylist(), table["group"].to_pylist()) == ([1.0, 0.5, 2.0], [7, 7, 9])
    write_predictions(tmp_path / "plain.parquet", Predictions.of([0.0, 1.0], [0, 1]))
    assert pq.read_table(tmp_path / "plain.parquet").column_names == ["test_row", "label", "probability"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache"))


def run(dataset: EncodedDataset, folder: Path, **changes: Any) -> tuple[CellRecord, Path]:
    assembly = assemble(replace(SETTINGS, **changes), dataset)
    return run_cell(assembly, StudyFolder(folder), "stacked", 0), folder / "cells" / "stacked-0"


@pytest.mark.slow
def test_the_records_figures_come_out_of_the_file(
    dataset: EncodedDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, cell = run(dataset, tmp_path)
    table = pq.read_table(cell / PREDICTIONS)
    assert table["label"].to_pylist() == np.asarray(dataset.test.labels).tolist()
    assert table["row"].to_pylist() == np.asarray(dataset.test.rows).tolist()
    found = quality_of(logit(table["probability"].to_numpy()), table["label"].to_numpy())
    assert (record.test_auc, record.test_logloss) == pytest.approx((found.auc, found.logloss), abs=1e-9)
    assert set(record.test_metrics) == {*TEST_METRICS} - {"gauc"}  # this log has no groups
    assert record.test_metrics == pytest.approx(found.told(), abs=1e-9)
    assert [b.weight for b in record.reliability] == [b.weight for b in found.reliability]
    assert METRICS.names() == ()

    caplog.clear()
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        assert read_cell(cell) == CellRecord.from_json(record.to_json())
        assert caplog.messages == []
        (cell / PREDICTIONS).write_bytes(b"other")
        assert read_cell(cell) == CellRecord.from_json(record.to_json())
    (message,) = caplog.messages
    assert "predictions.parquet" in message
    assert "the cell's figures hold, its predictions do not" in message


@pytest.mark.slow
def test_without_them_the_record_is_the_same(dataset: EncodedDataset, tmp_path: Path) -> None:
    record, cell = run(dataset, tmp_path / "with")
    other, without = run(dataset, tmp_path / "without", predictions=False)
    assert (cell / PREDICTIONS).exists()
    assert not (without / PREDICTIONS).exists()
    assert (other.test_metrics, other.reliability) == (record.test_metrics, record.reliability)


@pytest.mark.slow
def test_a_logloss_worse_than_a_constants_is_warned_of(
    dataset: EncodedDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        # Steps so large that all is overfitted at once: the ranking is poor and the probabilities are near 0 and 1.
        record, _ = run(dataset, tmp_path, recipe=RecipeSettings(learning_rate=0.3, retrain_epochs=1, batch_size=32))
    assert record.test_metrics["normalised_entropy"] > 1
    (message,) = [text for text in caplog.messages if "constant" in text]
    assert message.startswith(f"stacked seed 0: its test logloss is {record.test_logloss:.4f}, that of a constant ")
