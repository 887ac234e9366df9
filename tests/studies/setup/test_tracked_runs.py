"""Searches, re-trainings and tunings by themselves are told to trackers, too: what they are, how they went."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from optuna.trial import TrialState

from nas_fusion.cli import main
from nas_fusion.studies.queue.tracked_trials import tracked_trial
from nas_fusion.studies.queue.tuning_trials import EndedTrial
from nas_fusion.tracking import Tracked, TrackedStudy, known_trackers, tell_once
from nas_fusion.tracking.known_trackers import KnownTracker
from nas_fusion.tracking.tracked_cell import TrackedRun

SMALL = ["--data", "synthetic:600", "--levels", "1", "--emb-dim", "2", "--device", "cpu"]


@dataclass
class Diary:
    """A tracker that keeps everything."""

    place: str = "here"
    runs: list[Tracked] = field(default_factory=list)
    studies: list[TrackedStudy] = field(default_factory=list)

    def tell(self, cell: Tracked) -> None:
        self.runs.append(cell)


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code in (0, None)


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Diary:
    """Stands where MLflow does."""
    diary = Diary()

    def open_it(study: TrackedStudy) -> Diary:
        diary.studies.append(study)
        return diary

    known = {**known_trackers.KNOWN, "mlflow": KnownTracker("json", "json", open_it)}
    monkeypatch.setattr(known_trackers, "KNOWN", known)
    return diary


@pytest.mark.slow
def test_a_search_and_a_re_training_are_told(
    diary: Diary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    design = str(tmp_path / "design.json")
    searched = [
        "search",
        "--strategy",
        "random",
        "--budget",
        "1x",
        "--candidates",
        "1",
        "--out",
        design,
        "--epochs",
        "2",
        *SMALL,
    ]
    run(*searched, "--track", "mlflow")
    (search,) = diary.runs
    assert search.name == "search-random-0"
    assert set(search.figures) == {"valid_auc", "search_seconds", "samples"}
    assert [point.step for point in search.curves["search"]] == [1]
    assert search.parameters["model.levels"] == 1
    assert [path.name for path in search.files] == ["design.json", "design.svg"]
    assert diary.studies[0].folder == tmp_path
    run("retrain", design, "--device", "cpu", "--track", "mlflow")
    trained = diary.runs[1]
    assert trained.name == "retrain-parallel-0"
    assert [point.step for point in trained.curves["retrain"]] == [1, 2]
    assert {"valid_auc", "test_auc", "test_logloss", "retrain_seconds", "parameters"} <= set(trained.figures)
    said = capsys.readouterr().out
    assert f"test AUC {trained.figures['test_auc']:.4f}" in said
    run(*searched)
    assert len(diary.runs) == 2


@pytest.mark.slow
def test_a_tuning_is_told_trial_by_trial_and_each_once(
    diary: Diary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    study = str(tmp_path / "study")
    asked = ["tune", "--strategy", "stacked", "--trials", "2", "--epochs", "1", "--study", study, *SMALL]
    for _ in range(2):
        run(*asked, "--track", "mlflow")
        assert [told.name for told in diary.runs] == ["stacked-trial-0", "stacked-trial-1"]
    first = diary.runs[0]
    assert first.tags == {"kind": "tuning", "state": "complete"}
    assert first.figures["valid_auc"] == pytest.approx(first.curves["tuning"][-1].valid_auc)
    assert len({told.identifier for told in diary.runs}) == 2


def test_a_trial_that_was_stopped_has_no_result() -> None:
    ended = EndedTrial(3, {"rate": 0.1}, TrialState.PRUNED, 2.0, {}, None, {5: 0.6, 4: 0.5}, 10.0)
    told = tracked_trial("dcn", ended)
    assert told.name == "dcn-trial-3"
    assert told.parameters == {"strategy": "dcn", "trial": 3, "rate": 0.1}
    assert told.figures == {"seconds": 2.0}
    assert [(point.step, point.valid_auc) for point in told.curves["tuning"]] == [(4, 0.5), (5, 0.6)]
    assert (told.ended, told.model, told.files) == (10.0, None, ())


def test_a_tracker_that_fails_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def away(name: str, study: TrackedStudy) -> Diary:
        raise ConnectionError("the server is away")

    told = TrackedRun("search-random-0", {}, {}, {}, 0.0, 0.0)
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        tell_once(("mlflow",), TrackedStudy("clicks", "1", tmp_path, {}), told, away)
    assert caplog.messages == [
        "tracker mlflow: ConnectionError: the server is away; it does not know of search-random-0"
    ]
