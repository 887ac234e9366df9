"""MLflow, TensorBoard and Weights & Biases themselves, on this machine alone: what each knows of a cell afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.system.files import write_text
from nas_fusion.tracking import TrackedCell, TrackedStudy
from nas_fusion.tracking.known_trackers import open_tracker
from nas_fusion.tracking.live_cells import LivePoint, LiveTracker
from tests.report.report_fakes import cell
from tests.serving.clicks_log import clicks, trained_cells
from tests.serving.small_model import save_small

pytestmark = pytest.mark.slow

CONTEXT = {"model": {"levels": 3}, "recipe": {"learning_rate": 0.01}}
RECORD = cell("random", 4, details={"context": CONTEXT})
WRITTEN_SECONDS = 30.0
CURVES = {"search/valid_auc": [(1, 0.65), (2, 0.7)], "retrain/valid_auc": [(1, 0.72), (2, 0.75)]}


@pytest.fixture
def study(tmp_path: Path) -> TrackedStudy:
    return TrackedStudy("clicks", "0a1b2c3d", tmp_path / "study", {"log": "clicks.csv", "fingerprint": "abc"})


@pytest.fixture
def tracked(study: TrackedStudy) -> TrackedCell:
    folder = study.folder / "cells" / "random-4"
    folder.mkdir(parents=True)
    write_text(folder / "design.json", RECORD.design.to_json())
    return TrackedCell(RECORD, folder, 1_000.0)


def test_tensorboard_has_curves_and_figures(study: TrackedStudy, tracked: TrackedCell) -> None:
    for _ in range(2):  # told again, it knows no more
        open_tracker("tensorboard", study).tell(tracked)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(study.folder / "tensorboard" / "random-4"))
    events.Reload()
    for name, points in CURVES.items():
        assert [(e.step, round(e.value, 6)) for e in events.Scalars(name)] == points
    assert [e.value for e in events.Scalars("test_auc")] == [pytest.approx(0.74, abs=1e-6)]
    text = (study.folder / "tensorboard" / "random-4" / "hparams.yaml").read_text("utf-8")
    assert "recipe.learning_rate: 0.01" in text


POINT = LivePoint("random-4", "retrain", 1, {"valid_auc": 0.72, "train_loss": 0.6})


def test_tensorboard_has_what_a_cell_said_while_it_trained(study: TrackedStudy, tracked: TrackedCell) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = open_tracker("tensorboard", study)
    assert isinstance(tracker, LiveTracker)
    tracker.live(POINT)
    events = EventAccumulator(str(study.folder / "tensorboard" / "random-4"))
    events.Reload()
    assert [round(e.value, 6) for e in events.Scalars("retrain/train_loss")] == [0.6]
    tracker.tell(tracked)
    events = EventAccumulator(str(study.folder / "tensorboard" / "random-4"))
    events.Reload()
    for name, points in CURVES.items():
        assert sorted((e.step, round(e.value, 6)) for e in events.Scalars(name)) == points
    assert [round(e.value, 6) for e in events.Scalars("retrain/train_loss")] == [0.6]


def test_wandb_writes_a_run_for_later_without_a_server(
    study: TrackedStudy, tracked: TrackedCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(study.folder / "data"))
    save_small(tracked.folder / "model")
    open_tracker("wandb", study).tell(tracked)
    (run,) = (study.folder / "wandb").glob("offline-run-*/*.wandb")
    assert run.name == f"run-0a1b2c3d-random-4-{tracked.identifier}.wandb"
    artefact = f"random-4-{tracked.identifier}".encode()
    words = (
        b"retrain/valid_auc",
        b"test_auc",
        b"recipe.learning_rate",
        b"clicks.csv",
        artefact,
        b"weights.safetensors",
    )
    end = time.monotonic() + WRITTEN_SECONDS
    # Its own process writes the file, and may end doing so a moment after the run has ended here.
    while missing := [word for word in words if word not in run.read_bytes()]:
        assert time.monotonic() < end, missing
        time.sleep(0.02)


def test_wandb_goes_on_with_the_run_of_a_cell_that_trained(
    study: TrackedStudy, tracked: TrackedCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = open_tracker("wandb", study)
    assert isinstance(tracker, LiveTracker)
    tracker.live(POINT)
    tracker.tell(tracked)
    (run,) = (study.folder / "wandb").glob("offline-run-*/*.wandb")
    end = time.monotonic() + WRITTEN_SECONDS
    while missing := [word for word in (b"retrain/train_loss", b"test_auc") if word not in run.read_bytes()]:
        assert time.monotonic() < end, missing
        time.sleep(0.02)


def test_mlflow_has_a_run_per_cell_below_the_study_s_and_loads_its_model(
    study: TrackedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = trained_cells(tmp_path, ["stacked"])
    folder = made.cell("stacked", 0)
    predicted = pd.read_parquet(folder / "predictions.parquet")
    rows = clicks().loc[predicted["row"]].drop(columns="clicked").iloc[:, ::-1]
    rows.to_pickle(tmp_path / "rows.pickle")
    # In a process of its own: MLflow sets up logging and warnings as it likes.
    code = f"""
