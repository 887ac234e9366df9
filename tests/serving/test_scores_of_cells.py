"""A cell's model, opened by a fresh process that has neither log nor cache, gives its test predictions bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas_fusion
from tests.serving.clicks_log import clicks, scores_of_a_fresh_process, trained_cells

pytestmark = pytest.mark.slow

STRATEGIES = (
    "stacked", "optfusion-hard", "optfusion-soft", "deepfm", "lightgbm", "catboost", "logistic-regression",
    "autoctr", "nasrec",
)  # fmt: skip


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    study, _ = trained_cells(folder, STRATEGIES)
    shutil.rmtree(folder / "cache")
    (folder / "clicks.csv").unlink()
    moved = folder / "elsewhere"
    study.path.rename(moved)  # nothing may lead back to where it was made
    return moved / "cells"


@pytest.fixture(scope="module")
def test_rows(cells: Path) -> pd.DataFrame:
    """The rows of the log that were the test rows, without their labels, columns in another order, and one more."""
    rows = pd.read_parquet(cells / "stacked-0" / "predictions.parquet")["row"]
    frame = clicks().loc[rows].drop(columns="clicked").iloc[:, ::-1]
    return frame.assign(extra=1)


@pytest.fixture(scope="module")
def found(cells: Path, test_rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("rows")
    test_rows.to_csv(folder / "rows.csv", sep=";", index=False)
    models = {name: cells / f"{name}-0" / "model" for name in STRATEGIES}
    return scores_of_a_fresh_process(models, folder / "rows.csv", folder / "scores.npz")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_fresh_process_gives_the_test_predictions(strategy: str, cells: Path, found: dict[str, np.ndarray]) -> None:
    predicted = pd.read_parquet(cells / f"{strategy}-0" / "predictions.parquet")["probability"].to_numpy()
    assert found[strategy].dtype == np.float64
    assert found[strategy].tolist() == predicted.tolist()
    assert len(set(predicted.tolist())) > 10


def test_frames_of_every_kind_give_the_same(cells: Path, test_rows: pd.DataFrame, found: dict[str, np.ndarray]) -> None:
    import polars as pl
    import pyarrow as pa

    model = nas_fusion.load(cells / "stacked-0" / "model")
    table = pa.Table.from_pandas(test_rows, preserve_index=False)
    for rows in (
        test_rows,
        pl.from_pandas(test_rows),
        table,
        table.to_batches()[0],
        table.to_pydict(),
        table.to_pylist(),
    ):
        assert model.scores(rows).tolist() == found["stacked"].tolist()
