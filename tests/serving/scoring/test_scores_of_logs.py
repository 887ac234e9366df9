"""Scores of a log are those of its rows at once, whatever it is read from, in whatever pieces."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nas_fusion.cli import main
from nas_fusion.data.sources import Source
from nas_fusion.errors import DataError, OptionError
from nas_fusion.serving import SavedModel, load
from nas_fusion.serving.scoring import score_file
from tests.serving.clicks_log import clicks, trained_cells

STRATEGIES = ("stacked", "lightgbm")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_cells(tmp_path_factory.mktemp("study"), STRATEGIES)[0].path


@pytest.fixture(scope="module", params=STRATEGIES)
def model(request: pytest.FixtureRequest, study: Path) -> SavedModel:
    return load(study / "cells" / f"{request.param}-0" / "model")


ROWS = clicks(700, seed=5).drop(columns="clicked")


def scores_in(path: Path) -> np.ndarray:
    read = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    assert read["row"].tolist() == list(range(len(read)))
    return read["score"].to_numpy()


@pytest.mark.parametrize("chunk_rows", [77, 256, 1000])
def test_pieces_do_not_show(
    model: SavedModel, chunk_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = replace(model.manifest, recipe=replace(model.manifest.recipe, batch_size=128))
    small_batches = SavedModel(model.path, manifest, model.encoding, model.module)
    expected = small_batches.scores(ROWS)
    monkeypatch.setattr(Source, "chunk_rows", chunk_rows)
    monkeypatch.setattr(Source, "chunk_bytes", 40 * chunk_rows)
    ROWS.to_csv(tmp_path / "new.csv", index=False)
    for rows in (ROWS, tmp_path / "new.csv"):
        assert score_file(small_batches, rows, tmp_path / "scores.parquet") == len(ROWS)
        np.testing.assert_array_equal(scores_in(tmp_path / "scores.parquet"), expected)


def test_formats_do_not_show(model: SavedModel, tmp_path: Path) -> None:
    expected = model.scores(ROWS)
    shuffled = ROWS[ROWS.columns[::-1]].assign(more=range(len(ROWS)))
    shuffled.to_csv(tmp_path / "new.csv", sep=";", index=False)
    shuffled.to_csv(tmp_path / "new.tsv.gz", sep="\t", index=False)
    for part in range(3):
        (tmp_path / "parts" / f"day={part}").mkdir(parents=True)
        shuffled[part * 234 : part * 234 + 234].to_parquet(tmp_path / "parts" / f"day={part}" / "a.parquet")
    for rows in ("new.csv", "new.tsv.gz", "parts"):
        for out in ("scores.parquet", "scores.csv"):
            score_file(model, tmp_path / rows, tmp_path / out)
            np.testing.assert_array_equal(scores_in(tmp_path / out), expected)


def test_one_row_gets_the_score_it_gets_among_others(model: SavedModel) -> None:
    expected = model.scores(ROWS[:20])
    for row in range(20):
        one = {str(name): cell for name, cell in ROWS.iloc[row].items()}
        for found in (model.scores(one), model.scores([one]), model.scores(ROWS[row : row + 1])):
            assert found == pytest.approx(expected[row : row + 1], rel=1e-5)


def test_kept_columns_stay_with_their_rows(model: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_rows", 100)
    rows = ROWS.assign(id=[f"r{row}" for row in range(len(ROWS))], nothing=None)
    score_file(model, rows, tmp_path / "scores.csv.gz", keep=("id", "tags", "nothing"))
    found = pd.read_csv(tmp_path / "scores.csv.gz", keep_default_na=False)
    assert list(found) == ["row", "id", "tags", "nothing", "score"]
    assert found["id"].tolist() == rows["id"].tolist()
    assert found["tags"].tolist() == rows["tags"].tolist()


def test_no_rows_are_scored(model: SavedModel, tmp_path: Path) -> None:
    assert score_file(model, ROWS[:0], tmp_path / "scores.parquet", keep=("user",)) == 0
    assert pq.read_schema(tmp_path / "scores.parquet").names == ["row", "user", "score"]


def test_a_bad_row_is_named_and_nothing_is_written(model: SavedModel, tmp_path: Path) -> None:
    bad = ROWS.copy()
    bad.loc[650, "age"] = "old"
    bad.to_csv(tmp_path / "bad.csv", sep=";", index=False)
    (tmp_path / "scores.csv").write_text("what was there before")
    with pytest.raises(DataError, match=r"bad.csv, line 652, column 'age': expected a number, found 'old'"):
        score_file(model, tmp_path / "bad.csv", tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "scores.csv"]


@pytest.mark.parametrize(
    ("out", "keep", "message"),
    [
        ("scores.txt", (), "out must be a file that ends in .parquet"),
        ("nowhere/scores.csv", (), "out must be a file in a folder that exists"),
        ("scores.csv", ("score",), "keep must be columns of other names"),
        ("scores.csv", ("user", "user"), "keep must be different columns"),
    ],
)
def test_where_no_scores_can_be_written(
    model: SavedModel, out: str, keep: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        score_file(model, ROWS, tmp_path / out, keep=keep)


def test_unknown_values_are_warned_of(model: SavedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    score_file(model, ROWS.assign(user=[f"new {row}" for row in range(len(ROWS))]), tmp_path / "scores.parquet")
    assert "field 'user': 100%" in caplog.text
    assert "'page'" not in caplog.text  # hashed


def test_memory_does_not_grow_with_the_rows(model: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_rows", 200)
    many = pd.concat([ROWS] * 6, ignore_index=True)
    peaks = []
    for rows in (ROWS, many):
        tracemalloc.start()
        score_file(model, rows, tmp_path / "scores.parquet")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


def test_the_command(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ROWS.to_csv(tmp_path / "new.csv", sep=";", index=False)
    model = study / "cells" / "stacked-0" / "model"
    out = tmp_path / "scores.parquet"
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(model), str(tmp_path / "new.csv"), "--out", str(out), "--keep", "page"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "700 rows scored" in printed
    assert "written:" in printed
    np.testing.assert_array_equal(scores_in(out), load(model).scores(ROWS))
    assert pd.read_parquet(out)["page"].tolist() == ROWS["page"].tolist()