import json, mlflow
import pandas as pd
from pathlib import Path
from nas_fusion.tracking import TrackedCell, TrackedStudy
from nas_fusion.tracking.known_trackers import open_tracker
from nas_fusion.tracking.live_cells import LivePoint
from tests.tracking.test_tracking_packages import RECORD
study = TrackedStudy("clicks", "0a1b2c3d", Path({str(study.folder)!r}), {dict(study.tags)!r})
for again in range(2):
    tracker = open_tracker("mlflow", study)
    if again:
        tracker.live(LivePoint("random-4", "retrain", 1, dict(valid_auc=0.72, train_loss=0.6)))
        tracker.live(LivePoint("random-5", "search", 1, dict(valid_auc=0.5)))
        tracker.live(LivePoint("random-5", "", 0, dict()))
    tracker.tell(TrackedCell(RECORD, Path({str(folder)!r}), 1_000.0))
client = mlflow.MlflowClient()
experiment = client.get_experiment_by_name("nas-fusion").experiment_id
runs = client.search_runs([experiment], order_by=["attribute.start_time"])
cells = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
(parent,) = [run for run in runs if run not in cells]
assert (parent.info.run_name, parent.info.status) == ("clicks", "FINISHED")
assert len(cells) == 3
(failed,) = [run for run in cells if run.info.run_name == "random-5"]
assert failed.info.status == "FAILED"
run, live = [run for run in cells if run is not failed]
assert live.info.status == "FINISHED"
curves = {{n: client.get_metric_history(live.info.run_id, n) for n in ("retrain/valid_auc", "retrain/train_loss")}}
assert sorted((m.step, m.value) for m in curves["retrain/valid_auc"]) == [(1, 0.72), (2, 0.75)]
assert [(m.step, m.value) for m in curves["retrain/train_loss"]] == [(1, 0.6)]
assert live.data.metrics["test_auc"] == 0.74
assert live.data.params["recipe.learning_rate"] == "0.01"
assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
assert run.data.tags["nas_fusion.log"] == "clicks.csv"
assert (run.info.run_name, run.info.status) == ("random-4", "FINISHED")
assert (run.info.start_time, run.info.end_time) == (960_000, 1_000_000)
assert run.data.params["recipe.learning_rate"] == "0.01"
assert run.data.metrics["test_auc"] == 0.74
history = client.get_metric_history(run.info.run_id, "retrain/valid_auc")
assert [(m.step, m.value, m.timestamp) for m in history] == [(1, 0.72, 995_000), (2, 0.75, 1_000_000)]
assert [a.path for a in client.list_artifacts(run.info.run_id)] == ["design.json", "design.svg"]
scores = mlflow.pyfunc.load_model(f"runs:/{{run.info.run_id}}/model").predict(pd.read_pickle("rows.pickle"))
json.dump(scores.tolist(), open("scores.json", "w"))
"""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "scores.json").read_text("utf-8")) == predicted["probability"].tolist()
