"""What `evaluate` measures is what scikit-learn says of the same scores, over all rows and segment by segment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from nas_fusion.cli import main
from nas_fusion.data.sources import Source
from nas_fusion.errors import DataError, OptionError
from nas_fusion.serving import SavedModel, load
from nas_fusion.serving.scoring import Evaluation, evaluate, write_evaluation
from nas_fusion.serving.scoring import evaluation as module
from nas_fusion.settings import DataOptions
from tests.serving.clicks_log import OPTIONS, clicks, trained_cells


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    study = trained_cells(tmp_path_factory.mktemp("study"), ["stacked"])[0]
    return load(study.path / "cells" / "stacked-0" / "model")


def rows() -> pd.DataFrame:
    """Rows with a segment of each sort: both classes, clicks only, no clicks, without a value."""
    frame = clicks(600, seed=9)
    place = np.arange(len(frame))
    frame["country"] = np.select([place % 3 == 0, place % 3 == 1], ["de", "=fr|x"], "")
    clicked = frame["clicked"] == "1"
    frame.loc[clicked & (place > 560), "country"] = "always"
    frame.loc[~clicked & (place > 560), "country"] = "never"
    frame["weight"] = np.where(place % 2, 2.0, 1.0)
    return frame


ROWS = rows()


def check(found: Evaluation, model: SavedModel, weights: np.ndarray | None = None) -> None:
    scores, labels = model.scores(ROWS), ROWS["clicked"].to_numpy().astype(int)
    values = ROWS["country"].replace("", "(missing)").to_numpy()
    for one in found.every:
        chosen = values == one.value if one.column else np.ones(len(ROWS), bool)
        p, y = scores[chosen], labels[chosen]
        w = None if weights is None else weights[chosen]
        assert one.rows == chosen.sum()
        assert one.click_rate == pytest.approx(np.average(y, weights=w))
        assert one.logloss == pytest.approx(log_loss(y, p, sample_weight=w, labels=[0, 1]))
        assert (one.quality is None) == (len(set(y)) == 1)
        if one.quality is not None:
            assert one.quality.auc == pytest.approx(roc_auc_score(y, p, sample_weight=w))
            assert one.quality.pr_auc == pytest.approx(average_precision_score(y, p, sample_weight=w))
            assert one.quality.calibration_ratio == pytest.approx(np.average(p, weights=w) / np.average(y, weights=w))


def test_all_rows_and_segments(model: SavedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_rows", 130)
    found = evaluate(model, ROWS, by=["country"])
    check(found, model)
    notes = {one.value: one.problem for one in found.segments}
    assert notes == {"de": "", "=fr|x": "", "(missing)": "", "always": "clicks only", "never": "no clicks"}
    assert [one.rows for one in found.segments] == sorted((one.rows for one in found.segments), reverse=True)


def test_weights_and_groups(model: SavedModel) -> None:
    options = DataOptions(**{**OPTIONS.to_dict(), "weight": "weight", "group": "user"})
    found = evaluate(model, ROWS, by=["country"], options=options)
    check(found, model, ROWS["weight"].to_numpy())
    assert found.overall.quality is not None
    assert 0 < (found.overall.quality.gauc or 0) < 1


def test_rare_values_are_one_segment(model: SavedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SEGMENTS", 2)
    found = evaluate(model, ROWS, by=["country"]).segments
    assert [one.value for one in found][2:] == ["(3 rarer values)"]
    assert sum(one.rows for one in found) == len(ROWS)


def test_files(model: SavedModel, tmp_path: Path) -> None:
    found = evaluate(model, ROWS, by=["country"])
    for ending in ("csv", "json", "md"):
        write_evaluation(found, tmp_path / f"quality.{ending}")
    read = json.loads((tmp_path / "quality.json").read_text())
    assert [row["rows"] for row in read] == [one.rows for one in found.every]
    assert read[0]["auc"] == found.overall.numbers()["auc"]
    table = pd.read_csv(tmp_path / "quality.csv")
    assert table["logloss"].tolist() == [one.logloss for one in found.every]
    assert not table["value"].astype(str).str.startswith("=").any()
    lines = (tmp_path / "quality.md").read_text().splitlines()
    assert len(lines) == 2 + len(found.every)
    assert r"\=fr\|x" in "\n".join(lines) or r"=fr\|x" in "\n".join(lines)
    with pytest.raises(OptionError, match=r"out must be a file that ends in \.csv, \.json, \.md"):
        write_evaluation(found, tmp_path / "quality.txt")


def test_rows_that_cannot_be_measured(model: SavedModel) -> None:
    with pytest.raises(DataError, match="lack the column 'clicked'"):
        evaluate(model, ROWS.drop(columns="clicked"))
    with pytest.raises(DataError, match="lack the column 'planet'"):
        evaluate(model, ROWS, by=["planet"])
    with pytest.raises(DataError, match="needs both classes, got 0 positives"):
        evaluate(model, ROWS[ROWS["clicked"] == "0"])
    with pytest.raises(DataError, match="line 3, column 'clicked': a label must be 0 or 1, found 'maybe'"):
        evaluate(model, ROWS.assign(clicked=["0", "1", "maybe", *ROWS["clicked"][3:]]))
    with pytest.raises(DataError, match="no rows"):
        evaluate(model, ROWS[:0])


def test_the_command(model: SavedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ROWS.rename(columns={"clicked": "bought"}).to_parquet(tmp_path / "rows.parquet", index=False)
    words = ["evaluate", str(model.path), str(tmp_path / "rows.parquet"), "--label", "bought", "--by", "country"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(tmp_path / "quality.csv")])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "country = always" in printed
    assert "clicks only" in printed
    assert len(pd.read_csv(tmp_path / "quality.csv")) == 6
